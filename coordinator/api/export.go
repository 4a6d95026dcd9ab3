package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// exportSlice is how many rows are read at a time: each slice is a transaction, and none stays open while somebody reads slowly.
const exportSlice = 1000

func (s *Server) exports(doc huma.API) {
	export(doc, "/v1/log/export", "export-log", "Export the provisioning log, the latest entry first", s.exportLog)
	export(doc, "/v1/jobs/export", "export-jobs", "Export jobs, the latest first: a plan, or what was done", s.exportJobs)
	export(doc, "/v1/people/export", "export-people", "Export people with their attributes, by key", s.exportPeople)
}

func export[I any](doc huma.API, path, id, summary string, handle func(context.Context, *I) (*huma.StreamResponse, error)) {
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
	first, err := s.logSlice(ctx, in.LogFilter, 0)
	if err != nil {
		return nil, err
	}
	next := func(last client.Entry) ([]client.Entry, error) { return s.logSlice(ctx, in.LogFilter, last.Seq) }
	return stream(s, in.Format.Format, "log", first, next, func(e client.Entry) []string {
		return []string{fmt.Sprint(e.Seq), e.At.Format(time.RFC3339Nano), e.Kind, e.System, e.Person, e.Account, fmt.Sprint(e.Job), e.Text}
	}, "seq", "at", "kind", "system", "person", "account", "job", "text"), nil
}

func (s *Server) logSlice(ctx context.Context, q LogFilter, before int64) (list []client.Entry, err error) {
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		f, err := q.filter(tx, who, before)
		if err != nil {
			return err
		}
		rows, err := tx.ListHistory(who.tenant, f, exportSlice)
		if err != nil {
			return err
		}
		list, err = entriesOf(tx, who.tenant, rows)
		return err
	})
	return list, err
}

type exportJobsInput struct {
	Format
	JobFilter
}

func (s *Server) exportJobs(ctx context.Context, in *exportJobsInput) (*huma.StreamResponse, error) {
	first, err := s.jobSlice(ctx, in.JobFilter, 0)
	if err != nil {
		return nil, err
	}
	next := func(last client.JobChange) ([]client.JobChange, error) { return s.jobSlice(ctx, in.JobFilter, last.ID) }
	return stream(s, in.Format.Format, "jobs", first, next, func(j client.JobChange) []string {
		changes := make([]string, len(j.Reasons))
		for i, r := range j.Reasons {
			changes[i] = fmt.Sprintf("%s: %s → %s", r.Attribute, strings.Join(r.Before, ", "), strings.Join(r.After, ", "))
		}
		cause := ""
		if j.Fault != nil {
			cause = j.Fault.Cause
		}
		return []string{fmt.Sprint(j.ID), j.System, j.Class, j.Person, j.Display, j.State, j.Outcome, j.Text, strings.Join(changes, "; "), cause, stamp(j.Made), stamp(j.Ended)}
	}, "job", "system", "class", "person", "name", "state", "outcome", "what", "changes", "cause", "made", "ended"), nil
}

func (s *Server) jobSlice(ctx context.Context, q JobFilter, before int64) (out []client.JobChange, err error) {
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		f, err := q.filter(tx, who, before)
		if err != nil {
			return err
		}
		rows, err := tx.ListJobs(who.tenant, f, exportSlice)
		if err != nil {
			return err
		}
		list, err := jobsOf(tx, who.tenant, rows)
		for i, j := range list {
			out = append(out, client.JobChange{Job: j, Reasons: reasonsOf(rows[i])})
		}
		return err
	})
	return out, err
}

type exportPeopleInput struct {
	Format
	Attributes []string `query:"attributes" doc:"Only these attributes, such as department; all in JSON, none in CSV, if left out"`
}

func (s *Server) exportPeople(ctx context.Context, in *exportPeopleInput) (*huma.StreamResponse, error) {
	slice := func(after string) (list []client.PersonRow, err error) {
		err = s.read(ctx, func(tx *store.Tx, who caller) error {
			rows, err := tx.PeopleFrom(who.tenant, after, exportSlice)
			if err != nil {
				return err
			}
			lines, err := s.lines(tx, who.tenant, rows)
			for i, l := range lines {
				p := client.PersonRow{PersonLine: l, Folded: rows[i].Key, Attributes: map[string]any{}}
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
			return err
		})
		return list, err
	}
	first, err := slice("")
	if err != nil {
		return nil, err
	}
	next := func(last client.PersonRow) ([]client.PersonRow, error) { return slice(last.Folded) }
	return stream(s, in.Format.Format, "people", first, next, func(p client.PersonRow) []string {
		row := []string{p.Key, p.Display, p.Life, stamp(p.Changed), strings.Join(p.Accounts, " ")}
		for _, path := range in.Attributes {
			row = append(row, text(p.Attributes[path]))
		}
		return row
	}, append([]string{"key", "name", "life", "changed", "accounts"}, in.Attributes...)...), nil
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

// stream writes rows slice by slice until there are no more. What goes wrong
// after the first slice ends it in the middle: the connection is cut, so that
// nobody takes a part for the whole.
func stream[T any](s *Server, format, name string, first []T, next func(last T) ([]T, error), row func(T) []string, columns ...string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		kind := map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}[format]
		ctx.SetHeader("Content-Type", kind)
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="drawbridge-%s-%s.%s"`, name, time.Now().UTC().Format("20060102"), format))
		write := rowsTo(ctx.BodyWriter(), format, row, columns)
		for list := first; ; {
			err := write(list)
			if err == nil && len(list) == exportSlice {
				list, err = next(list[len(list)-1])
			} else if err == nil {
				return
			}
			if err != nil {
				s.Log.WarnContext(ctx.Context(), "Export not finished", "what", name, "err", err)
				panic(http.ErrAbortHandler)
			}
		}
	}}
}

// rowsTo gives what writes rows.
func rowsTo[T any](to io.Writer, format string, row func(T) []string, columns []string) func([]T) error {
	if format == "jsonl" {
		out := json.NewEncoder(to)
		return func(list []T) error {
			for _, v := range list {
				if err := out.Encode(v); err != nil {
					return err
				}
			}
			return nil
		}
	}
	out := csv.NewWriter(to)
	_ = out.Write(columns) // Flush gives its error
	return func(list []T) error {
		for _, v := range list {
			cells := row(v)
			for i := range cells {
				cells[i] = plainCell(cells[i])
			}
			_ = out.Write(cells)
		}
		out.Flush()
		return out.Error()
	}
}

// plainCell keeps a spreadsheet from taking what others wrote for a formula.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
