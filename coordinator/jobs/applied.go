package jobs

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// applied takes the outcome of a write.
func (f *finish) applied(j store.Job, r *linkv1.Result) error {
	var work linkv1.Job
	if err := proto.Unmarshal(j.Work, &work); err != nil {
		f.Log.Error("Stored job cannot be read", "job", j.ID, "err", err)
	}
	op := work.GetApply()
	if j.State == store.JobFailed {
		r.Fault = complete(r.GetOutcome(), r.GetFault(), op) // what came is kept as it came
		if err := f.address(r.GetFault(), j, op); err != nil {
			return err
		}
		if text := faultText(r.GetFault()); text != j.Fault {
			if err := f.tx.SetFault(j.ID, text); err != nil {
				return err
			}
		}
	}
	if record := r.GetObject(); record != nil && !record.GetDeleted() && len(record.GetObject()) > 0 {
		s := f.of(j.System)
		s.add(record, j.Person)
		if j.Class == "create" && r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
			s.owners[record.GetId()] = j.Person
		}
	}
	if j.State == store.JobDropped { // taken back
		f.again(j, 0)
		return nil
	}
	f.tell(j, r, &work)
	f.writes = append(f.writes, j)
	if j.State == store.JobDone {
		if err := errors.Join(f.added(j, op, r.GetObject().GetId()), f.password(j, r, op)); err != nil {
			return err
		}
		if f.foundLocked(r, op) {
			f.locked = append(f.locked, j.ID)
		}
		switch {
		case j.Class == "delete":
			f.of(j.System).gone[op.GetId()] = true
			f.people[j.ID] = j.Person
		case r.GetObject() == nil:
			f.Log.Warn("Connector did not show what it wrote", "system", j.System, "job", j.ID)
			f.again(j, never)
		default:
			settled, err := f.settled(j, r, op)
			if err != nil {
				return err
			}
			if !settled {
				f.people[j.ID] = j.Person
			}
		}
		return nil
	}
	f.failed = append(f.failed, j.ID)
	return f.refused(j, r, op)
}

// foundLocked tells whether a create for somebody who is to be let in found an
// account that was there, and is disabled: then it did not let them in, and
// nobody has locked them out since.
func (f *finish) foundLocked(r *linkv1.Result, op *connectorv1.Operation) bool {
	if !r.GetUnchanged() || !op.GetCreate().GetEnabled() || f.object.Read(r.GetObject().GetObject()) != nil {
		return false
	}
	enabled, known := f.object.Get(reconcile.OfEnabled)
	return known && slices.Equal(enabled, []string{"false"})
}

// settled tells whether nothing can follow a job that was done: the plan said
// so, and the object is just as it was wanted.
func (f *finish) settled(j store.Job, r *linkv1.Result, op *connectorv1.Operation) (bool, error) {
	if !j.Settles {
		return false, nil
	}
	s, err := f.system(j.System)
	if err != nil || s == nil || s.Target == nil {
		return false, err
	}
	err = f.object.Read(r.GetObject().GetObject())
	return err == nil && reconcile.Left(s.Target, op.GetCreate(), &f.object), nil
}

// system gives a system compiled; nil where there is none, or none that can be used.
func (f *finish) system(name string) (*mapping.System, error) {
	if s, known := f.systems[name]; known {
		return s, nil
	}
	row, err := f.tx.System(f.tenant, name)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	var s *mapping.System
	if err == nil {
		s, _ = f.Systems.Get(row) // it was said when it was applied
	}
	f.systems[name] = s
	return s, nil
}
