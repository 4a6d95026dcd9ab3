package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) status(doc huma.API) {
	route(doc, "GET", "/v1/status", "get-status", "Everything at a glance", access.Viewer, s.getStatus)
}

// A recentStatus is given again for as long as that keeps whoever asks all the
// time from taking more than a twentieth of a processor: it counts everything.
type recentStatus struct {
	status client.Status
	until  time.Time
}

const statusShare = 20

func (s *Server) getStatus(ctx context.Context, _ *empty) (*body[client.Status], error) {
	tenant := callerOf(ctx).tenant
	s.mu.Lock()
	recent, ok := s.recent[tenant]
	s.mu.Unlock()
	if ok && time.Now().Before(recent.until) {
		return answer(recent.status), nil
	}
	began := time.Now()
	out := client.Status{Version: s.Version, Accounts: map[string]int64{}, Jobs: map[string]int64{}}
	if err := s.read(ctx, func(tx *store.Tx, who caller) error { return s.count(tx, who.tenant, &out) }); err != nil {
		return nil, err
	}
	took := time.Since(began)
	s.mu.Lock()
	s.recent[tenant] = recentStatus{out, began.Add(statusShare * took)}
	s.mu.Unlock()
	return answer(out), nil
}

// count fills the status out of one snapshot of the store.
func (s *Server) count(tx *store.Tx, tenant string, out *client.Status) error {
	out.Now = tx.Now.Time()
	people, err := tx.CountPeople(tenant)
	if err != nil {
		return err
	}
	due, later, err := tx.CountDue(tenant)
	if err != nil {
		return err
	}
	out.People, out.Due = int64(people), int64(due)
	out.Later = int64(later)
	if out.Alarms, err = tx.CountAlarms(tenant); err != nil {
		return err
	}
	if out.Problems, err = tx.CountProblems(tenant); err != nil {
		return err
	}
	jobs, err := tx.OpenJobCounts(tenant)
	if err != nil {
		return err
	}
	for _, c := range jobs {
		out.Jobs[c.Name] = c.N
	}
	if out.Held, err = heldOf(tx, tenant); err != nil {
		return err
	}
	if out.Agents, err = agentsOf(tx, tenant); err != nil {
		return err
	}
	if out.Systems, err = s.systemsOf(tx, tenant); err != nil {
		return err
	}
	for _, y := range out.Systems {
		out.Accounts[y.Name] = y.Accounts
	}
	out.Cycles = []client.Cycle{}
	for _, state := range []string{store.CycleReading, store.CycleHeld} {
		rows, err := tx.ListCycles(tenant, "", state, 100)
		if err != nil {
			return err
		}
		for _, row := range rows {
			out.Cycles = append(out.Cycles, cycle(row))
		}
	}
	return nil
}
