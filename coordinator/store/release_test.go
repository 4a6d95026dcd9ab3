package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Leave to switch is one agent's of a site at a time, however often it is asked
// for, and free again once it is given back or its agent is shut out.
func TestLeave_isOneOfASite(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		take := func(site, agent string, want bool) {
			t.Helper()
			err := s.Write(t.Context(), func(tx *store.Tx) error {
				got, err := tx.TakeLeave(tenant, site, agent, "1.4.0")
				if got != want {
					t.Errorf("agent %s of %s has leave: %t; want %t", agent, site, got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		do := func(f func(*store.Tx) error) {
			t.Helper()
			if err := s.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []string{"a1", "a2", "b1"} {
			do(func(tx *store.Tx) error {
				return tx.AddAgent(store.Agent{Tenant: tenant, ID: id, Site: "hq", Connectors: "[]", Ring: "canary"})
			})
		}
		take("hq", "a1", true)
		take("hq", "a2", false)
		take("hq", "a1", true)
		take("branch", "b1", true)
		do(func(tx *store.Tx) error { return tx.DropLeave(tenant, "a1") })
		take("hq", "a2", true)
		do(func(tx *store.Tx) error { return tx.RevokeAgent(tenant, "a2") })
		take("hq", "a1", true)
		do(func(tx *store.Tx) error { return tx.SetRing(tenant, "a1", "") })
		take("hq", "a2", true)
	})
}

// A release that an agent took back holds its ring up until the ring is moved
// again; and the instant stays that of the first word.
func TestTookBack_untilTheRingIsMoved(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		ring := func() (r store.Ring, bad []store.Agent) {
			t.Helper()
			err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				if r, err = tx.Ring(tenant, "canary"); err == nil {
					bad, err = tx.TookBack(r)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return r, bad
		}
		do := func(f func(*store.Tx) error) {
			t.Helper()
			if err := s.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		failed := func(tx *store.Tx) error {
			return tx.SetUpdate(tenant, "a1", store.Update{State: "failed", Version: "1.4.0", Cause: "it ended"}, "canary")
		}
		do(func(tx *store.Tx) error {
			return errors.Join(tx.AddAgent(store.Agent{Tenant: tenant, ID: "a1", Site: "hq", Host: "h", Connectors: "[]"}), tx.MoveRing(tenant, "canary", "1.4.0", "ann"))
		})
		do(failed)
		if _, bad := ring(); len(bad) != 1 || bad[0].Host != "h" || bad[0].Ring != "canary" || bad[0].Update.Cause != "it ended" {
			t.Errorf("taken back by %+v; want the agent, in the ring that its host names", bad)
		}
		for moved := false; !moved; { // an instant is a millisecond
			before, _ := ring()
			do(func(tx *store.Tx) error { return tx.MoveRing(tenant, "canary", "1.4.0", "ann") })
			after, _ := ring()
			moved = after.Changed > before.Changed
		}
		do(failed)
		if r, bad := ring(); len(bad) != 0 {
			t.Errorf("ring %+v is held up by %+v; want by nobody", r, bad)
		}
	})
}

// An executable comes back as it was sent, in parts, and goes with its release.
func TestReleaseParts(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		first, last := bytes.Repeat([]byte{0, 1, 255}, 1000), []byte("the end")
		err := s.Write(t.Context(), func(tx *store.Tx) error {
			err := errors.Join(tx.AddRelease(store.Release{Tenant: tenant, Version: "1.4.0", File: []byte("{}"), Added: 5, Who: "ann"}),
				tx.PutReleasePart(tenant, "ab", 1, last), tx.PutReleasePart(tenant, "ab", 0, last), tx.PutReleasePart(tenant, "ab", 0, first))
			if n, err := tx.ExecutableBytes(tenant, "ab"); err != nil || n != int64(len(first)+len(last)) {
				t.Errorf("bytes = %d, %v; want %d", n, err, len(first)+len(last))
			}
			if got, err := tx.ReleasePart(tenant, "ab", 0); err != nil || !bytes.Equal(got, first) {
				t.Errorf("part 0 has %d bytes, %v; want what was sent last", len(got), err)
			}
			if _, err := tx.ReleasePart("other", "ab", 0); !errors.Is(err, store.ErrNone) {
				t.Errorf("another tenant's part: %v; want ErrNone", err)
			}
			err = errors.Join(err, tx.RemoveExecutable(tenant, "ab"), tx.RemoveRelease(tenant, "1.4.0"))
			if _, gone := tx.ReleasePart(tenant, "ab", 1); !errors.Is(gone, store.ErrNone) {
				t.Errorf("a part of what was removed: %v; want ErrNone", gone)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
