package gateway_test

import (
	"os"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

// An agent whose coordinator died with it, and whose jobs nobody needs, is shown
// as away by the coordinators that are left.
func TestLease_diedWithItsCoordinator(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_POSTGRES") == "" {
		t.Skip("a file has one coordinator: this runs where TEST_POSTGRES is set")
	}
	b := newBench(t)
	other := storetest.OpenAs(t, b.database) // of the coordinator that dies
	var since store.Instant
	if err := other.Write(t.Context(), func(tx *store.Tx) error {
		since = tx.Now
		if err := tx.AddAgent(store.Agent{Tenant: tenant, ID: "dead", Site: "hq", Connectors: "[]"}); err != nil {
			return err
		}
		if _, err := tx.ConnectAgent(store.Agent{Tenant: tenant, ID: "dead", Connectors: "[]"}); err != nil {
			return err
		}
		if err := tx.SetLeased(tenant, "dead", true); err != nil {
			return err
		}
		_, err := tx.HearAgents(tenant, map[string]store.Instant{"dead": since}, lease)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the agent is away", func() bool {
		var here bool
		if err := other.Read(t.Context(), func(tx *store.Tx) (err error) {
			here, err = tx.Connected(tenant, "dead", since)
			return err
		}); err != nil {
			t.Error(err)
		}
		return !here
	})
}
