package access

import (
	"context"

	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/export"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// exportSlice is how many lines an export reads at a time.
const exportSlice = 500

func (g *Gate) auditRoutes(doc huma.API) {
	huma.Register(doc, Operation(Auditor, get("/v1/audit", "list-audit", "Who did what, from where and why: the latest first")), g.listAudit)
	export := Operation(Auditor, get("/v1/audit/export", "export-audit", "The audit as a file, the latest first"))
	export.Extensions[alwaysAudited] = true
	export.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: "string"}}, "application/x-ndjson": {Schema: &huma.Schema{Type: "string"}}}}}
	huma.Register(doc, export, g.exportAudit)
}

// AuditQuery says which lines are wanted. It is exported because huma sees no fields of an embedded type that is not.
type AuditQuery struct {
	Who     string    `query:"who" doc:"Only of whoever's name or subject holds this text"`
	Action  string    `query:"action" doc:"Only this action: an operationId, sign-in or sign-out"`
	Object  string    `query:"object" doc:"Only what acts on an object whose name holds this text"`
	Outcome string    `query:"outcome" enum:"done,refused" doc:"Only with this outcome"`
	Since   time.Time `query:"since" doc:"Only at this instant or later"`
	Until   time.Time `query:"until" doc:"Only before this instant"`
	Before  int64     `query:"before" minimum:"0" doc:"Only with a lower number: that of the last line had, to have those that follow"`
}

func (q AuditQuery) filter() store.AuditFilter {
	return store.AuditFilter{Who: q.Who, Action: q.Action, Object: q.Object, Outcome: q.Outcome,
		Since: store.InstantOf(q.Since), Until: store.InstantOf(q.Until), Before: q.Before}
}

type listAuditInput struct {
	AuditQuery
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"How many at most"`
}

func (g *Gate) listAudit(ctx context.Context, in *listAuditInput) (*items[client.Audited], error) {
	list, err := g.lines(ctx, in.filter(), in.Limit)
	return listed(list), err
}

func (g *Gate) lines(ctx context.Context, f store.AuditFilter, limit int) (list []client.Audited, err error) {
	err = g.read(ctx, func(tx *store.Tx) error {
		rows, err := tx.ListAudit(Of(ctx).Tenant, f, limit)
		list = make([]client.Audited, len(rows))
		for i, a := range rows {
			list[i] = client.Audited{Seq: a.Seq, At: a.At.Time(), Who: a.Who, Subject: a.Subject, Means: a.Means, Credential: a.Credential, Address: a.Address,
				Browser: a.Browser, Action: a.Action, Object: a.Object, Detail: a.Detail, Outcome: a.Outcome, Reason: a.Reason}
		}
		return err
	})
	return list, err
}

type exportAuditInput struct {
	AuditQuery
	Format string `query:"format" default:"csv" enum:"csv,ndjson" doc:"csv, or a JSON object a line"`
}

// exportAudit sends every line that matches, a slice at a time: an export of
// years needs no memory. It is in the audit itself.
func (g *Gate) exportAudit(ctx context.Context, in *exportAuditInput) (*huma.StreamResponse, error) {
	f := in.filter()
	// It writes, so that its line is there before the first line goes out.
	err := g.write(ctx, func(tx *store.Tx) error {
		About(ctx, "", "as "+in.Format)
		newest, err := tx.ListAudit(Of(ctx).Tenant, store.AuditFilter{}, 1)
		for _, a := range newest {
			if f.Before == 0 { // what is added meanwhile is not of it
				f.Before = a.Seq + 1
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		kind, one := "text/csv; charset=utf-8", export.CSV(out.BodyWriter(), auditRow, auditColumns...)
		if in.Format == "ndjson" {
			kind, one = "application/x-ndjson", export.JSONLines[client.Audited](out.BodyWriter())
		}
		out.SetHeader("Content-Type", kind)
		out.SetHeader("Content-Disposition", `attachment; filename="audit.`+in.Format+`"`)
		for f.Before > 0 {
			list, err := g.lines(ctx, f, exportSlice)
			if err != nil || one(list) != nil { // the length was not told: whoever reads sees it cut
				panic(http.ErrAbortHandler)
			}
			if len(list) < exportSlice {
				return
			}
			f.Before = list[len(list)-1].Seq
		}
	}}, nil
}
