package snapshot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/snapshot"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const system = "hr"

var set = []byte("row: all")

// However reads follow upon each other, and whether they end, are broken off or
// the agent restarts: what is forwarded turns what the coordinator had into
// what is there, and nothing that it has already is sent.
func TestSnapshot_behavesAsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{t: rt, dir: dir, sent: map[string]string{}, there: map[string]string{}}
		m.open()
		defer func() { m.snap.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"change":   m.change,
			"full":     m.full,
			"delta":    m.delta,
			"breakOff": m.breakOff,
			"restart":  func(*rapid.T) { m.snap.Close(); m.open() },
			"": func(rt *rapid.T) {
				if got := m.snap.Known(); got != len(m.sent) {
					rt.Fatalf("Known() = %d; want %d", got, len(m.sent))
				}
			},
		})
	})
}

type model struct {
	t     *rapid.T
	dir   string
	snap  *snapshot.Snapshot
	there map[string]string // what the system holds
	dirty []string          // ids changed since the last read that ended
	sent  map[string]string // what was forwarded and committed
	reads int
}

func (m *model) open() {
	var err error
	if m.snap, err = snapshot.Open(m.dir, system); err != nil {
		m.t.Fatal(err)
	}
	m.snap.SetLimits(150, 60)
}

func (m *model) change(t *rapid.T) {
	for range rapid.IntRange(1, 200).Draw(t, "changes") {
		id := fmt.Sprint("w", rapid.IntRange(0, 600).Draw(t, "id"))
		if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
			delete(m.there, id)
		} else {
			m.there[id] = fmt.Sprint("v", rapid.IntRange(0, 3).Draw(t, "value"))
		}
		m.dirty = append(m.dirty, id)
	}
}

func (m *model) full(t *rapid.T) {
	r := m.begin(t, snapshot.Options{Full: true})
	sent := m.filter(t, r, m.all(t))
	for id, err := range r.Gone() {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.sent[id]; !ok {
			t.Fatalf("Gone() named %s, which was never sent", id)
		}
		delete(sent, id)
	}
	m.commit(t, r)
	if diff := cmp.Diff(m.there, sent); diff != "" {
		t.Fatalf("after a full read the coordinator has (-want +got):\n%s", diff)
	}
	m.sent, m.dirty = sent, nil
}

func (m *model) delta(t *rapid.T) {
	if m.reads == 0 {
		return
	}
	r := m.begin(t, snapshot.Options{})
	var recs []*connectorv1.Record
	for _, id := range m.dirty { // one that changed twice comes twice, as it is now
		if v, ok := m.there[id]; ok {
			recs = append(recs, object(id, v))
		} else {
			recs = append(recs, &connectorv1.Record{Id: id, Deleted: true})
		}
	}
	sent := m.filter(t, r, recs)
	m.commit(t, r)
	if diff := cmp.Diff(m.there, sent); diff != "" {
		t.Fatalf("after a delta the coordinator has (-want +got):\n%s", diff)
	}
	m.sent, m.dirty = sent, nil
}

// breakOff is a full read of which only a part came.
func (m *model) breakOff(t *rapid.T) {
	r := m.begin(t, snapshot.Options{Full: true})
	recs := m.all(t)
	sent := m.filter(t, r, recs[:rapid.IntRange(0, len(recs)).Draw(t, "part")])
	if rapid.Bool().Draw(t, "keep") {
		if err := r.CommitPartial(); err != nil {
			t.Fatal(err)
		}
		m.sent = sent
	} else {
		r.Discard()
	}
	m.dirty = append(m.dirty, slices.Collect(mapsKeys(m.there))...) // until something ends, all may differ
}

func (m *model) all(t *rapid.T) (recs []*connectorv1.Record) {
	ids := slices.Sorted(mapsKeys(m.there)) // mostly they come so
	if rapid.IntRange(0, 3).Draw(t, "out of order") == 0 {
		ids = rapid.Permutation(ids).Draw(t, "order")
	}
	for _, id := range ids {
		recs = append(recs, object(id, m.there[id]))
	}
	return recs
}

func (m *model) begin(t *rapid.T, opt snapshot.Options) *snapshot.Read {
	r, err := m.snap.Begin(set, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// filter returns what the coordinator will have.
func (m *model) filter(t *rapid.T, r *snapshot.Read, recs []*connectorv1.Record) map[string]string {
	sent := map[string]string{}
	for id, v := range m.sent {
		sent[id] = v
	}
	came := map[string]bool{}
	for batch := range slices.Chunk(recs, 50) {
		out, err := r.Filter(nil, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range out {
			id, v := rec.GetId(), string(rec.GetObject())
			if rec.GetDeleted() {
				delete(sent, id)
				continue
			}
			// One that comes twice may be sent twice, and much of what comes in a large delta.
			if sent[id] == v && !came[id] && len(recs) < 60 {
				t.Fatalf("Filter() forwarded %s, which the coordinator has as %s", id, v)
			}
			sent[id], came[id] = v, true
		}
	}
	return sent
}

func (m *model) commit(t *rapid.T, r *snapshot.Read) {
	m.reads++
	cookie := fmt.Sprint("cookie ", m.reads)
	if err := r.Commit([]byte(cookie)); err != nil {
		t.Fatal(err)
	}
	if got := string(m.snap.Cookie(set)); got != cookie {
		t.Fatalf("Cookie() = %q; want %q", got, cookie)
	}
	if got := m.snap.Cookie([]byte("other attributes")); got != nil {
		t.Fatalf("Cookie(other set) = %q; want none", got)
	}
}

func mapsKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func object(id, value string) *connectorv1.Record {
	return &connectorv1.Record{Id: id, Object: []byte(value)}
}

// Enough objects for runs on disk, many blocks, and a base that is merged anew.
func TestSnapshot_isRebased(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const n = 100_000
	value := map[int]string{}
	read := func(wantChanged, wantGone int) {
		t.Helper()
		s, err := snapshot.Open(dir, system)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r, err := s.Begin(set, snapshot.Options{Full: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if v, ok := value[i]; ok {
				if _, err := r.Filter(nil, []*connectorv1.Record{object(fmt.Sprint(i), v)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		gone := 0
		for id, err := range r.Gone() {
			if err != nil || !strings.HasSuffix(id, "7") {
				t.Fatalf("Gone() = %q, %v; want one that ends in 7", id, err)
			}
			gone++
		}
		if r.Changed() != wantChanged || gone != wantGone || r.Deleted() != wantGone {
			t.Errorf("changed %d, gone %d, Deleted() %d; want %d, %d, %d", r.Changed(), gone, r.Deleted(), wantChanged, wantGone, wantGone)
		}
		if err := r.Commit([]byte("c")); err != nil {
			t.Fatal(err)
		}
		if s.Known() != len(value) {
			t.Errorf("Known() = %d; want %d", s.Known(), len(value))
		}
	}
	for i := range n {
		value[i] = "a"
	}
	read(n, 0)
	read(0, 0) // and leaves a trail
	before := stat(t, dir)
	read(0, 0)
	if diff := cmp.Diff(before, stat(t, dir)); diff != "" {
		t.Errorf("a read that found nothing changed the files (-before +after):\n%s", diff)
	}
	for i := range n {
		if i%2 == 0 {
			value[i] = "b"
		}
		if i%10 == 7 {
			delete(value, i)
		}
	}
	read(n/2, n/10)
	value[1], value[3] = "c", "c"
	delete(value, 17)
	delete(value, 117) // gone already
	value[27] = "back"
	read(3, 0)
	delete(value, 27)
	read(0, 1)
	read(0, 0)
}

// A log that outlived its base, because a crash came before it was removed, is contained in the new one and must not be applied to it.
func TestOpen_ignoresTheLogOfAnEarlierBase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	read := func(value string, n int) {
		t.Helper()
		s, r := begin(t, dir)
		defer s.Close()
		s.SetLimits(10, 10)
		for i := range n {
			if _, err := r.Filter(nil, []*connectorv1.Record{object(fmt.Sprint(i), value)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range r.Gone() {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Commit(nil); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, strings.TrimSuffix(snapshot.FileName(system), ".snap")+".log")
	read("a", 8)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read("b", 30)
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the log is there after the base was made anew")
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s, r := begin(t, dir)
	defer s.Close()
	changed, err := r.Filter(nil, []*connectorv1.Record{object("1", "b")})
	if err != nil || len(changed) != 0 || s.Known() != 30 {
		t.Errorf("object 1 counts as changed: %v, %v; %d known, want 30", changed, err, s.Known())
	}
}

// What only the log knew, and a read that makes a new base did not see, is not carried over.
func TestCommit_dropsUnseenOfTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	read := func(value string, from, to int) {
		t.Helper()
		s, r := begin(t, dir)
		defer s.Close()
		s.SetLimits(10, 10)
		for i := from; i < to; i++ {
			if _, err := r.Filter(nil, []*connectorv1.Record{object(fmt.Sprint(i), value)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range r.Gone() {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Commit(nil); err != nil {
			t.Fatal(err)
		}
		if s.Known() != to-from {
			t.Errorf("Known() = %d; want %d", s.Known(), to-from)
		}
	}
	read("a", 0, 50)
	read("a", 0, 55)
	read("b", 0, 52)
}

// stat returns size and time of every file.
func stat(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(e.Name(), info.Size(), info.ModTime()))
	}
	return out
}

// Two systems never share a file, and none has a name that a file system refuses.
func TestFileName_isSafeAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"hr", "HR", "h/r", "h\\r", "../hr", "con", "Zoë", "a b", strings.Repeat("x", 300), strings.Repeat("x", 301)} {
		file := snapshot.FileName(name)
		if other, dup := seen[file]; dup {
			t.Errorf("FileName(%q) = FileName(%q)", name, other)
		}
		seen[file] = name
		if filepath.Base(file) != file || len(file) > 100 || strings.ContainsAny(file, `/\:*?"<>| `) {
			t.Errorf("FileName(%q) = %q; want a plain name", name, file)
		}
	}
}

// What objects have in common and do not hold is part of each: another is a change of all.
func TestFilter_common(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, step := range []struct {
		common string
		want   int
	}{{"table a", 2}, {"table a", 0}, {"table b", 2}, {"", 2}, {"", 0}} {
		s, r := begin(t, dir)
		out, err := r.Filter([]byte(step.common), []*connectorv1.Record{object("1", "x"), object("2", "y")})
		if err != nil || len(out) != step.want {
			t.Errorf("Filter(%q) forwards %d, %v; want %d", step.common, len(out), err, step.want)
		}
		if err := r.Commit(nil); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}
