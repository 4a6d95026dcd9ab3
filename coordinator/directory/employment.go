package directory

import (
	"slices"
	"strings"
	"time"
)

// A Span is an employment: from Start, since ever where it is zero, until End,
// until further notice where it is zero.
type Span struct{ Start, End time.Time }

// Spans gives the employments that one record tells of: two where its end
// precedes its start, since that is the end of an earlier one, and none where
// the record is inactive and not ahead.
func Spans(record Attributes, now time.Time) []Span {
	t := Person{Attributes: record, HasSource: true}.TenureAt(now)
	var spans []Span
	if !t.Earlier.IsZero() {
		spans = append(spans, Span{End: t.Earlier})
	}
	if !t.Ended {
		spans = append(spans, Span{t.Start, t.End})
	}
	return spans
}

// Joined gives spans in the order of their starts, those that overlap or touch
// made into one.
func Joined(spans []Span) []Span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var all []Span
	for _, s := range spans {
		if n := len(all); n > 0 && (all[n-1].End.IsZero() || !s.Start.After(all[n-1].End)) {
			if s.End.IsZero() || !all[n-1].End.IsZero() && s.End.After(all[n-1].End) {
				all[n-1].End = s.End
			}
			continue
		}
		all = append(all, s)
	}
	return all
}

// Tenured gives the start and end that stand for joined spans at an instant:
// those of the span that holds it; between two, the end of the one and the
// start of the next, which is how somebody who comes back is told of; else of
// the one that is next, or was last.
func Tenured(spans []Span, now time.Time) (start, end time.Time) {
	for i, s := range spans {
		if !s.End.IsZero() && !now.Before(s.End) {
			continue
		}
		if now.Before(s.Start) && i > 0 {
			return s.Start, spans[i-1].End
		}
		return s.Start, s.End
	}
	last := spans[len(spans)-1]
	return last.Start, last.End
}

// Employments is the attribute that lists the spans of people of several
// records, as start/end.
const Employments = "employments"

// SpansText gives spans as they stand in the attribute [Employments].
func SpansText(spans []Span) []string {
	text := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	list := make([]string, len(spans))
	for i, s := range spans {
		list[i] = text(s.Start) + "/" + text(s.End)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Turns gives the instants at which one of a person's several employments
// begins or ends, in ascending order: what the records together say of the
// person may be another then.
func (a Attributes) Turns() []time.Time {
	v, _ := a.Get(Employments)
	list, _ := v.([]string)
	var turns []time.Time
	for _, s := range list {
		start, end, _ := strings.Cut(s, "/")
		for _, text := range []string{start, end} {
			if t, err := time.Parse(time.RFC3339, text); err == nil {
				turns = append(turns, t)
			}
		}
	}
	slices.SortFunc(turns, time.Time.Compare)
	return slices.CompactFunc(turns, time.Time.Equal)
}
