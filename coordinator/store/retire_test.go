package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// aged fills a store with what is old and what is young, of two tenants, and gives the instant between them.
func aged(t *testing.T, s *store.Store) (between store.Instant) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		between = tx.Now.Add(-time.Hour)
		old, young := between.Add(-time.Hour), tx.Now
		job := func(id int64, of, state, outcome string, made, ended store.Instant) store.Job {
			return store.Job{ID: id, Tenant: of, Site: "hq", System: "ad", Object: "o", Class: "modify", State: state, Outcome: outcome, Made: made, Ended: ended, Work: []byte{1}}
		}
		cycle := func(id int64, state string, began, ended store.Instant) store.Cycle {
			return store.Cycle{Tenant: tenant, ID: id, System: "hr", Cause: "schedule", Began: began, Ended: ended, State: state}
		}
		for _, do := range []func() error{
			func() error { return tx.PutTenant(tenant) },
			func() error { return tx.PutTenant("other") },
			func() error {
				return tx.AddJobs([]store.Job{
					job(1, tenant, store.JobDone, "DONE", old, old), job(2, tenant, store.JobDropped, "rejected", old, old), job(3, tenant, store.JobHeld, "", old, 0),
					job(4, "other", store.JobDone, "DONE", old, old), job(5, tenant, store.JobDone, "DONE", young, young),
				})
			},
			func() error {
				return tx.AddAnswers([]store.Answer{{Tenant: tenant, ID: 1, Answer: []byte{1}}, {Tenant: "other", ID: 4, Answer: []byte{1}}, {Tenant: tenant, ID: 5, Answer: []byte{1}}})
			},
			func() error {
				return tx.AddHistory([]store.History{{Tenant: tenant, At: old, Kind: "written", Text: "old"}, {Tenant: "other", At: old, Kind: "written", Text: "theirs"}, {Tenant: tenant, At: young, Kind: "written", Text: "young"}})
			},
			func() error {
				for _, c := range []store.Cycle{cycle(10, store.CycleApplied, old, old), cycle(11, store.CycleHeld, old, old), cycle(12, store.CycleApplied, old, old), cycle(13, store.CycleFailed, old, old), cycle(14, store.CycleFailed, young, young)} {
					if err := tx.PutCycle(c); err != nil {
						return err
					}
				}
				return nil
			},
			func() error { return tx.AddAudit(store.Audited{Tenant: tenant, At: old, Who: "old", Action: "x"}) },
			func() error { return tx.AddAudit(store.Audited{Tenant: tenant, At: young, Who: "young", Action: "x"}) },
		} {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	})
	return between
}

// What is old and nothing needs any more is removed, with what hangs on it; what is young, another tenant's, or still needed stays.
func TestRetire(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		between := aged(t, s)
		got := map[string]int{}
		for _, kind := range []string{store.RetireAnswers, store.RetireJobs, store.RetireHistory, store.RetireCycles, store.RetirePlans, store.RetireDeliveries, store.RetireAudit} {
			for at := int64(0); ; {
				n := 0
				write(t, s, func(tx *store.Tx) (err error) {
					n, at, err = tx.Retire(tenant, kind, between, at, 2) // slices so small that they must go on
					return err
				})
				if got[kind] += n; at == 0 {
					break
				}
			}
		}
		want := map[string]int{store.RetireAnswers: 1, store.RetireJobs: 1, store.RetireHistory: 1, store.RetireCycles: 1, store.RetirePlans: 0, store.RetireDeliveries: 0, store.RetireAudit: 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("removed (-want +got):\n%s", diff)
		}
		read(t, s, func(tx *store.Tx) error {
			var ids []int64
			for _, of := range []string{tenant, "other"} {
				jobs, err := tx.ListJobs(of, store.JobFilter{}, 10)
				if err != nil {
					return err
				}
				for _, j := range jobs {
					ids = append(ids, j.ID)
				}
			}
			if diff := cmp.Diff([]int64{5, 3, 2, 4}, ids); diff != "" {
				t.Errorf("jobs that are left (-want +got):\n%s", diff)
			}
			cycles, err := tx.ListCycles(tenant, store.CycleFilter{}, 10)
			if err != nil || len(cycles) != 4 || cycles[3].ID != 11 {
				t.Errorf("cycles %v, %v; want all but 10, which a later one has replaced", cycles, err)
			}
			if _, err := tx.AnswerOf("other", 4); err != nil {
				t.Errorf("answer of another tenant: %v", err)
			}
			lines, err := tx.ListAudit(tenant, store.AuditFilter{}, 10)
			if err != nil || len(lines) != 1 || lines[0].Who != "young" {
				t.Errorf("audit %v, %v; want what is young", lines, err)
			}
			oldest, err := tx.Oldest(tenant, store.RetireHistory)
			if err != nil || oldest < between {
				t.Errorf("oldest line of the log %v, %v; want a young one", oldest, err)
			}
			return err
		})
	})
}

// However it is asked for, no line of the audit goes that is younger than what was set, nor any of another tenant.
func TestRetire_auditStays(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		between := aged(t, s)
		write(t, s, func(tx *store.Tx) error {
			return tx.AddAudit(store.Audited{Tenant: "other", At: 1, Who: "them", Action: "x"})
		})
		write(t, s, func(tx *store.Tx) error {
			_, _, err := tx.Retire(tenant, store.RetireAudit, between, 0, 100)
			return err
		})
		for _, change := range store.ChangesOfAudit {
			if err := s.Write(t.Context(), change); err == nil {
				t.Error("what is left of the audit could be changed")
			}
		}
	})
}
