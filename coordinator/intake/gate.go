package intake

import (
	"fmt"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// gate believes what the cycle found, and holds what breaks the gate: what is
// gone, what is changed in a way that no feed changes by itself, or both.
func (s *scope) gate(cycle *store.Cycle) error {
	cycle.State = store.CycleApplied
	held, err := s.tx.CyclesIn(s.tenant, s.name, store.CycleHeld)
	if err != nil {
		return err
	}
	if len(held) > 0 && cycle.Changed+cycle.Deleted == 0 {
		return nil // nothing new: it still waits there
	}
	lost, err := s.lost(cycle.ID)
	if err != nil {
		return err
	}
	odd, fresh, err := s.judge(cycle.ID)
	if err != nil {
		return err
	}
	if len(lost)+len(odd) == 0 {
		return s.close(held, "what was held came back, or little of it is left: decided by cycle "+fmt.Sprint(cycle.ID))
	}
	if len(held) > 0 && (len(lost) == 0 || cycle.Deleted == 0) && !fresh {
		return nil // nothing new: it still waits there
	}
	if err := s.close(held, "held again with cycle "+fmt.Sprint(cycle.ID)); err != nil {
		return err
	}
	cycle.State = store.CycleHeld
	cycle.Reason = fmt.Sprintf("%s: nobody has lost anything by it, and everything else of the read was taken. "+
		"If it is right, say drawbridge cycle approve %d; if not, correct the source and say drawbridge cycle reject %d",
		strings.Join(append(lost, odd...), "; "), cycle.ID, cycle.ID)
	if len(odd) > 0 {
		cycle.Reason += ". drawbridge cycle show " + fmt.Sprint(cycle.ID) + " names the records; what may come and go in this source is said under gate in its document"
	}
	return s.tx.AddHistory([]store.History{{Tenant: s.tenant, Kind: "held", System: s.name, Job: cycle.ID, Text: cycle.Reason}})
}

// lost believes what was found missing, or says that it is too much.
func (s *scope) lost(cycle int64) ([]string, error) {
	gone, err := s.tx.CountMissing(s.tenant, s.name)
	if err != nil || gone == 0 {
		return nil, err
	}
	known, err := s.tx.CountAccounts(s.tenant, s.name)
	if err != nil {
		return nil, err
	}
	if !s.system.Gate.Holds(gone, known) {
		return nil, s.believe(cycle)
	}
	return []string{fmt.Sprintf("%d of %d objects are gone, more than the gate of %.0f %% lets pass", gone, known, s.system.Gate.Drop*100)}, nil
}

// judge lets pass what was staged up to the cycle, but for what breaks the gate:
// odd says what does, and fresh whether any of it came with this cycle.
func (s *scope) judge(cycle int64) (odd []string, fresh bool, err error) {
	if s.system.Source == nil {
		return nil, false, nil
	}
	v, err := s.suspect(cycle)
	if err != nil || v == nil {
		return nil, false, err
	}
	if fresh, err = s.hold(cycle, v); err != nil {
		return nil, false, err
	}
	if _, err := s.tx.FreeStaged(s.tenant, s.name, cycle, false); err != nil {
		return nil, false, err
	}
	return v.causes(), fresh, s.drain()
}

// partly lets pass what a read said before it broke off, where nothing of that breaks the gate.
func (s *scope) partly(cycle store.Cycle) error {
	if s.system.Source == nil {
		return nil
	}
	v, err := s.suspect(cycle.ID)
	if err != nil || v == nil || len(v.causes()) > 0 {
		return err
	}
	if _, err := s.tx.FreeStaged(s.tenant, s.name, cycle.ID, false); err != nil {
		return err
	}
	return s.drain()
}
