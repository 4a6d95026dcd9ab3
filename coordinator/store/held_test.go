package store_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A held job that is approved goes after what else is to be done to its object,
// and never after one that waits for it, however long that chain is: they would
// wait for each other for ever.
func TestApproveJobs_noCircle(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error {
			job := func(id, after int64, object, state string) store.Job {
				return store.Job{ID: id, Tenant: tenant, Site: "hq", System: "ad", Object: object, Person: "p", Class: "disable", State: state, After: after, Made: tx.Now, Work: []byte{1}}
			}
			if err := tx.PutTenant(tenant); err != nil {
				return err
			}
			err := tx.AddJobs([]store.Job{
				job(1, 0, "alone", store.JobHeld), job(2, 1, "alone", store.JobWaiting), job(3, 2, "alone", store.JobWaiting),
				job(4, 0, "busy", store.JobQueued), job(5, 0, "busy", store.JobHeld), job(6, 5, "busy", store.JobWaiting), job(7, 6, "busy", store.JobWaiting),
			})
			if err == nil {
				err = tx.ApproveJobs([]int64{1, 5}, nil)
			}
			if err != nil {
				return err
			}
			rows, err := tx.Jobs(tenant, []int64{1, 2, 3, 5, 6, 7})
			for _, r := range rows {
				want := map[int64]int64{2: 1, 3: 2, 5: 4, 6: 5, 7: 6}[r.ID]
				state := store.JobWaiting
				if want == 0 {
					state = store.JobQueued
				}
				if r.After != want || r.State != state {
					t.Errorf("job %d is %s after %d; want %s after %d", r.ID, r.State, r.After, state, want)
				}
			}
			return err
		})
	})
}
