package intake

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// ErrNotPushed says that a system takes no pushed records. Test with [errors.Is].
var ErrNotPushed = errors.New("the system is no source that records are pushed to")

// pushSpan is the time over which what a pushed source removed counts against its gate.
const pushSpan = 24 * time.Hour

// An UnfitError tells why the mapping cannot take a pushed object.
type UnfitError struct{ Err error }

// Error gives the cause.
func (e *UnfitError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnfitError) Unwrap() error { return e.Err }

// Push takes an object that its source has pushed, new or changed: a person's, or,
// as kind says, a group's. It returns [ErrNotPushed] or [ErrNoGroups], or an
// *[UnfitError] where the mapping cannot take the object: then nothing is stored.
func (in *Intake) Push(tx *store.Tx, tenant, system, kind string, object *connectorv1.Object) error {
	s, err := in.pushed(tx, tenant, system)
	if err != nil {
		return err
	}
	if kind == store.KindGroup {
		return s.pushGroup(object)
	}
	object.Class = s.system.Source.Class
	_, err = s.pushOne(s.system.Source, object)
	return err
}

// pushOne takes an object by the rules of a source, and gives the key that these give it.
func (s *scope) pushOne(src *mapping.Source, object *connectorv1.Object) (key string, err error) {
	if s.system.GroupSource != nil {
		in, err := s.pushedIn([]string{object.GetId()})
		if err != nil {
			return "", err
		}
		setGroups(object, in[object.GetId()])
	}
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(object)
	if err != nil {
		return "", err
	}
	record, err := src.Read(message)
	if err != nil {
		return "", &UnfitError{err}
	}
	return record.Key, s.Take(s.tx, Batch{Tenant: s.tenant, System: s.name, Records: []*connectorv1.Record{{Id: object.GetId(), Object: message}}})
}

// PushGone takes it that the source has removed objects. More of them within a
// day than its gate lets pass are held like those of a read, and held tells so.
func (in *Intake) PushGone(tx *store.Tx, tenant, system, id string) (held bool, err error) {
	s, err := in.pushed(tx, tenant, system)
	if err != nil {
		return false, err
	}
	cycle, err := s.pushGate()
	if err != nil {
		return false, err
	}
	if cycle == 0 {
		return false, in.Gone(tx, tenant, system, []string{id})
	}
	_, err = tx.MarkMissing(tenant, system, cycle, []string{id})
	return true, err
}

// PushedKey gives the key of the person whose record an object of a pushed
// source is, "" where it has none.
func (in *Intake) PushedKey(tx *store.Tx, tenant, system string, object []byte) (string, error) {
	s, err := in.pushed(tx, tenant, system)
	if err != nil {
		return "", err
	}
	r, err := s.system.Source.Read(object)
	return r.Key, err
}

func (in *Intake) pushed(tx *store.Tx, tenant, system string) (*scope, error) {
	s, err := in.scope(tx, tenant, system)
	if errors.Is(err, store.ErrNone) || err == nil && (s.system.Source == nil || !s.system.Pushed()) {
		return nil, fmt.Errorf("%s: %w", system, ErrNotPushed)
	}
	return s, err
}

// pushGate gives the cycle in which one removal more is held, 0 where it may pass.
func (s *scope) pushGate() (int64, error) {
	held, err := s.tx.CyclesIn(s.tenant, s.name, store.CycleHeld)
	if err != nil {
		return 0, err
	}
	if len(held) > 0 {
		c := held[len(held)-1]
		c.Deleted++
		return c.ID, s.tx.PutCycle(c)
	}
	gone, err := s.tx.CountGoneSince(s.tenant, s.name, s.tx.Now.Add(-pushSpan))
	if gone++; err != nil || gone < s.system.Gate.Rows {
		return 0, err
	}
	left, err := s.tx.CountAccounts(s.tenant, s.name)
	known := left + gone - 1
	if err != nil || !s.system.Gate.Holds(gone, known) {
		return 0, err
	}
	jobs := []store.Job{{Tenant: s.tenant, System: s.name, Class: "read", State: store.JobDone, Ended: s.tx.Now}}
	if err := s.tx.AddJobs(jobs); err != nil {
		return 0, err
	}
	id := jobs[0].ID
	c := store.Cycle{Tenant: s.tenant, ID: id, System: s.name, Cause: "pushed", Began: s.tx.Now, Ended: s.tx.Now, State: store.CycleHeld, Deleted: 1}
	c.Reason = fmt.Sprintf("%d of %d records were removed within a day, more than the gate of %.0f %% lets pass: nobody loses anything by this one and those "+
		"that follow. If it is right, say drawbridge cycle approve %d; if not, drawbridge cycle reject %d, and have the source push them again",
		gone, known, s.system.Gate.Drop*100, id, id)
	if err := s.tx.PutCycle(c); err != nil {
		return 0, err
	}
	return id, s.tx.AddHistory([]store.History{{Tenant: s.tenant, Kind: "held", System: s.name, Job: id, Text: c.Reason}})
}
