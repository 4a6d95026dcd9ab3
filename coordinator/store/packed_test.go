package store_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

var longReasons = "[" + strings.Repeat(`{"attribute":"department","after":["Forschung Ł"]},`, 40) + "{}]"

// Reasons come back as they were given, however long.
func TestReasons(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		for i, reasons := range []string{"[]", `[{"rule":"a"}]`, longReasons} {
			job := store.Job{ID: int64(i + 1), Tenant: tenant, State: store.JobHeld, Reasons: reasons}
			write(t, s, func(tx *store.Tx) error { return tx.AddJobs([]store.Job{job}) })
			if got := reasonsOf(t, s, job.ID); got != reasons {
				t.Errorf("%q came back as %q", reasons, got)
			}
		}
	})
}

// A file holds them in a third of their length at most, and still knows those of
// releases that did not.
func TestReasons_inAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordinator.db")
	s := storetest.OpenAs(t, path)
	write(t, s, func(tx *store.Tx) error {
		return tx.AddJobs([]store.Job{{ID: 1, Tenant: tenant, State: store.JobHeld, Reasons: longReasons}})
	})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var kind string
	var length int
	if err := db.QueryRow("SELECT typeof(reasons), length(reasons) FROM job_work").Scan(&kind, &length); err != nil {
		t.Fatal(err)
	}
	if kind != "blob" || length > len(longReasons)/3 {
		t.Errorf("%d bytes are a %s of %d", len(longReasons), kind, length)
	}
	if _, err := db.Exec("UPDATE job_work SET reasons = ?", longReasons); err != nil {
		t.Fatal(err)
	}
	if got := reasonsOf(t, s, 1); got != longReasons {
		t.Errorf("those of before came back as %q", got)
	}
}

func reasonsOf(t *testing.T, s *store.Store, id int64) (reasons string) {
	t.Helper()
	read(t, s, func(tx *store.Tx) error {
		job, err := tx.JobWithWork(tenant, id)
		reasons = job.Reasons
		return err
	})
	return reasons
}
