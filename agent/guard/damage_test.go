package guard_test

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/drawbridge-id/drawbridge/agent/guard"
)

// spent is a journal of some budgets in use, as a file, and what it says.
func spent(t *testing.T) (d *desk, file string, whole []byte, says map[string]map[string][2]int) {
	t.Helper()
	d = newDesk(t, tenAnHour)
	if got := d.passed(7); got != 7 {
		t.Fatalf("%d of 7 deletes passed", got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(d.dir, "guard.db")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d.open()
	says = d.Spent()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return d, file, whole, says
}

// Whatever bits of guard.db flip, and wherever it ends: the guard opens with just
// what was spent, or not at all, and says what to do. It never gives a budget back.
func TestOpen_damagedJournal(t *testing.T) {
	t.Parallel()
	d, file, whole, says := spent(t)
	rnd := rand.New(rand.NewPCG(7, 11))
	refused := 0
	for n := range 400 {
		text := append([]byte(nil), whole...)
		if n%8 == 7 {
			text = text[:rnd.IntN(len(text))]
		} else {
			for range 1 << rnd.IntN(4) {
				at := rnd.IntN(len(text))
				text[at] ^= 1 << rnd.IntN(8)
			}
		}
		if len(text) == 0 { // a new file
			continue
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := guard.Open(guard.Options{Policy: filepath.Join(d.dir, "guardrail.yaml"), Data: d.dir,
			Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return d.now }})
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "guard.db") || !strings.Contains(err.Error(), "restore it") && !strings.Contains(err.Error(), "newer release") {
				t.Fatalf("%d: refused with %v; want the file, and what to do", n, err)
			}
			continue
		}
		if got := g.Spent(); got["app"]["delete"] != says["app"]["delete"] {
			t.Fatalf("%d: opened, and says that %v was spent; want %v, or a refusal", n, got, says)
		}
		if err := g.Close(); err != nil && !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("%d: close: %v", n, err)
		}
	}
	if refused < 50 {
		t.Errorf("%d of 400 damaged files were refused; want many: nothing was looked at", refused)
	}
}

// What the release before has written, without checksums, is taken over.
func TestOpen_journalWithoutSums(t *testing.T) {
	t.Parallel()
	d, file, _, says := spent(t)
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"counts", "approvals", "seen"} {
			b, values := tx.Bucket([]byte(name)), map[string][]byte{}
			if err := b.ForEach(func(k, v []byte) error {
				values[string(k)] = append([]byte(nil), v[:len(v)-4]...)
				return nil
			}); err != nil {
				return err
			}
			for k, v := range values {
				if err := b.Put([]byte(k), v); err != nil {
					return err
				}
			}
		}
		meta := tx.Bucket([]byte("meta"))
		if digest := meta.Get([]byte("digest")); digest != nil {
			if err := meta.Put([]byte("digest"), append([]byte(nil), digest[:len(digest)-4]...)); err != nil {
				return err
			}
		}
		return meta.Put([]byte("schema"), []byte("1"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.open()
		if got := d.Spent(); got["app"]["delete"] != says["app"]["delete"] {
			t.Errorf("spent = %v; want %v", got, says)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
