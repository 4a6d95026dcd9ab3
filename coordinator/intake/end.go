package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// ErrNotHeld says that a cycle waits for nobody's decision. Test with [errors.Is].
var ErrNotHeld = errors.New("the cycle is not held")

// EndRead decides what becomes of a read whose result has come: all batches of
// it have been taken before.
func (in *Intake) EndRead(tx *store.Tx, job store.Job, result *linkv1.Result) error {
	s, err := in.scope(tx, job.Tenant, job.System)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	s.cycle = job.ID
	cycle, err := tx.Cycle(job.Tenant, job.ID)
	if errors.Is(err, store.ErrNone) {
		cycle = store.Cycle{Tenant: job.Tenant, ID: job.ID, System: job.System, Cause: "on demand", Began: job.Made}
	} else if err != nil {
		return err
	}
	sum := result.GetRead()
	cycle.Ended = tx.Now
	cycle.Seen, cycle.Changed = int64(sum.GetSeen()), int64(sum.GetChanged())
	cycle.Deleted, cycle.Rejected = int64(sum.GetDeleted()), int64(sum.GetRejected())
	if result.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		cycle.State = store.CycleFailed
		cycle.Reason = result.GetFault().GetCause()
		if next := result.GetFault().GetNextStep(); next != "" {
			cycle.Reason += ": " + next
		}
		if _, err := tx.DiscardMissing(job.Tenant, job.System, job.ID); err != nil {
			return err
		}
		if err := s.partly(cycle); err != nil {
			return err
		}
		if err := tx.PutCycle(cycle); err != nil {
			return err
		}
		return s.readAgain()
	}
	// An agent that knew nothing before has sent everything there is, and cannot say what is gone.
	if sum.GetFull() && sum.GetChanged() >= sum.GetSeen() {
		n, err := tx.MarkUnseen(job.Tenant, job.System, job.ID, cycle.Began)
		if err != nil {
			return err
		}
		cycle.Deleted += int64(n)
	}
	if sum.GetFull() {
		if err := tx.RemoveRejectsBefore(job.Tenant, job.System, job.ID); err != nil {
			return err
		}
	}
	if err := errors.Join(s.retry(), s.decide()); err != nil {
		return err
	}
	if err := s.gate(&cycle); err != nil {
		return err
	}
	if err := tx.PutCycle(cycle); err != nil {
		return err
	}
	return s.readAs(cycle)
}

// firstPause is how long after a failed read the next is tried; it doubles with
// every further one, until the ordinary schedule is sooner.
const firstPause = 5 * time.Second

// readAgain has the system read again soon: what was missing, a secret or a
// file, may come at any moment.
func (s *scope) readAgain() error {
	last, err := s.tx.Cycles(s.tenant, s.name, 10)
	if err != nil {
		return err
	}
	pause := firstPause
	for _, c := range last[min(1, len(last)):] {
		if c.State != store.CycleFailed {
			break
		}
		pause *= 2
	}
	return s.tx.ReadSooner(s.tenant, s.name, s.tx.Now.Add(pause))
}

// close ends what waited, because of what a later cycle found.
func (s *scope) close(cycles []store.Cycle, reason string) error {
	for _, c := range cycles {
		c.State, c.Reason = store.CycleRejected, reason
		if err := s.tx.PutCycle(c); err != nil {
			return err
		}
	}
	return nil
}

// believe makes gone what cycles up to the given one found missing, and those due whom it concerns.
func (s *scope) believe(cycle int64) error {
	for {
		missing, err := s.tx.MissingAccounts(s.tenant, s.name, cycle, atOnce)
		if err != nil || len(missing) == 0 {
			return err
		}
		ids := make([]string, len(missing))
		var people []string
		for i, a := range missing {
			ids[i] = a.ID
			if a.Person != "" {
				people = append(people, a.Person)
			}
		}
		if err := errors.Join(s.empty(missing), s.tx.BelieveMissing(s.tenant, s.name, ids)); err != nil {
			return err
		}
		if err := s.gone(missing, ids, people); err != nil {
			return err
		}
	}
}

// Gone takes it that accounts of a system are no more: a write has removed or not found them.
func (in *Intake) Gone(tx *store.Tx, tenant, system string, ids []string) error {
	s, err := in.scope(tx, tenant, system)
	if errors.Is(err, store.ErrNone) || len(ids) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := tx.Accounts(tenant, system, ids)
	if err != nil {
		return err
	}
	var people []string
	var lost []store.Account
	for i, a := range rows {
		if a.Gone == 0 {
			lost = append(lost, a)
		}
		if rows[i].Missing, rows[i].Gone, rows[i].Changed = 0, tx.Now, tx.Now; a.Gone != 0 {
			rows[i].Gone, rows[i].Changed = a.Gone, a.Changed
		} else if a.Person != "" {
			people = append(people, a.Person)
		}
	}
	if err := errors.Join(s.empty(lost), tx.PutAccounts(rows)); err != nil {
		return err
	}
	return s.gone(rows, ids, people)
}

// gone does what follows from accounts being no more.
func (s *scope) gone(accounts []store.Account, ids, people []string) error {
	if s.system.Target != nil {
		var freed []store.Name
		for _, a := range accounts {
			of := s.of(a.Class)
			freed = append(freed, of.freed(a, of.had(a))...)
		}
		if err := s.free(freed); err != nil {
			return err
		}
	}
	if err := errors.Join(s.pushedGone(ids), s.dangling(people), s.groupsGone(people), s.tx.RemoveAddedTo(s.tenant, s.name, ids), s.tx.RemoveRejectsOf(s.tenant, s.name, ids)); err != nil {
		return err
	}
	if s.system.Source == nil {
		return s.mark("their account in "+s.name+" is gone", people)
	}
	var mirrors []string // whose records are elsewhere
	for _, a := range accounts {
		if a.Mirror != store.MirrorNone && slices.Contains(people, a.Person) {
			mirrors = append(mirrors, a.Person)
		}
	}
	lost := slices.DeleteFunc(slices.Clone(people), func(p string) bool { return slices.Contains(mirrors, p) })
	if err := s.settle(map[string]*draft{}, lost, nil); err != nil || len(mirrors) == 0 {
		return err
	}
	return errors.Join(s.Anew(s.tx, s.tenant, mirrors), s.mark("their account in "+s.name+" is gone", mirrors))
}

// dangling makes those due who refer to people whose accounts in the target are
// no more: they wait from then on, and get the next account of whom they refer to.
// Nothing keeps who refers to whom, so that hires need not write it.
func (s *scope) dangling(people []string) error {
	refers := func(t *mapping.Target) bool {
		return t != nil && slices.ContainsFunc(t.Rules, func(r *mapping.Rule) bool { return r.Person })
	}
	if len(people) == 0 || !refers(s.system.Target) && !refers(s.system.GroupTarget) {
		return nil
	}
	rows, err1 := s.tx.People(s.tenant, people)
	known, err2 := s.tx.KnownOf(s.tenant, people)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var keys []string
	for _, p := range rows {
		keys = append(keys, p.Key)
	}
	for _, k := range known {
		if k.Path == "" {
			keys = append(keys, k.Value)
		}
	}
	refer, err := s.naming(keys)
	if err != nil {
		return err
	}
	return s.mark("the account of whom they refer to in "+s.name+" is gone", refer)
}

// fewKeys are looked for one by one; for more of them everybody is gone through once.
const fewKeys = 8

// naming gives the people in whose attributes one of the folded keys stands.
func (s *scope) naming(keys []string) (people []string, err error) {
	if len(keys) <= fewKeys {
		for _, key := range keys {
			found, err := s.tx.PeopleNaming(s.tenant, key)
			if err != nil {
				return nil, err
			}
			people = append(people, found...)
		}
		slices.Sort(people)
		return slices.Compact(people), nil
	}
	wanted := make(map[string]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	for last, more := "", true; more; {
		rows, err := s.tx.PeopleAfter(s.tenant, last, atOnce)
		if err != nil {
			return nil, err
		}
		more = len(rows) == atOnce
		for _, p := range rows {
			last = p.ID
			a, err := directory.ParseAttributes(p.Attributes)
			if err != nil {
				continue // who plans them says so
			}
			for _, value := range a.All() {
				if text, ok := value.(string); ok && wanted[directory.Fold(text)] {
					people = append(people, p.ID)
					break
				}
			}
		}
	}
	return people, nil
}

// readAs notes by which document the system was read: now those are planned by it whom it touches, see [Intake.Touch].
func (s *scope) readAs(cycle store.Cycle) error {
	row, err := s.tx.System(s.tenant, s.name)
	if err != nil || row.ReadAs == row.Revision || cycle.Began < row.Applied {
		return err
	}
	return s.tx.SetReadAs(s.tenant, s.name, row.Revision)
}

// Believe takes what a held cycle found as it is: what is gone as gone, and what
// is changed as changed. What later reads found is not part of it. It returns
// [ErrNotHeld] where the cycle is not held.
func (in *Intake) Believe(ctx context.Context, tenant string, cycle int64, who string) error {
	return in.decide(ctx, tenant, cycle, "approved", who, func(s *scope, c *store.Cycle) error {
		c.State = store.CycleApplied
		if _, err := s.tx.FreeStaged(tenant, c.System, cycle, true); err != nil {
			return err
		}
		return errors.Join(s.believe(cycle), s.drain())
	})
}

// Discard forgets what a held cycle found gone or changed: everything stays as it was
// known. It returns [ErrNotHeld] where the cycle is not held. The agent has
// forgotten those objects, so that only a read that sends everything can find
// them gone again.
func (in *Intake) Discard(ctx context.Context, tenant string, cycle int64, who string) error {
	return in.decide(ctx, tenant, cycle, "rejected", who, func(s *scope, c *store.Cycle) error {
		c.State = store.CycleRejected
		_, err1 := s.tx.DiscardMissing(tenant, c.System, 0)
		_, err2 := s.tx.DiscardStaged(tenant, c.System, cycle)
		return errors.Join(err1, err2)
	})
}

func (in *Intake) decide(ctx context.Context, tenant string, id int64, word, who string, do func(*scope, *store.Cycle) error) error {
	return in.Store.Write(ctx, func(tx *store.Tx) error {
		c, err := tx.Cycle(tenant, id)
		if err != nil {
			return fmt.Errorf("cycle %d: %w", id, err)
		}
		if c.State != store.CycleHeld {
			return fmt.Errorf("cycle %d of %s: %w, it is %s", id, c.System, ErrNotHeld, c.State)
		}
		s, err := in.scope(tx, tenant, c.System)
		if err != nil {
			return err
		}
		s.cycle = id
		c.Reason += "; " + word + " by " + who
		if err := do(s, &c); err != nil {
			return err
		}
		if err := tx.PutCycle(c); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{{Tenant: tenant, Kind: word, System: c.System, Job: id,
			Text: fmt.Sprintf("cycle %d %s by %s", id, word, who)}})
	})
}
