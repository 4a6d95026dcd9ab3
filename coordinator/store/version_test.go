package store_test

import (
	"errors"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Every document that was in force stays, and revisions go on rising though the system was removed meanwhile.
func TestVersions(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error {
			for _, document := range []string{"one", "two"} {
				if _, err := tx.ApplySystem(store.System{Tenant: tenant, Name: "hr", Site: "hq", Connector: "csv", Document: document, Who: "ada", Note: "why " + document}); err != nil {
					return err
				}
			}
			_, err := tx.RemoveSystem(tenant, "hr")
			return err
		})
		write(t, s, func(tx *store.Tx) error {
			revision, err := tx.ApplySystem(store.System{Tenant: tenant, Name: "hr", Site: "hq", Connector: "csv", Document: "three"})
			if revision != 3 {
				t.Errorf("revision %d after two that were removed; want 3", revision)
			}
			return err
		})
		write(t, s, func(tx *store.Tx) error {
			all, err := tx.Versions(tenant, "hr", 10)
			if err != nil || len(all) != 3 || all[0].Document != "three" || all[2].Document != "one" || all[2].Who != "ada" || all[2].Note != "why one" {
				t.Errorf("Versions() = %+v, %v", all, err)
			}
			if two, err := tx.Version(tenant, "hr", 2); err != nil || two.Document != "two" || two.Applied == 0 {
				t.Errorf("Version(2) = %+v, %v", two, err)
			}
			if _, err := tx.Version("other", "hr", 2); !errors.Is(err, store.ErrNone) {
				t.Errorf("Version(2) of another tenant = %v; want none", err)
			}
			return nil
		})
	})
}
