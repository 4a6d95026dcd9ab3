package api

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// logPause is how long a log that is followed is not looked at again: while much happens it is told together.
	logPause = 100 * time.Millisecond
	// logAlive is how often a log is looked at, and something sent, when nothing is known to have happened.
	logAlive = 15 * time.Second
	logSlice = 500
)

func (s *Server) log(doc huma.API) {
	route(doc, "GET", "/v1/log", "list-log", "Entries of the provisioning log, the latest first", access.Viewer, s.listLog)
	sse.Register(doc, access.Operation(access.Viewer, huma.Operation{OperationID: "follow-log", Method: "GET", Path: "/v1/log/events",
		Summary: "Follow the provisioning log"}), map[string]any{"entry": client.Entry{}}, s.followLog)
}

// LogQuery says which entries are wanted. It is exported for the same reason as SystemPath.
type LogQuery struct {
	System string `query:"system" doc:"Only of this system"`
	Kind   string `query:"kind" doc:"Only of this kind" example:"written"`
	Person string `query:"person" doc:"Only of the person with this key"`
}

// LogFilter says more closely which entries are wanted.
type LogFilter struct {
	LogQuery
	Job   int64     `query:"job" minimum:"0" doc:"Only about this job"`
	Text  string    `query:"q" maxLength:"200" doc:"Only whose text holds this"`
	Since time.Time `query:"since" doc:"Not before this instant"`
	Until time.Time `query:"until" doc:"Before this instant"`
}

type listLogInput struct {
	LogFilter
	Page
}

type followInput struct {
	LogQuery
	After int64 `query:"after" minimum:"0" doc:"Only with a higher number"`
	Last  int64 `header:"Last-Event-ID" minimum:"0" doc:"The same, as browsers say it when they come again"`
}

func (s *Server) listLog(ctx context.Context, in *listLogInput) (*items[client.Entry], error) {
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	var list []client.Entry
	next := int64(0)
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		f, err := in.filter(tx, who, before)
		if err != nil {
			return err
		}
		rows, more, err := tx.PageHistory(who.tenant, f, in.Limit)
		if next = more; err != nil {
			return err
		}
		list, err = entriesOf(tx, who.tenant, rows)
		return err
	})
	return numbered(list, next), err
}

func (q LogFilter) filter(tx *store.Tx, who caller, before int64) (store.LogFilter, error) {
	f := store.LogFilter{System: q.System, Kind: q.Kind, Job: q.Job, Text: q.Text, Before: before}
	if !q.Since.IsZero() {
		f.Since = store.InstantOf(q.Since)
	}
	if !q.Until.IsZero() {
		f.Until = store.InstantOf(q.Until)
	}
	if q.Person != "" {
		p, err := personRow(tx, who, q.Person)
		f.Person = p.ID
		return f, err
	}
	return f, nil
}

// followLog sends entries until the one who asked hangs up.
func (s *Server) followLog(ctx context.Context, in *followInput, send sse.Sender) {
	watch := s.Store.Watch(callerOf(ctx).tenant)
	defer watch.Close()
	after := max(in.After, in.Last)
	look := time.NewTicker(logAlive)
	defer look.Stop()
	for {
		list, last, err := s.entriesAfter(ctx, in.LogQuery, after)
		if err != nil {
			return // the stream ends: the one who follows asks again, and is refused if need be
		}
		for _, e := range list {
			if send(sse.Message{ID: int(e.Seq), Data: e}) != nil {
				return
			}
		}
		if last > after {
			after = last
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.departed():
			return
		case <-watch.Changed:
			watch.Take()
			if !s.rest(ctx, logPause) {
				return
			}
		case <-look.C: // also sent when nothing happens, so that proxies keep the connection
			if send.Data(client.Entry{}) != nil {
				return
			}
		}
	}
}

// entriesAfter gives the next entries that match, and the number up to which was looked.
func (s *Server) entriesAfter(ctx context.Context, q LogQuery, after int64) (list []client.Entry, last int64, err error) {
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		person := ""
		if q.Person != "" {
			p, err := personRow(tx, who, q.Person)
			if err != nil {
				return err
			}
			person = p.ID
		}
		rows, err := tx.HistoryAfter(who.tenant, after, logSlice)
		if err != nil || len(rows) == 0 {
			return err
		}
		last = rows[len(rows)-1].Seq
		rows = slices.DeleteFunc(rows, func(h store.History) bool {
			return q.System != "" && h.System != q.System || q.Kind != "" && h.Kind != q.Kind || person != "" && h.Person != person
		})
		list, err = entriesOf(tx, who.tenant, rows)
		return err
	})
	return list, last, err
}

func entriesOf(tx *store.Tx, tenant string, rows []store.History) ([]client.Entry, error) {
	ids := make([]string, 0, len(rows))
	for _, h := range rows {
		ids = append(ids, h.Person)
	}
	people, err := peopleByID(tx, tenant, ids)
	if err != nil {
		return nil, err
	}
	list := make([]client.Entry, len(rows))
	for i, h := range rows {
		list[i] = client.Entry{Seq: h.Seq, At: h.At.Time(), Kind: h.Kind, System: h.System, Person: h.Person, Account: h.Account, Job: h.Job, Text: h.Text}
		if p, ok := people[h.Person]; ok {
			list[i].Person = p.Shown()
		}
	}
	return list, nil
}
