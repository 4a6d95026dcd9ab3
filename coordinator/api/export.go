package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/export"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// exportSlice is how many rows are read at a time: each slice is a transaction, and none stays open while somebody reads slowly.
const exportSlice = 1000

func (s *Server) exports(doc huma.API) {
	exportRoute(doc, "/v1/log/export", "export-log", "Export the provisioning log, the latest entry first", s.exportLog)
	exportRoute(doc, "/v1/jobs/export", "export-jobs", "Export jobs, the latest first: a plan, or what was done", s.exportJobs)
	exportRoute(doc, "/v1/people/export", "export-people", "Export people with their attributes, by key", s.exportPeople)
}

func exportRoute[I any](doc huma.API, path, id, summary string, handle func(context.Context, *I) (*huma.StreamResponse, error)) {
	op := access.Operation(access.Viewer, huma.Operation{OperationID: id, Method: "GET", Path: path, Summary: summary,
		Description: "As CSV (RFC 4180, a first line with the names of the columns) or as JSON lines."})
	op.Responses = map[string]*huma.Response{"200": {Description: "The rows", Content: map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}, "application/jsonl": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	op.Extensions["x-audited"] = true // much of what is known leaves at once
	huma.Register(doc, op, handle)
}

// Format says how rows are exported.
type Format struct {
	Format string `query:"format" enum:"csv,jsonl" default:"csv" doc:"How"`
}

type exportLogInput struct {
	Format
	LogFilter
}

func (s *Server) exportLog(ctx context.Context, in *exportLogInput) (*huma.StreamResponse, error) {
	next := func(before int64) ([]client.Entry, int64, error) { return s.logSlice(ctx, in.LogFilter, before) }
	return stream(s, in.Format.Format, "log", next, func(e client.Entry) []string {
		return []string{fmt.Sprint(e.Seq), e.At.Format(time.RFC3339Nano), e.Kind, e.System, e.Person, e.Account, fmt.Sprint(e.Job), e.Text}
	}, "seq", "at", "kind", "system", "person", "account", "job", "text")
}

func (s *Server) logSlice(ctx context.Context, q LogFilter, before int64) (list []client.Entry, next int64, err error) {
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		f, err := q.filter(tx, who, before)
		if err != nil {
			return err
		}
		rows, more, err := tx.PageHistory(who.tenant, f, exportSlice)
		if next = more; err != nil {
			return err
		}
		list, err = entriesOf(tx, who.tenant, rows)
		return err
	})
	return list, next, err
}

type exportJobsInput struct {
	Format
	JobFilter
}

func (s *Server) exportJobs(ctx context.Context, in *exportJobsInput) (*huma.StreamResponse, error) {
	next := func(before int64) ([]client.JobChange, int64, error) { return s.jobSlice(ctx, in.JobFilter, before) }
	return stream(s, in.Format.Format, "jobs", next, func(j client.JobChange) []string {
		changes := make([]string, len(j.Reasons))
		for i, r := range j.Reasons {
			changes[i] = fmt.Sprintf("%s: %s → %s", r.Attribute, strings.Join(r.Before, ", "), strings.Join(r.After, ", "))
		}
		cause := ""
		if j.Fault != nil {
			cause = j.Fault.Cause
		}
		return []string{fmt.Sprint(j.ID), j.System, j.Class, j.Person, j.Display, j.State, j.Outcome, j.Text, strings.Join(changes, "; "), cause, stamp(j.Made), stamp(j.Ended)}
	}, "job", "system", "class", "person", "name", "state", "outcome", "what", "changes", "cause", "made", "ended")
}

func (s *Server) jobSlice(ctx context.Context, q JobFilter, before int64) (out []client.JobChange, next int64, err error) {
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		f, err := q.filter(tx, who, before)
		if err != nil {
			return err
		}
		rows, more, err := tx.PageJobs(who.tenant, f, exportSlice)
		if next = more; err != nil {
			return err
		}
		list, err := jobsOf(tx, who.tenant, rows)
		for i, j := range list {
			out = append(out, client.JobChange{Job: j, Reasons: reasonsOf(rows[i])})
		}
		return err
	})
	return out, next, err
}

type exportPeopleInput struct {
	Format
	Attributes []string `query:"attributes" doc:"Only these attributes, such as department; all in JSON, none in CSV, if left out"`
}

func (s *Server) exportPeople(ctx context.Context, in *exportPeopleInput) (*huma.StreamResponse, error) {
	slice := func(after string) (list []client.PersonRow, next string, err error) {
		err = s.read(ctx, func(tx *store.Tx, who caller) error {
			rows, err := tx.PeopleFrom(who.tenant, after, exportSlice)
			if err != nil {
				return err
			}
			lines, err := s.lines(tx, who.tenant, rows)
			for i, l := range lines {
				p := client.PersonRow{PersonLine: l, Attributes: map[string]any{}}
				var all map[string]any
				if json.Unmarshal([]byte(rows[i].Attributes), &all) == nil {
					for path, value := range all {
						if len(in.Attributes) == 0 || contains(in.Attributes, path) {
							p.Attributes[path] = value
						}
					}
				}
				list = append(list, p)
			}
			if len(rows) == exportSlice {
				next = rows[len(rows)-1].Key
			}
			return err
		})
		return list, next, err
	}
	return stream(s, in.Format.Format, "people", slice, func(p client.PersonRow) []string {
		row := []string{p.Key, p.Display, p.Life, stamp(p.Changed), strings.Join(p.Accounts, " ")}
		for _, path := range in.Attributes {
			row = append(row, text(p.Attributes[path]))
		}
		return row
	}, append([]string{"key", "name", "life", "changed", "accounts"}, in.Attributes...)...)
}

func contains(list []string, text string) bool {
	for _, s := range list {
		if s == text {
			return true
		}
	}
	return false
}

func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = text(v[i])
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(value)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// stream writes rows slice by slice until there are no more. The first slice is
// read before anything is answered, so that it can be refused. What goes wrong
// later ends it in the middle: the connection is cut, so that nobody takes a
// part for the whole.
func stream[T any, C comparable](s *Server, format, name string, slice func(from C) ([]T, C, error), row func(T) []string, columns ...string) (*huma.StreamResponse, error) {
	var none C
	list, next, err := slice(none)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		kind := map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}[format]
		ctx.SetHeader("Content-Type", kind)
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="drawbridge-%s-%s.%s"`, name, time.Now().UTC().Format("20060102"), format))
		write := export.CSV(ctx.BodyWriter(), row, columns...)
		if format == "jsonl" {
			write = export.JSONLines[T](ctx.BodyWriter())
		}
		for {
			err := write(list)
			if err == nil && next == none {
				return
			}
			if err == nil {
				list, next, err = slice(next)
			}
			if err != nil {
				s.Log.WarnContext(ctx.Context(), "Export not finished", "what", name, "err", err)
				panic(http.ErrAbortHandler)
			}
		}
	}}, nil
}
