package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func TestSession_isKeptUntilItsEnd(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		var now store.Instant
		row := store.Session{tenant, "ab", []byte{1, 2}, "corp#7", "Ada", "ada@corp.example", "viewer,auditor", "corp", 1, 2, 0, "10.0.0.1", "Firefox"}
		write(t, s, func(tx *store.Tx) error {
			now = tx.Now
			row.Expires = now.Add(3600e9)
			old := row
			old.ID, old.Expires = "old", now-1
			return errors.Join(tx.AddSession(old), tx.AddSession(row))
		})
		write(t, s, func(tx *store.Tx) error {
			got, err := tx.Session("ab")
			if diff := cmp.Diff(row, got); err != nil || diff != "" {
				t.Errorf("Session = %v, %s", err, diff)
			}
			if _, err := tx.Session("old"); !errors.Is(err, store.ErrNone) {
				t.Errorf("a session whose time was over is there: %v", err)
			}
			if err := tx.SeenSession("other", "ab"); err != nil {
				return err
			}
			if there, err := tx.RemoveSession("other", "ab"); there || err != nil {
				t.Errorf("another tenant ended the session: %v %v", there, err)
			}
			if n, err := tx.RemoveSessionsOf("other", "corp#7"); n != 0 || err != nil {
				t.Errorf("another tenant ended %d sessions: %v", n, err)
			}
			if err := tx.SeenSession(tenant, "ab"); err != nil {
				return err
			}
			list, err := tx.Sessions(tenant)
			if err != nil || len(list) != 1 || list[0].Seen != tx.Now {
				t.Errorf("Sessions = %v, %v; want the one, seen now", list, err)
			}
			n, err := tx.RemoveSessionsOf(tenant, "corp#7")
			if n != 1 {
				t.Errorf("%d sessions ended; want 1", n)
			}
			return err
		})
	})
}

// Of many who use a link at the same time one gets in, and nobody later, or for another use.
func TestTakeOnce_givesItToOne(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error {
			late := store.Once{Tenant: tenant, ID: "late", Use: "link", Detail: "{}", Made: 1, Expires: tx.Now - 1}
			good := store.Once{Tenant: tenant, ID: "good", Use: "link", Detail: `{"a":1}`, Made: 1, Expires: tx.Now.Add(3600e9)}
			return errors.Join(tx.AddOnce(late), tx.AddOnce(good))
		})
		take := func(id, use string) (o store.Once, err error) {
			err = s.Write(context.Background(), func(tx *store.Tx) (err error) { o, err = tx.TakeOnce(id, use); return err })
			return o, err
		}
		for _, wrong := range [][2]string{{"late", "link"}, {"good", "code"}, {"none", "link"}} {
			if _, err := take(wrong[0], wrong[1]); !errors.Is(err, store.ErrNone) {
				t.Errorf("TakeOnce(%v) = %v; want ErrNone", wrong, err)
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := 0
		for range 8 {
			wg.Go(func() {
				if o, err := take("good", "link"); err == nil && o.Detail == `{"a":1}` {
					mu.Lock()
					got++
					mu.Unlock()
				} else if !errors.Is(err, store.ErrNone) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got != 1 {
			t.Errorf("%d took it; want one", got)
		}
	})
}

func TestAudit_isOnlyAddedTo(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		first := store.Audited{1, tenant, 5, "Ada", "corp#7", "session", "ab", "10.0.0.1", "Firefox", "approve-held", "corp-ad", "3 jobs", "done", "asked by HR"}
		write(t, s, func(tx *store.Tx) error {
			second := first
			second.At, second.Who, second.Outcome, second.Object = 0, "Bob", "refused", "hr"
			other := first
			other.Tenant = "other"
			return errors.Join(tx.AddAudit(first), tx.AddAudit(second), tx.AddAudit(other))
		})
		write(t, s, func(tx *store.Tx) error {
			for _, c := range []struct {
				f    store.AuditFilter
				want int
			}{
				{store.AuditFilter{}, 2}, {store.AuditFilter{Who: "ADA"}, 1}, {store.AuditFilter{Who: "corp#7"}, 2}, {store.AuditFilter{Outcome: "refused"}, 1},
				{store.AuditFilter{Object: "CORP"}, 1}, {store.AuditFilter{Action: "approve-held"}, 2}, {store.AuditFilter{Until: 6}, 1},
				{store.AuditFilter{Since: 6}, 1}, {store.AuditFilter{Before: 2}, 1},
			} {
				if got, err := tx.ListAudit(tenant, c.f, 10); err != nil || len(got) != c.want {
					t.Errorf("ListAudit(%+v) = %d lines, %v; want %d", c.f, len(got), err, c.want)
				}
			}
			got, err := tx.ListAudit(tenant, store.AuditFilter{Before: 2}, 10)
			if diff := cmp.Diff([]store.Audited{first}, got); diff != "" {
				t.Error(diff)
			}
			return err
		})
		for _, change := range store.ChangesOfAudit {
			if err := s.Write(context.Background(), change); err == nil {
				t.Error("a line of the audit was changed or removed")
			}
		}
		_ = s.Read(context.Background(), func(tx *store.Tx) error {
			if got, err := tx.ListAudit(tenant, store.AuditFilter{}, 10); err != nil || len(got) != 2 {
				t.Errorf("the audit has %d lines, %v; want 2", len(got), err)
			}
			return nil
		})
	})
}

// What is done last is in the first transaction that writes, and only if that is committed.
func TestWithClosing_isOfTheFirstCommit(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		ctx, done := store.WithClosing(context.Background(), func(tx *store.Tx) error {
			return tx.AddAudit(store.Audited{Tenant: tenant, Who: "Ada", Outcome: "done"})
		})
		refused := errors.New("refused")
		if err := s.Write(ctx, func(*store.Tx) error { return refused }); !errors.Is(err, refused) || done() {
			t.Errorf("Write = %v, done %v; want the refusal, and nothing done", err, done())
		}
		for range 2 {
			if err := s.Read(ctx, func(*store.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if err := s.WriteTenant(ctx, tenant, func(*store.Tx) error { return nil }); err != nil || !done() {
				t.Fatalf("WriteTenant = %v, done %v; want nil, true", err, done())
			}
		}
		_ = s.Read(context.Background(), func(tx *store.Tx) error {
			if got, err := tx.ListAudit(tenant, store.AuditFilter{}, 10); err != nil || len(got) != 1 {
				t.Errorf("the audit has %d lines, %v; want 1", len(got), err)
			}
			return nil
		})
		broken, _ := store.WithClosing(context.Background(), func(*store.Tx) error { return refused })
		if err := s.Write(broken, func(tx *store.Tx) error { return tx.PutTenant("unaudited") }); !errors.Is(err, refused) {
			t.Errorf("Write = %v; want what closing it gave", err)
		}
		_ = s.Read(context.Background(), func(tx *store.Tx) error {
			if got, err := tx.Tenants(); err != nil || len(got) != 0 {
				t.Errorf("Tenants = %v, %v; want none of what could not be audited", got, err)
			}
			return nil
		})
	})
}
