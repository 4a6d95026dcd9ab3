package forecast

import (
	"maps"
	"slices"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Groups that rules make come and go with their members: who would be in one,
// and is not now, and the other way round, is noted while people are looked at.
// A group that nobody is in yet would be made; one that nobody would be in any
// more would be as one that has left.

// groups are those that rules make.
type groups struct {
	alive   map[string]bool // of the rows looked at: somebody is in it by a rule
	moves   map[string]*moving
	grouped bool // there are groups among those looked at
}

// A moving is what becomes of the members of one group.
type moving struct {
	system     string
	made       reconcile.Made
	come, left int
}

// load reads which groups among the rows somebody is in by a rule.
func (g *groups) load(tx *store.Tx, tenant string, rows []store.Person) (err error) {
	g.alive, err = tx.MadeAmong(tenant, rows)
	g.grouped = g.grouped || g.alive != nil
	return err
}

// note takes which groups somebody is in by rules of a system, now and then.
func (g *groups) note(system string, was, is plan.Seen) {
	if was.Unmade || is.Unmade {
		return // they stay in those that they are in
	}
	in := func(s plan.Seen, key string) bool {
		return slices.ContainsFunc(s.Made, func(m reconcile.Made) bool { return directory.Fold(m.Key) == key })
	}
	of := func(m reconcile.Made) *moving {
		key := directory.Fold(m.Key)
		if g.moves == nil {
			g.moves = map[string]*moving{}
		}
		if g.moves[key] == nil {
			g.moves[key] = &moving{system: system, made: m}
		}
		return g.moves[key]
	}
	for _, m := range is.Made {
		if !in(was, directory.Fold(m.Key)) {
			of(m).come++
		}
	}
	for _, m := range was.Made {
		if !in(is, directory.Fold(m.Key)) {
			of(m).left++
		}
	}
}

// made looks at the groups that would get their first member, and at those that would lose their last.
func (w *walk) made() error {
	keys := slices.Sorted(maps.Keys(w.groups.moves))
	rows, err := w.tx.PeopleByKey(w.tenant, keys)
	if err != nil {
		return err
	}
	known := make(map[string]store.Person, len(rows))
	for _, row := range rows {
		known[row.Key] = row
	}
	var subjects []plan.Subject
	shown := map[string]store.Person{}
	for _, key := range keys {
		m := w.groups.moves[key]
		row, there := known[key]
		members, err := w.tx.CountMade(w.tenant, key)
		if err != nil {
			return err
		}
		lives := members+m.come-m.left > 0
		if lives == (members > 0) {
			continue
		}
		p := directory.Person{ID: fresher + key, Key: key, Changed: w.tx.Now.Time()}
		p.Attributes.Set("displayName", m.made.Display)
		if there {
			p.ID, p.Changed = row.ID, row.Changed.Time()
			if p.Attributes, err = directory.ParseAttributes(row.Attributes); err != nil {
				return err
			}
		}
		was, is := p, p
		was.HasSource, is.HasSource = members > 0, lives
		subject := plan.Subject{ID: p.ID, Kind: store.KindGroup, As: []*directory.Person{&was, &is}, Known: true, Systems: []string{m.system}}
		if !there {
			subject.As[0] = nil
			w.tally.made(p)
		}
		subjects = append(subjects, subject)
		shown[p.ID] = store.Person{ID: p.ID, Key: key, Display: p.Display()}
	}
	return w.plan(subjects, shown)
}
