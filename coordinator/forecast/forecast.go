// Package forecast says what system documents would change before they are
// stored: for everybody, in numbers with examples, and for one person, rule by
// rule. It stores nothing; it needs no more than a transaction that reads, so
// that whoever plans meanwhile is not in its way.
//
//	documents ─► records of changed sources, evaluated anew ─► people as they would be
//	                                                                │ people as they are
//	             plan.Foresee: present configuration, new one ◄─────┘
//	                                │ for each person and target, both
//	             what differs ─► counted by class and attribute
//
// A person and target that neither the documents nor the person's attributes
// touch is not looked at: both configurations want the same there.
//
// What it cannot tell it says: a system that was never read, attributes that no
// document named before, and what follows the first steps (groups of an account
// that is yet to be made).
package forecast

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// page is how many people are looked at together.
const page = 1000

// A Forecaster compares documents with what is in force in a transaction.
type Forecaster struct {
	tx      *store.Tx
	tenant  string
	present map[string]*mapping.System
	next    map[string]*mapping.System
	rows    map[string]store.System
	changed []string // names of documents that are new or another, ascending
	targets []string // of changed: those whose target wants something else
	sources []string // of changed: those whose source says something else
}

// New compares documents with the systems in force. compile gives the compiled
// document of a row.
func New(tx *store.Tx, tenant string, compile func(store.System) (*mapping.System, error), documents []*mapping.System) (*Forecaster, error) {
	f := &Forecaster{tx: tx, tenant: tenant, present: map[string]*mapping.System{}, next: map[string]*mapping.System{}, rows: map[string]store.System{}}
	rows, err := tx.Systems(tenant)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		f.rows[row.Name] = row
		if system, err := compile(row); err == nil { // else it does nothing, and is shown as such
			f.present[row.Name], f.next[row.Name] = system, system
		}
	}
	for _, d := range documents {
		row := f.rows[d.Name]
		if strings.TrimSpace(row.Document) == strings.TrimSpace(d.Document) {
			continue
		}
		var schema connectorv1.SchemaResponse
		if len(row.Schema) > 0 && row.Connector == d.Connector && proto.Unmarshal(row.Schema, &schema) == nil {
			d = d.WithSchema(&schema)
		}
		f.next[d.Name] = d
		f.changed = append(f.changed, d.Name)
		before := f.present[d.Name]
		if before == nil {
			before = &mapping.System{}
		}
		if !mapping.SameSource(before, d) {
			f.sources = append(f.sources, d.Name)
		}
		if !mapping.SameTarget(before, d) {
			f.targets = append(f.targets, d.Name)
		}
	}
	slices.Sort(f.changed)
	return f, nil
}

// Everybody counts what would change for all people. The caller adds to it what
// becomes of the documents themselves.
func (f *Forecaster) Everybody(ctx context.Context) (client.Forecast, error) {
	t := newTally(f)
	if len(f.sources) > 0 || len(f.targets) > 0 {
		w := &walk{Forecaster: f, tally: t, foresight: f.foresee(list(f.present), list(f.next))}
		if err := w.everybody(ctx); err != nil {
			return client.Forecast{}, err
		}
	}
	return t.result(), nil
}

// foresee makes a foresight over configurations, the last of which is the new one.
func (f *Forecaster) foresee(configurations ...[]*mapping.System) *plan.Foresight {
	foresight := plan.Foresee(f.tx, f.tenant, configurations...)
	foresight.Turned = f.mirror // in the transaction that applies the documents
	return foresight
}

// Systems gives all documents as they would be in force.
func (f *Forecaster) Systems() []*mapping.System { return list(f.next) }

// known tells whether anything of a system was read.
func (f *Forecaster) known(name string) bool {
	return f.rows[name].ReadAs != 0 || f.rows[name].Evaluated != 0
}

func list(systems map[string]*mapping.System) []*mapping.System {
	var all []*mapping.System
	for _, s := range systems {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *mapping.System) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// A walk goes over everybody.
type walk struct {
	*Forecaster
	tally     *tally
	foresight *plan.Foresight
	moves     *moves // of records between people; nil where no source changes
	groups    groups // that rules make
	elsewhere int    // records that might be somebody else's, where that is not looked at
}

func (w *walk) everybody(ctx context.Context) error {
	if len(w.sources) > 0 {
		w.moves = newMoves(w.Forecaster, w.tally)
		for _, name := range w.sources {
			if err := w.moves.source(ctx, name); err != nil {
				return err
			}
		}
	}
	for last, more := "", true; more; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		rows, err := w.tx.PeopleAfter(w.tenant, last, page)
		if err != nil {
			return err
		}
		if more = len(rows) == page; len(rows) > 0 {
			last = rows[len(rows)-1].ID
		}
		if err := w.people(rows); err != nil {
			return err
		}
	}
	if err := w.newcomers(); err != nil {
		return err
	}
	w.tally.grouped = w.groups.grouped || len(w.groups.moves) > 0
	return w.made()
}

// people looks at people who are there.
func (w *walk) people(rows []store.Person) error {
	w.tally.out.People += len(rows)
	if err := w.groups.load(w.tx, w.tenant, rows); err != nil {
		return err
	}
	var records map[string][]store.Account
	if w.moves != nil {
		var err error
		if records, err = w.moves.records(rows); err != nil {
			return err
		}
	}
	var subjects []plan.Subject
	shown := map[string]store.Person{}
	for _, row := range rows {
		was := &directory.Person{ID: row.ID, Key: row.Key, Changed: row.Changed.Time()}
		var err error
		if was.Attributes, err = directory.ParseAttributes(row.Attributes); err != nil {
			return err
		}
		subject := plan.Subject{ID: row.ID, Kind: row.Kind, As: []*directory.Person{was, was}, Systems: w.targets}
		if w.moves != nil {
			is := *was
			was.HasSource, is.HasSource = w.moves.sourced(records[row.ID], row.ID)
			if w.groups.alive[row.Key] {
				was.HasSource, is.HasSource = true, true
			}
			subject.Known = true
			w.moves.anew(row, records[row.ID], &is, w.tx.Now.Time())
			if w.tally.directory(row, *was, is) {
				subject.Systems = nil // whatever reads it
			}
			subject.As[1] = &is
		}
		if subject.Systems != nil && len(subject.Systems) == 0 {
			continue
		}
		subjects = append(subjects, subject)
		shown[row.ID] = row
	}
	return w.plan(subjects, shown)
}

// newcomers looks at those who would be made.
func (w *walk) newcomers() error {
	if w.moves == nil {
		return nil
	}
	fresh := w.moves.made()
	for len(fresh) > 0 {
		some := fresh[:min(page, len(fresh))]
		fresh = fresh[len(some):]
		var subjects []plan.Subject
		shown := map[string]store.Person{}
		for _, p := range some {
			w.tally.made(p.Person)
			subjects = append(subjects, plan.Subject{ID: p.ID, Kind: p.kind, As: []*directory.Person{nil, &p.Person}, Known: true})
			shown[p.ID] = store.Person{ID: p.ID, Key: p.Key, Display: p.Display()}
		}
		if err := w.plan(subjects, shown); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) plan(subjects []plan.Subject, shown map[string]store.Person) error {
	seen, err := w.foresight.People(subjects)
	if err != nil {
		return err
	}
	for i, subject := range subjects {
		for _, system := range list(w.next) {
			if is, ok := seen[i][1][system.Name]; ok {
				w.tally.target(system, shown[subject.ID], seen[i][0][system.Name], is)
				w.groups.note(system.Name, seen[i][0][system.Name], is)
			}
		}
	}
	return nil
}
