// Package intake takes what reads found into the store: it keeps the accounts,
// makes people of a source's records, finds whose account a target's object
// is, and decides whether a read is believed. It also takes the objects that
// writes return (for coordinator/jobs). What follows from it for a person is
// plan's.
//
//	batch ─► accounts            an unchanged object is no write
//	          │ of a source      new: person by key, made if new; attributes; due
//	          │                  known before, and changed: only staged
//	          │ of a target      match value, names; its person, or who has that key, due
//	          └ gone             only marked missing
//	end of the read ─► gate ─► believed: the missing are gone, the staged taken, their people due
//	                       └─► held, what broke the gate alone: a person believes or discards it
//
// All of a batch is one transaction, its caller's. What may go wrong:
//
//	a record that the mapping cannot take   set aside as a reject that stays until the record changes;
//	                                        the person keeps what they had
//	a batch of a system that is no more     let pass
//	a read that did not come to its end     nothing of it is taken as gone; the cycle failed, the next is soon
//	a feed that lost too much               held; nobody loses anything
//	a column that is empty, gone, all the   what says so is held, the rest is taken; see sanity.go
//	same or written otherwise; an id that
//	is another person's now
//	more is staged than one transaction     it may pass: [Intake.Run] takes the rest, also after a restart
//	should hold
//	another document                        what is stored is evaluated anew, see [Intake.Run]
package intake

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// systems gives the compiled document of a row.
type systems interface {
	Get(store.System) (*mapping.System, error)
}

// An Intake is safe for concurrent use.
type Intake struct {
	Store   *store.Store
	Systems systems
	Log     *slog.Logger
	// Follow, where set, begins to follow a change of a record and gives the
	// traceparent of what follows; parent is that of the batch. Optional.
	Follow func(tenant, system string, cycle int64, parent string) string
}

// A Batch is what a read, or a write, found in one system.
type Batch struct {
	Tenant  string
	System  string
	Cycle   int64 // id of the read's job; 0 when it was a write, ByAgent when the agent has read by itself
	Records []*connectorv1.Record
	Rejects []*connectorv1.Reject
	Trace   string // traceparent (W3C) of what the batch is part of; may be empty
	// Owners gives the person whose account an object is, by native id, where a
	// write has made it so.
	Owners map[string]string
	// Writers gives of objects that writes returned whom was written for, by native
	// id: where that is not the account's person, they have not heard of it.
	Writers map[string]string
}

// A scope is a system as it takes a batch.
type scope struct {
	*Intake
	tx       *store.Tx
	tenant   string
	name     string
	cycle    int64
	trace    string
	followed int             // people of the batch
	system   *mapping.System // as it is seen for what is taken: groups, or mirrors
	whole    *mapping.System // as its document has it
	owners   map[string]string
	fresh    *[]string // what people are known by since now, while accounts are yet to be stored; see wake
	writers  map[string]string
	write    bool // the objects are what writes returned: who wrote knows when the person is due
}

// A change is an object that is new or not as it was.
type change struct {
	account store.Account  // as it shall be stored
	object  mapping.Object // of account
	old     *store.Account // nil when it is new
}

// ByAgent is the cycle of what an agent has read by itself while it was cut off:
// what it found gone waits for the gate of the next read.
const ByAgent = -1

// Take stores a batch. Taking it again changes nothing.
func (in *Intake) Take(tx *store.Tx, b Batch) error {
	s, err := in.scope(tx, b.Tenant, b.System)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	s.cycle, s.trace, s.owners, s.writers, s.write = b.Cycle, b.Trace, b.Owners, b.Writers, b.Cycle == 0
	if err := s.rejects(b.Rejects); err != nil {
		return err
	}
	if b.Cycle > 0 && len(b.Records) > 0 {
		if err := tx.CountCame(b.Tenant, b.System, b.Cycle, len(b.Records)); err != nil {
			return err
		}
	}
	latest := make(map[string]*connectorv1.Record, len(b.Records))
	ids := make([]string, 0, len(b.Records))
	for _, r := range b.Records {
		if latest[r.GetId()] == nil {
			ids = append(ids, r.GetId())
		}
		latest[r.GetId()] = r
	}
	known, err := s.byID(ids)
	if err != nil {
		return err
	}
	stages, err := s.stages()
	if err != nil {
		return err
	}
	var changes []*change
	var same, missing []string
	var staged []store.Staged
	for _, id := range ids {
		r, old := latest[id], known[id]
		switch {
		case r.GetDeleted():
			missing = append(missing, id)
		case old != nil && old.Gone == 0 && string(old.Object) == string(r.GetObject()) && (b.Owners[id] == "" || b.Owners[id] == old.Person):
			same = append(same, id)
		case stages && old != nil && old.Mirror == store.MirrorNone && strings.EqualFold(old.Class, s.system.Source.Class):
			staged = append(staged, store.Staged{Tenant: b.Tenant, System: b.System, ID: id, Cycle: max(b.Cycle, 0), Object: r.GetObject(), Trace: b.Trace})
		default:
			c, err := s.change(id, r.GetObject(), old)
			if err != nil {
				return err
			}
			if c != nil {
				changes = append(changes, c)
			}
		}
	}
	if err := s.stage(ids, staged); err != nil {
		return err
	}
	for _, row := range staged {
		same = append(same, row.ID) // as far as it is there
	}
	if len(same) > 0 && b.Cycle != 0 {
		if err := tx.MarkSeen(b.Tenant, b.System, b.Cycle, same); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		if _, err := tx.MarkMissing(b.Tenant, b.System, b.Cycle, missing); err != nil {
			return err
		}
	}
	return s.apply(changes)
}

func (in *Intake) scope(tx *store.Tx, tenant, name string) (*scope, error) {
	row, err := tx.System(tenant, name)
	if err != nil {
		return nil, err
	}
	system, err := in.Systems.Get(row)
	if err != nil { // it was checked when it was applied: another release has written it
		in.Log.Error("Stored document cannot be used", "tenant", tenant, "system", name, "err", err)
		system = &mapping.System{Name: name}
	}
	return &scope{Intake: in, tx: tx, tenant: tenant, name: name, system: system, whole: system}, nil
}

// change makes the account of an object, or nil, with a reject, where the bytes are no object.
func (s *scope) change(id string, message []byte, old *store.Account) (*change, error) {
	object, err := mapping.ReadObject(message)
	if err != nil {
		return nil, s.tx.PutRejects([]store.Reject{{
			Tenant: s.tenant, System: s.name, Place: "object " + id, Cycle: s.cycle, Object: id,
			Reason: "the connector sent an object that cannot be read: " + err.Error() + "; look for an update of the connector",
		}})
	}
	c := &change{object: object, old: old, account: store.Account{
		Tenant: s.tenant, System: s.name, ID: id, Class: object.Class, Address: object.Address,
		Object: message, Changed: s.tx.Now, Seen: s.cycle, Person: s.owners[id],
	}}
	if old != nil {
		c.account.Seen, c.account.Mirror = max(old.Seen, s.cycle), old.Mirror
		if c.account.Person == "" {
			c.account.Person = old.Person
		}
	}
	return c, nil
}

// apply stores changes with all that follows for people.
func (s *scope) apply(changes []*change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := s.distinguish(changes); err != nil {
		return err
	}
	var fresh []string
	s.fresh = &fresh
	for _, part := range s.parts(changes) {
		if part.system.Source != nil {
			if err := part.source(part.changes); err != nil {
				return err
			}
		}
		if part.system.Target != nil {
			if err := part.target(part.changes); err != nil {
				return err
			}
		}
	}
	if err := s.fill(changes); err != nil {
		return err
	}
	var added, known []store.Account
	for _, c := range changes {
		if c.old == nil {
			added = append(added, c.account)
		} else {
			known = append(known, c.account)
		}
	}
	if err := errors.Join(s.tx.PutAccounts(added), s.tx.SetAccounts(known)); err != nil {
		return err
	}
	s.fresh = nil
	return s.wake(fresh)
}

// mark makes people due because of what was read.
func (s *scope) mark(why string, people []string) error {
	if err := s.preview(people); err != nil {
		return err
	}
	return s.tx.MarkDueAs(store.Due{Tenant: s.tenant, At: s.tx.Now, Why: why, Cycle: max(s.cycle, 0), Trace: s.trace}, people)
}

func (s *scope) rejects(rejects []*connectorv1.Reject) error {
	rows := make([]store.Reject, len(rejects))
	for i, r := range rejects {
		rows[i] = store.Reject{Tenant: s.tenant, System: s.name, Place: r.GetPlace(), Cycle: s.cycle, Reason: r.GetReason(), Object: r.GetId()}
	}
	return s.tx.PutRejects(rows)
}

// atOnce is how many accounts are evaluated anew in one transaction.
const atOnce = 500

// walked is how many rows are looked at in one transaction.
const walked = 5000

// Run evaluates what is stored of a system anew whenever another document is
// applied, as far as it touches it (see edit.go), and takes what reads have staged once it may pass, until ctx ends,
// and returns its cause. It goes on after a restart.
func (in *Intake) Run(ctx context.Context) error {
	for {
		applied := in.Store.Systems.Next() // before looking: nothing in between is missed
		wait := time.Minute
		if err := errors.Join(in.Release(ctx), in.Evaluate(ctx), in.Touch(ctx)); err != nil && ctx.Err() == nil {
			in.Log.ErrorContext(ctx, "Evaluation stopped", "err", err)
			wait = 5 * time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-applied:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// theirSources is what a scope is called that is of no source alone.
const theirSources = "their sources"

// Anew makes people anew of their records as they are: of which employment
// what is said counts may be another with time, and an account that tells of
// its person may have become theirs.
func (in *Intake) Anew(tx *store.Tx, tenant string, people []string) error {
	if len(people) == 0 {
		return nil
	}
	s := in.regroup(tx, tenant)
	rows, err := tx.People(tenant, people)
	if err != nil {
		return err
	}
	drafts := make(map[string]*draft, len(rows))
	for _, row := range rows {
		drafts[row.ID] = &draft{row: row}
	}
	return s.settle(drafts, nil, nil)
}
