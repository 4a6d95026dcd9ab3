package spool_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/testing/protocmp"
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
		"a circle":        leadBack,
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

// leadBack has every branch of a spool lead back to itself.
func leadBack(b []byte) []byte {
	for page := 0; page+4<<10 <= len(b); page += 4 << 10 {
		if binary.NativeEndian.Uint16(b[page+8:]) == 1 {
			copy(b[page+24:page+32], b[page:page+8]) // its first child is what it is itself
		}
	}
	return b
}

// Damage that Open cannot see, for the pages all make sense, is met later: the
// spool stops rather than lie or crash, whoever watches is told, and the next
// Open sets the file aside. An agent that took it once more would end at every start.
func TestSpool_stopsAtDamageMetLater(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0), job(2, 0))
	closeSpool(t, s)
	overwrite(t, path, bytes.Repeat([]byte{0xff}, 64))

	s = openSpool(t, path, spool.Options{})
	if s.Damage() != nil {
		t.Fatalf("Damage() = %v before anything was read", s.Damage())
	}
	watched := make(chan error, 1)
	go func() { watched <- s.Watch(t.Context()) }()
	if _, _, err := s.Next(ad, spool.Key{}, 5000, now); !errors.Is(err, spool.ErrDamaged) {
		t.Fatalf("Next() over a damaged job = %v; want ErrDamaged", err)
	}
	if err := <-watched; !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("Watch() = %v; want ErrDamaged", err)
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

// Whatever bits have flipped, the process neither ends nor hangs, and what could
// not be read once is not tried again.
func TestSpool_flippedBits(t *testing.T) {
	t.Parallel()
	opt := spool.Options{Reserve: 1}
	s, path := newSpool(t, opt)
	for id := uint64(1); id <= 200; id += 100 {
		jobs := make([]*linkv1.Job, 100)
		for i := range jobs {
			jobs[i] = job(id+uint64(i), 0)
		}
		accept(t, s, jobs...)
		finish(t, s, jobs[3])
		finish(t, s, jobs[50])
		if err := s.PutRecords(t.Context(), &linkv1.Records{System: ad, Job: id}); err != nil {
			t.Fatal(err)
		}
	}
	closeSpool(t, s)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range uint64(60) {
		rnd, harmed := rand.New(rand.NewPCG(seed, i)), bytes.Clone(whole)
		for range 1 + rnd.IntN(16) {
			harmed[rnd.IntN(len(harmed))] ^= 1 << rnd.IntN(8)
		}
		path := filepath.Join(t.TempDir(), "spool.db")
		if err := os.WriteFile(path, harmed, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := spool.Open(path, opt)
		if errors.Is(err, spool.ErrSchema) { // it is the schema's number that has flipped
			continue
		}
		if err != nil {
			t.Fatalf("%d: Open() = %v", i, err)
		}
		met := useAll(t, s)
		s.Close()
		if !errors.Is(met, spool.ErrDamaged) {
			continue
		}
		s, err = spool.Open(path, opt)
		if err != nil || s.Damage() == nil {
			t.Fatalf("%d: opened again after %v: Damage() = nil, %v; want it set aside", i, met, err)
		}
		s.Close()
	}
}

// useAll does with a spool what an agent does until it fails.
func useAll(t *testing.T, s *spool.Spool) error {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Accept(ctx, []*linkv1.Job{job(500, 0)}); err != nil {
		return err
	}
	jobs, _, err := s.Next(ad, spool.Key{}, 1000, now)
	if err != nil {
		return err
	}
	for _, j := range jobs[:min(len(jobs), 2)] {
		if err := s.Finish(ctx, j, result(j.GetId())); err != nil {
			return err
		}
	}
	items, err := s.Unsent(0, 1<<20)
	if err != nil {
		return err
	}
	last := uint64(0)
	for _, i := range items {
		last = i.Seq
	}
	return s.Forget(ctx, []uint64{4, 51}, last)
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

// A bit that flips in a job, a result, a record or a fence makes none of them another one.
func TestSpool_noticesChangedValues(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{"job": "in the job", "result": "in the result", "records": "in the records", "fence": "abcdefgh"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, path := newSpool(t, spool.Options{Reserve: 1})
			waits, ends, answer := job(1, 0), job(2, 0), result(2)
			waits.Object, answer.Server = "in the job", "in the result"
			ends.Object, ends.Fence = "object", binary.BigEndian.Uint64([]byte("abcdefgh"))
			accept(t, s, waits, ends)
			if err := s.Finish(t.Context(), ends, answer); err != nil {
				t.Fatal(err)
			}
			if err := s.PutRecords(t.Context(), &linkv1.Records{System: ad, Trace: "in the records"}); err != nil {
				t.Fatal(err)
			}
			closeSpool(t, s)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data = bytes.ReplaceAll(data, []byte(text), []byte(strings.ToUpper(text)))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			s = openSpool(t, path, spool.Options{Reserve: 1})
			_, _, err = s.Next(ad, spool.Key{}, 10, now)
			if err == nil {
				_, err = s.Unsent(0, 1<<20)
			}
			if err == nil {
				_, err = s.Fence(ad, "object")
			}
			if !errors.Is(err, spool.ErrDamaged) || s.Damage() != nil {
				t.Errorf("read after a change = %v (Damage() = %v); want ErrDamaged", err, s.Damage())
			}
		})
	}
}

// What the release before stored, which had no checksums, is all still there.
func TestOpen_schema1(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{Reserve: 1})
	id, fenced := s.ID(), job(2, 0)
	fenced.Object, fenced.Fence = "object", 7
	accept(t, s, job(1, 0), fenced, job(3, 5))
	finish(t, s, fenced)
	for range 3 {
		if err := s.PutRecords(t.Context(), &linkv1.Records{System: ad, Job: 9}); err != nil {
			t.Fatal(err)
		}
	}
	jobs, _, err := s.Next(ad, spool.Key{}, 10, now)
	items, ierr := s.Unsent(0, 1<<20)
	_, size := s.Held()
	if err := errors.Join(err, ierr); err != nil {
		t.Fatal(err)
	}
	closeSpool(t, s)
	makeSchema1(t, path)
	for range 2 { // made anew, and opened as it is then
		s = openSpool(t, path, spool.Options{Reserve: 1})
		if s.Damage() != nil {
			t.Fatalf("Damage() = %v", s.Damage())
		}
		now1, _, err := s.Next(ad, spool.Key{}, 10, now)
		items1, ierr := s.Unsent(0, 1<<20)
		if err := errors.Join(err, ierr); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(jobs, now1, protocmp.Transform()); diff != "" {
			t.Errorf("jobs (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(items, items1); diff != "" {
			t.Errorf("results and records (-before +after):\n%s", diff)
		}
		if fence, err := s.Fence(ad, "object"); fence != 7 || err != nil {
			t.Errorf("Fence() = %d, %v; want 7", fence, err)
		}
		if _, got := s.Held(); got != size || s.ID() != id {
			t.Errorf("Held() = %d bytes, ID() = %s; want %d, %s", got, s.ID(), size, id)
		}
		closeSpool(t, s)
	}
}

// makeSchema1 takes away what schema 2 has more.
func makeSchema1(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	strip := func(b *bbolt.Bucket) (n int, err error) {
		values := map[string][]byte{}
		err = b.ForEach(func(k, v []byte) error {
			if string(k) != "schema" && v != nil {
				values[string(k)] = bytes.Clone(v[:len(v)-4])
			}
			return nil
		})
		for k, v := range values {
			err = errors.Join(err, b.Put([]byte(k), v))
		}
		return len(values), err
	}
	err = db.Update(func(tx *bbolt.Tx) (err error) {
		for _, name := range []string{"meta", "fences", "results", "done", "counts"} {
			_, stripped := strip(tx.Bucket([]byte(name)))
			err = errors.Join(err, stripped)
		}
		_, jobs := strip(tx.Bucket([]byte("jobs")).Bucket([]byte(ad)))
		n, records := strip(tx.Bucket([]byte("records")))
		counts := tx.Bucket([]byte("counts"))
		size := binary.BigEndian.Uint64(counts.Get([]byte("record bytes"))) - uint64(4*n)
		return errors.Join(err, jobs, records, counts.Put([]byte("record bytes"), binary.BigEndian.AppendUint64(nil, size)),
			tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("1")))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
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
		sum := crc32.Checksum(append(key[:], value...), crc32.MakeTable(crc32.Castagnoli))
		return tx.Bucket([]byte("jobs")).Bucket([]byte(ad)).Put(key[:], binary.BigEndian.AppendUint32(value, sum))
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
