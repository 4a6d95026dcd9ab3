package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A result ends a job of whose agent it is, or that is nobody's and of its site, once; whatever else it tells of stays
// as it is. What was to be taken back is dropped, and not failed.
func TestEndSent(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		row := func(id int64, state, agent, site string) store.Job {
			return store.Job{ID: id, Tenant: tenant, Site: site, System: "ad", Object: "o", Class: "modify", State: state, Agent: agent, Work: []byte("work")}
		}
		write(t, s, func(tx *store.Tx) error {
			return tx.AddJobs([]store.Job{
				row(1, store.JobSent, "a", "hq"), row(2, store.JobSent, "b", "hq"), row(3, store.JobQueued, "", "hq"), row(4, store.JobQueued, "", "branch"),
				row(5, store.JobRescinding, "a", "hq"), row(6, store.JobRescinding, "a", "hq"), row(7, store.JobHeld, "", "hq"), row(8, store.JobSent, "a", "hq"),
			})
		})
		told := func(id int64, agent, state, outcome string) store.Ending {
			e := store.Ending{ID: id, Site: "hq", Agent: agent, State: state, Outcome: outcome, Back: outcome == "CONFLICT"}
			if state == store.JobFailed {
				e.Fault = "{}"
			}
			return e
		}
		endings := []store.Ending{told(1, "a", store.JobDone, "DONE"), told(2, "a", store.JobDone, "DONE"), told(2, "b", store.JobFailed, "CONFLICT"),
			told(3, "a", store.JobDone, "DONE"), told(4, "a", store.JobDone, "DONE"), told(5, "a", store.JobFailed, "CONFLICT"),
			told(6, "a", store.JobDone, "DONE"), told(7, "a", store.JobDone, "DONE"), told(99, "a", store.JobDone, "DONE")}
		type end struct {
			ID                            int64
			State, Agent, Outcome, Fault  string
			Ended, HasWork, WorkIsNoError bool
		}
		ends := func(rows []store.Job) (all []end) {
			for _, j := range rows {
				all = append(all, end{j.ID, j.State, j.Agent, j.Outcome, j.Fault, j.Ended != 0, string(j.Work) == "work", j.Reasons == "[]"})
			}
			slices.SortFunc(all, func(a, b end) int { return int(a.ID - b.ID) })
			return all
		}
		want := []end{{1, store.JobDone, "a", "DONE", "", true, true, true}, {2, store.JobFailed, "b", "CONFLICT", "{}", true, true, true},
			{3, store.JobDone, "a", "DONE", "", true, true, true}, {5, store.JobDropped, "a", "taken back", "", true, true, true},
			{6, store.JobDone, "a", "DONE", "", true, true, true}}
		var got []store.Job
		for range 2 {
			if err := s.Take(context.Background(), tenant, func(tx *store.Tx) (err error) {
				rows, err := tx.EndSent(tenant, endings)
				got = append(got, rows...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, ends(got)); diff != "" {
			t.Errorf("EndSent() twice (-want +got):\n%s", diff)
		}
		read(t, s, func(tx *store.Tx) error {
			rows, err := tx.Jobs(tenant, []int64{1, 2, 3, 5, 6})
			if diff := cmp.Diff(want, ends(rows)); diff != "" {
				t.Errorf("ended jobs (-want +got):\n%s", diff)
			}
			others, err2 := tx.Jobs(tenant, []int64{4, 7, 8})
			for _, j := range others {
				if j.Ended != 0 {
					t.Errorf("job %d ended as %s; nobody told who may", j.ID, j.State)
				}
			}
			return errors.Join(err, err2)
		})
	})
}

// Rows that a server takes while the transaction goes on are refused in time: nothing of it is committed, and the connection is good for the next.
func TestWrite_refusedRows(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		job := store.Job{ID: 1, Tenant: tenant, State: store.JobHeld}
		write(t, s, func(tx *store.Tx) error { return tx.AddJobs([]store.Job{job}) })
		for name, then := range map[string]func(tx *store.Tx) error{
			"commits": func(*store.Tx) error { return nil },
			"asks":    func(tx *store.Tx) error { _, err := tx.Tenants(); return err },
			"writes":  func(tx *store.Tx) error { return tx.PutTenant("three") },
		} {
			err := s.Write(context.Background(), func(tx *store.Tx) error {
				if err := tx.PutTenant("two"); err != nil {
					return err
				}
				if err := tx.AddJobs([]store.Job{job}); err != nil { // whose id is taken
					return err
				}
				return then(tx)
			})
			if err == nil {
				t.Errorf("Write() = nil after a row that was refused, and it %s", name)
			}
			read(t, s, func(tx *store.Tx) error {
				got, err := tx.Tenants()
				if len(got) != 0 {
					t.Errorf("tenants after a refused row = %v; want none", got)
				}
				return err
			})
		}
	})
}
