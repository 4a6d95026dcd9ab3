package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// For which sites there is something, and since which change, is found for all sites at once.
func TestQueuedSites(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		var now store.Instant
		write(t, s, func(tx *store.Tx) error {
			now = tx.Now
			row := func(site, system, state string, from store.Instant) store.Job {
				return store.Job{Tenant: tenant, Site: site, System: system, Object: "o", Class: "modify", State: state, NotBefore: from}
			}
			for _, id := range []string{"a1", "a2", "b1"} {
				if err := tx.AddAgent(store.Agent{Tenant: tenant, ID: id, Site: id[:1], Connectors: "[]"}); err != nil {
					return err
				}
			}
			for _, name := range []string{"hr", "ad"} {
				if _, err := tx.ApplySystem(store.System{Tenant: tenant, Name: name, Site: "b", Connector: "csv"}); err != nil {
					return err
				}
			}
			return tx.AddJobs([]store.Job{
				row("a", "ad", store.JobQueued, now.Add(time.Hour)), row("a", "hr", store.JobQueued, 0),
				row("b", "ad", store.JobQueued, now.Add(2*time.Hour)), row("b", "hr", store.JobQueued, now.Add(time.Hour)),
				row("c", "ad", store.JobSent, 0), row("d", "ad", store.JobRescinding, 0), row("d", "hr", store.JobRescinding, 0),
			})
		})
		type all struct {
			Queued    []store.QueuedSite
			Rescinds  []string
			Several   []store.Site
			Revisions []store.System
		}
		var got all
		read(t, s, func(tx *store.Tx) (err error) {
			if got.Queued, err = tx.QueuedSites(tenant); err != nil {
				return err
			}
			if got.Rescinds, err = tx.RescindingSites(tenant); err != nil {
				return err
			}
			if got.Several, err = tx.SitesOfSeveral(); err != nil {
				return err
			}
			got.Revisions, err = tx.SystemRevisions()
			return err
		})
		want := all{
			Queued:    []store.QueuedSite{{Site: "a"}, {Site: "b", From: now.Add(time.Hour)}},
			Rescinds:  []string{"d"},
			Several:   []store.Site{{Tenant: tenant, Name: "a"}},
			Revisions: []store.System{{Tenant: tenant, Site: "b", Name: "ad", Revision: 1}, {Tenant: tenant, Site: "b", Name: "hr", Revision: 1}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what there is for sites (-want +got):\n%s", diff)
		}
	})
}
