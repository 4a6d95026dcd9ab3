package plan

import (
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A Foresight says what would be done for people if other documents were in
// force, by the code that plans for real people. It stores nothing, reserves
// names in memory only, and is for one goroutine, within one transaction, which
// need only read.
type Foresight struct {
	At time.Time // instant to plan for; when the transaction began unless it is set
	// Turned tells which accounts become mirrors with the last configuration, because a document
	// begins to go both ways; nil: none.
	Turned func(store.Account) bool

	tx     *store.Tx
	tenant string
	sides  []*side
}

// A side is one configuration that people are planned under.
type side struct {
	planner  *Planner // of groups alone
	targets  []target
	sources  sources
	names    map[string]*names  // by system: what was reserved for earlier people
	reserved map[nameKey]string // the same in whatever system
}

// Foresee makes a foresight over several configurations, which are compared.
func Foresee(tx *store.Tx, tenant string, configurations ...[]*mapping.System) *Foresight {
	f := &Foresight{At: tx.Now.Time(), tx: tx, tenant: tenant}
	for _, systems := range configurations {
		s := &side{planner: &Planner{groups: newGroupCache()}, sources: sources{}, names: map[string]*names{}, reserved: map[nameKey]string{}}
		for _, system := range systems {
			s.sources.add(system)
			row := store.System{Tenant: tenant, Name: system.Name, Site: system.Site, Connector: system.Connector}
			s.targets = append(s.targets, targetsOf(row, system)...)
		}
		f.sides = append(f.sides, s)
	}
	return f
}

// A Subject is somebody to be planned: the person as each configuration has
// them; nil where they are nobody under it.
type Subject struct {
	ID      string
	Kind    string // of the person's row: people, or groups
	As      []*directory.Person
	Systems []string // to look at; nil: all
	// Known: whether they have a source is said by As; else it is looked up.
	Known bool
	// Past has them planned as they were, of which nothing is looked up but names, groups and whom they refer to.
	Past *Past
}

// A Seen is what would be done for a person in a system.
type Seen struct {
	reconcile.Output
	Account *store.Account // as it is now, or is found by its match; nil: none
	// InGroup tells whether the account is in the group with the name; nil without an account.
	InGroup func(name string) bool
}

// People plans subjects, and gives for each in turn, for each configuration in
// turn, what would be done by system.
func (f *Foresight) People(subjects []Subject) ([][]map[string]Seen, error) {
	out := make([][]map[string]Seen, len(subjects))
	for i := range out {
		out[i] = make([]map[string]Seen, len(f.sides))
	}
	for n, s := range f.sides {
		b := &batch{tx: f.tx, planner: s.planner, tenant: f.tenant, byID: map[string]*person{}, targets: s.targets, sources: s.sources}
		if n == len(f.sides)-1 {
			b.turns = f.Turned
		}
		var ids []string
		for _, subject := range subjects {
			if subject.As[n] == nil {
				continue
			}
			p := &person{row: store.Person{Tenant: f.tenant, ID: subject.ID, Key: subject.As[n].Key, Kind: subject.Kind}, person: *subject.As[n]}
			ids = append(ids, subject.ID)
			b.people, b.byID[subject.ID] = append(b.people, p), p
		}
		if err := b.loadBelongings(ids); err != nil {
			return nil, err
		}
		for i, subject := range subjects {
			if p := b.byID[subject.ID]; p != nil {
				if subject.Past != nil {
					p.past, p.accounts, p.jobs, p.problems, p.refused, p.lets, p.outside = subject.Past, subject.Past.accounts, nil, nil, nil, nil, nil
				}
				p.person.HasSource = p.person.HasSource && !subject.Known || subject.Known && subject.As[n].HasSource
				out[i][n] = map[string]Seen{}
			}
		}
		for _, t := range s.targets {
			if err := f.target(b, s, t, subjects, out, n); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// target plans the subjects in one target.
func (f *Foresight) target(b *batch, s *side, t target, subjects []Subject, out [][]map[string]Seen, n int) error {
	candidates, err := b.candidates(t)
	if err != nil {
		return err
	}
	ledger := s.names[t.row.Name]
	if ledger == nil {
		ledger = newNames(b, t)
		s.names[t.row.Name] = ledger
	}
	ledger.batch, b.reserved = b, s.reserved
	refs := &refs{batch: b, target: t}
	for i, subject := range subjects {
		p := b.byID[subject.ID]
		if p == nil || out[i][n] == nil || !t.of(p) || subject.Systems != nil && !slices.Contains(subject.Systems, t.row.Name) {
			continue
		}
		in := b.input(t, p, refs)
		in.Names, in.Now = ledger.of(p, ""), f.At
		seen := Seen{Account: p.account(t)}
		if seen.Account != nil {
			account := accountOf(*seen.Account)
			account.Granted = p.granted(t.row.Name)
			account.Added = p.added[accountKey(seen.Account.System, seen.Account.ID)]
			in.Account, in.Home, in.Names = &account, t.home(*seen.Account), ledger.of(p, seen.Account.ID)
		} else if in.Candidates = candidates[p.row.ID]; len(in.Candidates) == 1 {
			c := in.Candidates[0]
			seen.Account = &store.Account{Tenant: f.tenant, System: t.row.Name, ID: c.ID, Class: t.system.Target.Class, Address: c.Address, Object: c.Object}
		}
		if seen.Account != nil {
			seen.InGroup = memberships(*seen.Account, t, refs)
		}
		seen.Output = reconcile.Plan(in)
		if err := firstError(refs.err, ledger.err); err != nil {
			return err
		}
		out[i][n][t.row.Name] = seen
	}
	return nil
}

// memberships tells in which groups an account is, as its object says.
func memberships(a store.Account, t target, refs *refs) func(string) bool {
	return func(name string) bool {
		var object mapping.Object
		if object.Read(a.Object) != nil {
			return false
		}
		in, _ := object.Get(t.system.Target.MemberOf)
		id := refs.Group(name)
		return id != "" && slices.Contains(in, id)
	}
}
