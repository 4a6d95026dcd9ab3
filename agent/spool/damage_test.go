package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"go.etcd.io/bbolt"
)

// Whatever has happened to the file: nothing is lost in silence. The file is
// kept, the new one has another id, and the agent goes on.
func TestOpen_setsDamagedFileAside(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func([]byte) []byte{
		"cut off":         func(b []byte) []byte { return b[:len(b)/2] },
		"cut to a page":   func(b []byte) []byte { return b[:4<<10] },
		"not a spool":     func(b []byte) []byte { return bytes.Repeat([]byte("#"), len(b)) },
		"few bytes":       func([]byte) []byte { return []byte("hello") },
		"zeros":           func(b []byte) []byte { return make([]byte, len(b)) },
		"both beginnings": func(b []byte) []byte { clear(b[16:80]); clear(b[4<<10+16 : 4<<10+80]); return b },
		"after them":      func(b []byte) []byte { clear(b[8<<10:]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "damage")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) }) // Windows keeps a damaged file that is mapped still
			path := filepath.Join(dir, "spool.db")
			s := openSpool(t, path, spool.Options{})
			for id := uint64(1); id <= 300; id += 100 {
				jobs := make([]*linkv1.Job, 100)
				for i := range jobs {
					jobs[i] = kibibyte(id + uint64(i))
				}
				accept(t, s, jobs...)
			}
			id := s.ID()
			closeSpool(t, s)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			broken := harm(whole)
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}

			s = openSpool(t, path, spool.Options{})
			damage := s.Damage()
			if damage == nil || !errors.Is(damage, spool.ErrDamaged) {
				t.Fatalf("Damage() = %v; want ErrDamaged", damage)
			}
			if kept, err := os.ReadFile(damage.Kept); err != nil || !bytes.Equal(kept, broken) {
				t.Errorf("%s is not the file that was there (%v)", damage.Kept, err)
			}
			if s.ID() == id || s.Waiting(ad) != 0 {
				t.Errorf("ID() = %s with %d jobs; want another id and none", s.ID(), s.Waiting(ad))
			}
			accept(t, s, job(1, 0))
			closeSpool(t, s)
			if s := openSpool(t, path, spool.Options{}); s.Damage() != nil || s.Waiting(ad) != 1 {
				t.Errorf("opened again: Damage() = %v, %d jobs; want nil, 1", s.Damage(), s.Waiting(ad))
			}
		})
	}
}

// Damage that Open cannot see without reading everything is met later: the spool
// stops rather than lie or crash, and the next Open reads everything.
func TestSpool_stopsAtDamageMetLater(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	for id := uint64(1); id <= 2000; id++ {
		if id%500 == 1 {
			jobs := make([]*linkv1.Job, 500)
			for i := range jobs {
				jobs[i] = kibibyte(id + uint64(i))
			}
			accept(t, s, jobs...)
		}
	}
	closeSpool(t, s)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The pages that hold job 1000: their heads are overwritten, as by a disk that lost a write.
	at := bytes.Index(data, []byte("000000001000"))
	if at < 0 {
		t.Fatal("job 1000 not found in the file")
	}
	for page := at / (4 << 10) * (4 << 10); at >= 0; page = at / (4 << 10) * (4 << 10) {
		copy(data[page:page+64], bytes.Repeat([]byte{0xff}, 64))
		clear(data[page+64 : page+4<<10])
		at = bytes.Index(data, []byte("000000001000"))
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}

	s = openSpool(t, path, spool.Options{})
	if s.Damage() != nil {
		t.Skip("the damage was found at once")
	}
	if _, _, err := s.Next(ad, spool.Key{}, 5000, now); !errors.Is(err, spool.ErrDamaged) {
		t.Fatalf("Next() over the damaged page = %v; want ErrDamaged", err)
	}
	if _, err := s.Accept(t.Context(), []*linkv1.Job{job(9999, 0)}); !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("Accept() after damage was met = %v; want ErrDamaged", err)
	}
	s.Close()
	s = openSpool(t, path, spool.Options{})
	if s.Damage() == nil {
		t.Error("Damage() of the next Open = nil; want the file set aside")
	}
	if left, _ := filepath.Glob(path + ".suspect"); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// Foreign bytes in the place of a job must be an error, never a crash.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 16))
	f.Add(append(make([]byte, 16), 0x08, 0x01, 0x12))
	f.Fuzz(func(t *testing.T, value []byte) {
		path := filepath.Join(t.TempDir(), "spool.db")
		s := openSpool(t, path, spool.Options{Reserve: 1})
		accept(t, s, job(1, 0))
		closeSpool(t, s)
		overwrite(t, path, value)
		s = openSpool(t, path, spool.Options{Reserve: 1})
		jobs, _, err := s.Next(ad, spool.Key{}, 10, now)
		if err != nil && !errors.Is(err, spool.ErrDamaged) || err == nil && len(jobs) > 1 {
			t.Errorf("Next() over %x = %v, %v", value, jobs, err)
		}
	})
}

// overwrite puts value in the place of job 1.
func overwrite(t *testing.T, path string, value []byte) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		key := spool.KeyOf(job(1, 0))
		return tx.Bucket([]byte("jobs")).Bucket([]byte(ad)).Put(key[:], value)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Whoever looks must not change what there is, nor wait for the agent that holds it.
func TestInspect_changesNothing(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0), job(2, 0), job(3, 0))
	finish(t, s, job(2, 0))
	if _, err := spool.Inspect(path); !errors.Is(err, spool.ErrInUse) {
		t.Errorf("Inspect(in use) = %v; want ErrInUse", err)
	}
	closeSpool(t, s)
	want := spool.Summary{ID: s.ID(), Jobs: 2, Results: 1}
	if got, err := spool.Inspect(path); got != want || err != nil {
		t.Errorf("Inspect() = %+v, %v; want %+v", got, err, want)
	}
	if err := os.Truncate(path, 10<<10); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Inspect(path); !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("Inspect(cut off) = %v; want ErrDamaged", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 10<<10 {
		t.Errorf("Inspect() did not leave the damaged file alone: %v", err)
	}
}
