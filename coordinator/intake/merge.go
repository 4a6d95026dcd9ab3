package intake

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// A record is one source's word about a person.
type record struct {
	system     string
	id         string
	key        string // as the source spells it
	source     *mapping.Source
	attributes directory.Attributes
}

// The state of a record's employment at an instant, the one that counts most first.
const (
	present = iota
	ahead
	past
)

// state tells where in its employment a record is.
func (r record) state(now time.Time) int {
	best := past
	for _, s := range directory.Spans(r.attributes, now) {
		switch {
		case !s.End.IsZero() && !now.Before(s.End):
		case now.Before(s.Start):
			best = min(best, ahead)
		default:
			return present
		}
	}
	return best
}

// ranked puts records in the order in which they count: those that make people
// before those that only add, and among these the employment of now before one
// ahead before one that is past; then by precedence, the system's name, and of
// several in one system the latest start.
func ranked(records []record, now time.Time) []record {
	records = slices.Clone(records)
	states := make(map[[2]string]int, len(records))
	for _, r := range records {
		states[[2]string{r.system, r.id}] = r.rank(now)
	}
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(
			cmp.Compare(states[[2]string{a.system, a.id}], states[[2]string{b.system, b.id}]),
			cmp.Compare(a.source.Precedence, b.source.Precedence),
			strings.Compare(a.system, b.system),
			b.attributes.Time("startDate").Compare(a.attributes.Time("startDate")),
			strings.Compare(a.id, b.id))
	})
	return records
}

func (r record) rank(now time.Time) int {
	if r.source.Joins {
		return past + 1
	}
	return r.state(now)
}

// merge gives the attributes that a person's records tell together, and the
// record that leads. Each attribute is from the record of the lowest precedence
// for it that knows it; a record that is not of the employment of now, where
// there is one, comes behind. Somebody is employed while any record says so.
func merge(records []record, now time.Time) (directory.Attributes, record) {
	records = ranked(records, now)
	lead := records[0]
	if len(records) == 1 {
		return lead.attributes, lead
	}
	var all directory.Attributes
	for _, r := range records {
		for path := range r.attributes.All() {
			if _, known := all.Get(path); !known {
				value, _ := said(records, path, now)[0].attributes.Get(path)
				all.Set(path, value)
			}
		}
	}
	gather(&all, records, now)
	employed(&all, records, now)
	return all, lead
}

// inGroups is the attribute that tells of a person's groups.
const inGroups = "memberOf"

// gather takes the groups of all records that count as the leading one does: to
// be in a group by one source is not to be in none by another.
func gather(all *directory.Attributes, records []record, now time.Time) {
	if _, known := all.Get(inGroups); !known {
		return
	}
	var groups []string
	for _, r := range records {
		v, _ := r.attributes.Get(inGroups)
		list, _ := v.([]string)
		if r.source.Joins || r.rank(now) == records[0].rank(now) {
			groups = append(groups, list...)
		}
	}
	slices.Sort(groups)
	all.Set(inGroups, slices.Compact(groups))
}

// said gives the records that know an attribute, the one that counts first.
func said(ranked []record, path string, now time.Time) []record {
	var list []record
	for _, r := range ranked {
		if _, known := r.attributes.Get(path); known {
			list = append(list, r)
		}
	}
	later := func(r record) int { // what only adds is of every employment
		if s := r.rank(now); !r.source.Joins {
			return s - min(ranked[0].rank(now), past)
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b record) int {
		return cmp.Or(cmp.Compare(later(a), later(b)), cmp.Compare(a.source.Weight(path), b.source.Weight(path)))
	})
	return list
}

// employed sets what several employments come to.
func employed(all *directory.Attributes, records []record, now time.Time) {
	var spans []directory.Span
	makers := 0
	for _, r := range records {
		if !r.source.Joins {
			makers++
			spans = append(spans, directory.Spans(r.attributes, now)...)
		}
	}
	if makers < 2 {
		return
	}
	all.Set(directory.Employments, directory.SpansText(spans))
	if len(spans) == 0 {
		return // all are inactive
	}
	start, end := directory.Tenured(directory.Joined(spans), now)
	for path, at := range map[string]time.Time{"startDate": start, "endDate": end} {
		if _, known := all.Get(path); known {
			all.Set(path, at)
		}
	}
	if _, known := all.Get("active"); known {
		all.Set("active", true)
	}
}
