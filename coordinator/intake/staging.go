package intake

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// atEnd is how many staged records are taken in the transaction that ends the
// read; the rest follows in transactions of atOnce.
const atEnd = 2000

// stages tells whether the batch is of a read that is judged at its end before
// it is believed: one of a source. What tells of whose account it is is the
// account, too, and taken as it is.
func (s *scope) stages() (bool, error) {
	if s.cycle == 0 || s.system.Source == nil || s.system.Source.OfAccounts {
		return false, nil
	}
	if s.cycle == ByAgent {
		return true, s.tx.ReadSooner(s.tenant, s.name, s.tx.Now)
	}
	c, err := s.tx.Cycle(s.tenant, s.cycle)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return c.State == store.CycleReading, err
}

// stage keeps what a read said of records that were known before; what was
// staged of others of the batch is outdated by it.
func (s *scope) stage(ids []string, staged []store.Staged) error {
	if s.system.Source == nil {
		return nil
	}
	if err := s.tx.RemoveStaged(s.tenant, s.name, ids); err != nil {
		return err
	}
	return s.tx.PutStaged(staged)
}

// Release takes what reads have staged and may pass.
func (in *Intake) Release(ctx context.Context) error {
	var rows []store.System
	err := in.Store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.SystemsWithFreed()
		return err
	})
	for _, row := range rows {
		for more := err == nil; more && err == nil; {
			err = in.Store.Write(ctx, func(tx *store.Tx) error {
				s, err := in.scope(tx, row.Tenant, row.Name)
				if errors.Is(err, store.ErrNone) {
					more = false
					return nil
				}
				if err == nil {
					more, err = s.drainSome(atOnce)
				}
				return err
			})
		}
	}
	return err
}

// drain takes the first of what is staged and may pass; [Intake.Run] takes the rest.
func (s *scope) drain() error {
	for n, more := 0, true; more && n < atEnd; n += atOnce {
		var err error
		if more, err = s.drainSome(atOnce); err != nil {
			return err
		}
	}
	return nil
}

// drainSome takes up to limit of what is staged and may pass, as the batches of
// their cycles, and tells whether there may be more.
func (s *scope) drainSome(limit int) (more bool, err error) {
	rows, err := s.tx.FreedStaged(s.tenant, s.name, limit)
	if err != nil {
		return false, err
	}
	more = len(rows) == limit
	cycle, trace := s.cycle, s.trace
	defer func() { s.cycle, s.trace = cycle, trace }()
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Cycle == rows[0].Cycle {
			n++
		}
		s.cycle, s.trace = rows[0].Cycle, rows[0].Trace
		if err := s.takeStaged(rows[:n]); err != nil {
			return false, err
		}
		rows = rows[n:]
	}
	return more, nil
}

func (s *scope) takeStaged(rows []store.Staged) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	if err := s.tx.RemoveStaged(s.tenant, s.name, ids); err != nil {
		return err
	}
	known, err := s.byID(ids)
	if err != nil {
		return err
	}
	var changes []*change
	for _, r := range rows {
		c, err := s.change(r.ID, r.Object, known[r.ID])
		if err != nil {
			return err
		}
		if c != nil {
			changes = append(changes, c)
		}
	}
	return s.apply(changes)
}

// byID gives those that are there of the system's accounts with the ids.
func (s *scope) byID(ids []string) (map[string]*store.Account, error) {
	rows, err := s.tx.Accounts(s.tenant, s.name, ids)
	known := make(map[string]*store.Account, len(rows))
	for i := range rows {
		known[rows[i].ID] = &rows[i]
	}
	return known, err
}

// fill counts which columns of a source's records have a value, as changes leave them.
func (s *scope) fill(changes []*change) error {
	if s.system.Source == nil || s.system.Source.OfAccounts {
		return nil
	}
	more := map[string]int64{}
	for _, c := range changes {
		if c.account.Mirror == store.MirrorNone && strings.EqualFold(c.account.Class, s.system.Source.Class) {
			count(more, &c.object, 1)
		}
		if c.old == nil || c.old.Gone != 0 || c.old.Mirror != store.MirrorNone || !strings.EqualFold(c.old.Class, s.system.Source.Class) {
			continue
		}
		if err := countStored(more, c.old.Object, -1); err != nil {
			return err
		}
	}
	return s.addFilled(more)
}

// empty counts what the columns of records that are no more had.
func (s *scope) empty(gone []store.Account) error {
	if s.system.Source == nil || s.system.Source.OfAccounts {
		return nil
	}
	more := map[string]int64{}
	for _, a := range gone {
		if a.Mirror != store.MirrorNone || !strings.EqualFold(a.Class, s.system.Source.Class) {
			continue
		}
		if err := countStored(more, a.Object, -1); err != nil {
			return err
		}
	}
	return s.addFilled(more)
}

func (s *scope) addFilled(more map[string]int64) error {
	maps.DeleteFunc(more, func(_ string, n int64) bool { return n == 0 })
	if len(more) == 0 {
		return nil
	}
	return s.tx.AddFilled(s.tenant, s.name, more)
}

// filled gives how many records have a value, by column. The first time they are counted.
func (s *scope) filled() (map[string]int64, error) {
	n, err := s.tx.Filled(s.tenant, s.name)
	if err != nil || n != nil {
		return n, err
	}
	n = map[string]int64{}
	for last, more := "", true; more; {
		rows, err := s.tx.AccountsAfter(s.tenant, s.name, last, atOnce)
		if err != nil {
			return nil, err
		}
		more = len(rows) == atOnce
		for _, a := range rows {
			last = a.ID
			if a.Gone != 0 || a.Mirror != store.MirrorNone || !strings.EqualFold(a.Class, s.system.Source.Class) {
				continue
			}
			if err := countStored(n, a.Object, 1); err != nil {
				return nil, err
			}
		}
	}
	return n, s.tx.SetFilled(s.tenant, s.name, n)
}

func countStored(n map[string]int64, object []byte, by int64) error {
	o, err := mapping.ReadObject(object)
	if err == nil {
		count(n, &o, by)
	}
	return err
}

func count(n map[string]int64, o *mapping.Object, by int64) {
	for i := range o.Attributes {
		if a := &o.Attributes[i]; filledIn(a.Values()) {
			n[strings.ToLower(a.Name)] += by
		}
	}
}

// filledIn tells whether there is a value among values.
func filledIn(values []string) bool { return len(values) > 0 && (len(values) > 1 || values[0] != "") }
