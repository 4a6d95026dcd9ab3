package snapshot_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/snapshot"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const million = 1_000_000

// A million objects cost memory for bits and an index, not for objects, in the
// first read (all new), in one with nothing changed, and in one that is half different.
func TestRead_memoryOfAMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a million objects three times")
	}
	if raced {
		t.Skip("measures memory")
	}
	dir := t.TempDir()
	for _, step := range []struct {
		name   string
		odd    byte
		change int
	}{{"first", 0, million}, {"nothing changed", 0, 0}, {"half changed", 1, million / 2}} {
		s, r := begin(t, dir)
		peak := uint64(0)
		before := heap()
		feed(t, r, million, step.odd, func(int) { peak = max(peak, heap()) })
		if err := r.Commit(nil); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, heap())
		if r.Changed() != step.change {
			t.Errorf("%s: %d changed; want %d", step.name, r.Changed(), step.change)
		}
		t.Logf("%s: heap in use %d MiB before, at most %d MiB; resident %s", step.name, before>>20, peak>>20, resident())
		if limit := uint64(40 << 20); peak > limit {
			t.Errorf("%s: %d MiB of heap in use; want at most %d", step.name, peak>>20, limit>>20)
		}
		s.Close()
	}
}

// BenchmarkFilter_unchanged looks a million objects of 1 KiB up, none of which
// changed, and compares with hashing them alone. To reach: 500,000 records/s.
func BenchmarkFilter_unchanged(b *testing.B) {
	dir := b.TempDir()
	for range 2 { // the first makes the base, the second leaves a trail
		s, r := begin(b, dir)
		feed(b, r, million, 0, func(int) {})
		if err := r.Commit(nil); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	batch, object := newBatch(), make([]byte, 1024)
	var filtered, hashed time.Duration
	n := 0
	for b.Loop() {
		s, r := begin(b, dir)
		began := time.Now()
		for i := 0; i < million; i += len(batch) {
			fill(batch, i, 0, object)
			if _, err := r.Filter(nil, batch[:]); err != nil {
				b.Fatal(err)
			}
		}
		filtered += time.Since(began)
		if r.Changed() != 0 {
			b.Fatalf("%d changed; want none", r.Changed())
		}
		r.Discard()
		s.Close()
		began = time.Now()
		for i := 0; i < million; i += len(batch) {
			fill(batch, i, 0, object)
			for _, rec := range batch {
				sha256.Sum256([]byte(rec.Id))
				sha256.Sum256(rec.Object)
			}
		}
		hashed += time.Since(began)
		n += million
	}
	b.ReportMetric(float64(n)/filtered.Seconds(), "records/s")
	b.ReportMetric(float64(n)/hashed.Seconds(), "hashes/s")
	b.ReportMetric(hashed.Seconds()/filtered.Seconds(), "ratio")
}

func begin(t testing.TB, dir string) (*snapshot.Snapshot, *snapshot.Read) {
	t.Helper()
	s, err := snapshot.Open(dir, system)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Begin(set, snapshot.Options{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// feed hands n objects to r; odd ones bear the mark odd. It calls each every 50,000.
func feed(t testing.TB, r *snapshot.Read, n int, odd byte, each func(int)) {
	t.Helper()
	batch, object := newBatch(), make([]byte, 1024)
	for i := 0; i < n; i += len(batch) {
		fill(batch, i, odd, object)
		if _, err := r.Filter(nil, batch[:]); err != nil {
			t.Fatal(err)
		}
		if i%50_000 == 0 {
			each(i)
		}
	}
	for id, err := range r.Gone() {
		t.Fatalf("Gone() = %s, %v; want none", id, err)
	}
}

func newBatch() []*connectorv1.Record {
	batch := make([]*connectorv1.Record, 500)
	for i := range batch {
		batch[i] = &connectorv1.Record{}
	}
	return batch
}

// fill makes batch the objects from number from on; what Filter left of its order does not matter.
func fill(batch []*connectorv1.Record, from int, odd byte, object []byte) {
	for i := range batch {
		n := from + i
		binary.LittleEndian.PutUint64(object, uint64(n))
		object[8] = odd * byte(n%2)
		batch[i] = &connectorv1.Record{Id: fmt.Sprintf("5d2b1c44-0000-0000-0000-%012d", n), Object: append([]byte(nil), object...)}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// resident returns what Linux says of this process's memory now.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
