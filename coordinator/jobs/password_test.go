package jobs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// What nobody picks up is forgotten after its time, not before, and nothing of it stays in the log.
func TestForget(t *testing.T) {
	t.Parallel()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w := rehearsal.New(t)
	w.Apply(strings.Replace(rehearsal.Documents, "  lifecycle:", "  password: {recipients: ["+key.Recipient().String()+"]}\n  lifecycle:", 1))
	w.Read("hr", rehearsal.Worker("E1", "Ada", "Lovelace"))
	w.Settle()
	kept := func() (rows []store.Password) {
		w.Write(func(tx *store.Tx) (err error) {
			rows, err = tx.Passwords(rehearsal.Tenant, "", 10)
			return err
		})
		return rows
	}
	rows := kept()
	if len(rows) != 1 {
		t.Fatalf("%d passwords are kept; want 1", len(rows))
	}
	for _, at := range []struct {
		after time.Duration
		want  int
	}{{jobs.PasswordLife - time.Minute, 1}, {jobs.PasswordLife + time.Minute, 0}} {
		if err := w.Queue.Forget(t.Context(), time.Now().Add(at.after)); err != nil {
			t.Fatal(err)
		}
		if n := len(kept()); n != at.want {
			t.Errorf("%d passwords after %v; want %d", n, at.after, at.want)
		}
	}
	w.Write(func(tx *store.Tx) error {
		log, err := tx.HistoryAfter(rehearsal.Tenant, 0, 100)
		if !slices.ContainsFunc(log, func(h store.History) bool { return strings.HasPrefix(h.Text, "new password forgotten") }) {
			t.Error("the log does not say that the password was forgotten")
		}
		for _, h := range log {
			if strings.Contains(string(h.Body), "sealed_password") {
				t.Errorf("the log keeps the sealed password: %s", h.Body)
			}
		}
		return err
	})
}
