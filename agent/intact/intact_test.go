package intact_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/drawbridge-id/drawbridge/agent/intact"
)

var bucket = []byte("b")

// written is a file of some values with checksums.
func written(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.db")
	db, err := intact.Open(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		for i := range 40 {
			key := fmt.Appendf(nil, "key %02d", i)
			err = errors.Join(err, intact.Put(b, key, append([]byte("value of "), key...)))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// look opens a file and reads all that is in it.
func look(path string) (values int, err error) {
	db, err := intact.Open(path, time.Second)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	defer intact.Recovered(&err)
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, stored []byte) error {
			v, err := intact.WithoutSum(k, stored)
			if err == nil && string(v) != "value of "+string(k) {
				err = fmt.Errorf("%s is %q", k, v)
			}
			values++
			return err
		})
	})
	return values, err
}

// What was put is what is got; of a value that changed, or went to another key,
// it is said.
func TestGet(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file.db")
	if err := os.WriteFile(path, written(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := look(path); n != 40 || err != nil {
		t.Fatalf("%d values, %v; want 40", n, err)
	}
	db, err := intact.Open(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		err := b.Put([]byte("key 01"), b.Get([]byte("key 02")))
		return errors.Join(err, b.Put([]byte("key 03"), []byte("abc")))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		for key, damaged := range map[string]bool{"key 00": false, "key 01": true, "key 02": false, "key 03": true, "none": false} {
			if _, err := intact.Get(b, []byte(key)); errors.Is(err, intact.ErrDamaged) != damaged {
				t.Errorf("Get(%s) = %v; want damaged: %v", key, err, damaged)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Whatever bytes a file has, opening and reading it ends, with no value but
// those that were written.
func FuzzOpen(f *testing.F) {
	whole := written(f)
	f.Add(0, byte(0), len(whole))
	for _, at := range []int{16, 24, 64, 4096 + 24, 2*4096 + 8, 2*4096 + 12, 3*4096 + 9, 3*4096 + 20, 3*4096 + 32, len(whole) - 1} {
		f.Add(at, byte(1), len(whole))
		f.Add(at, byte(0x80), len(whole)-1)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, at int, mask byte, size int) {
		text := append([]byte(nil), whole...)
		if at >= 0 && at < len(text) {
			text[at] ^= mask
		}
		if size >= 0 && size < len(text) {
			text = text[:size]
		}
		path := filepath.Join(dir, "file.db")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := look(path); err != nil && !errors.Is(err, intact.ErrDamaged) {
			t.Errorf("byte %d changed by %#x, %d bytes: %v; want it whole, or damaged", at, mask, size, err)
		}
	})
}
