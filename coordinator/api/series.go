package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) series(doc huma.API) {
	route(doc, "GET", "/v1/series/changes", "get-changes", "How many changes there were, over time", access.Viewer, s.getChanges)
	route(doc, "GET", "/v1/series/delay", "get-delay", "How long changes took from a source to the directory, over time", access.Viewer, s.getDelay)
}

type seriesQuery struct {
	Span   string `query:"span" enum:"hour,day,week,month,year" default:"day" doc:"How far back: spans of 5 minutes for an hour or a day, of an hour for a week, of a day beyond"`
	System string `query:"system" doc:"Only changes of this system"`
}

var reach = map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 31 * 24 * time.Hour, "year": 366 * 24 * time.Hour}

// spans reads what was counted, and gives the width of the spans and when the first and the last begin.
func (s *Server) spans(ctx context.Context, in *seriesQuery) (rows []store.Tally, width time.Duration, first, last time.Time, err error) {
	width = store.SpanFor(reach[in.Span])
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		last = tx.Now.Time().Truncate(width)
		first = last.Add(width - reach[in.Span])
		rows, err = tx.Tallies(who.tenant, width, store.InstantOf(first))
		return err
	})
	if in.System != "" {
		rows = slices.DeleteFunc(rows, func(t store.Tally) bool { return t.System != in.System })
	}
	return rows, width, first, last, err
}

func (s *Server) getChanges(ctx context.Context, in *seriesQuery) (*body[client.Changes], error) {
	rows, width, first, last, err := s.spans(ctx, in)
	if err != nil {
		return nil, err
	}
	counts := map[int64]map[string]int64{}
	for _, r := range rows {
		class, outcome, ok := strings.Cut(r.Name, " ")
		if !ok || class == "lag" {
			continue
		}
		if outcome != store.JobDone {
			class = outcome
		}
		at := r.At.Time().Unix()
		if counts[at] == nil {
			counts[at] = map[string]int64{}
		}
		counts[at][class] += r.N
	}
	out := client.Changes{Width: int64(width / time.Second), Spans: []client.ChangeSpan{}}
	for at := first; !at.After(last); at = at.Add(width) {
		span := client.ChangeSpan{At: at, Counts: []client.NamedCount{}}
		for name, n := range counts[at.Unix()] {
			span.Counts = append(span.Counts, client.NamedCount{Name: name, N: n})
		}
		slices.SortFunc(span.Counts, func(a, b client.NamedCount) int { return cmp.Compare(a.Name, b.Name) })
		out.Spans = append(out.Spans, span)
	}
	return answer(out), nil
}

func (s *Server) getDelay(ctx context.Context, in *seriesQuery) (*body[client.Delays], error) {
	rows, width, _, _, err := s.spans(ctx, in)
	if err != nil {
		return nil, err
	}
	out := client.Delays{Width: int64(width / time.Second), Spans: []client.DelaySpan{}}
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].At == rows[0].At {
			n++
		}
		if d := delay(rows[:n]); d.N > 0 {
			out.Spans = append(out.Spans, client.DelaySpan{At: rows[0].At.Time(), Delay: d})
		}
		rows = rows[n:]
	}
	return answer(out), nil
}
