package snapshot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/agent/snapshot"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Reads find the same whether they follow the trail of the last one, come upon
// more and less than it has, in another order, or it is damaged. One that leads
// nowhere is removed, and the next read leaves another.
func TestTrail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, strings.TrimSuffix(snapshot.FileName(system), ".snap")+".trail")
	var all []*connectorv1.Record
	for i := range 10_000 {
		all = append(all, object(fmt.Sprintf("w%05d", i), "a"))
	}
	none := []string(nil)
	for _, step := range []struct {
		name   string
		spoil  func(trail []byte)
		come   func([]*connectorv1.Record) []*connectorv1.Record
		out    []string // forwarded, then gone
		before bool     // there is a trail before
		after  bool
	}{
		{"first", nil, same, nil, false, false},
		{"unchanged", nil, same, none, false, true},
		{"along the trail", nil, same, none, true, true},
		{"more and less", nil, func(all []*connectorv1.Record) []*connectorv1.Record {
			all = slices.Delete(all, 100, 103)
			all[5000] = object("w05003", "b")
			return slices.Insert(all, 7000, object("new", "a"))
		}, []string{"w05003=b", "new=a", "-w00100", "-w00101", "-w00102"}, true, true},
		{"back again", nil, same, []string{"w00100=a", "w00101=a", "w00102=a", "w05003=a", "-new"}, true, true},
		{"another order", nil, backwards, none, true, false},
		{"the trail of that", nil, backwards, none, false, true},
		{"along it", nil, backwards, none, true, true},
		{"a bit of a part is wrong", func(trail []byte) { trail[len(trail)/2] ^= 4 }, backwards, none, true, false},
		{"anew", nil, same, none, false, true},
		{"the end is cut off", func(trail []byte) { trail[len(trail)-1] = 0 }, same, none, true, false},
		{"one more", nil, same, none, false, true},
		{"another base", func(trail []byte) { trail[8] ^= 1 }, same, none, true, true},
	} {
		if len(all) != 10_000 {
			t.Fatal("the steps changed what all have")
		}
		if _, err := os.Stat(path); (err == nil) != step.before {
			t.Fatalf("before %s: trail: %v; want one: %v", step.name, err, step.before)
		}
		if step.spoil != nil {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			step.spoil(data)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := readAll(t, dir, step.come(slices.Clone(all)))
		if step.out == nil && step.name == "first" {
			if len(out) != len(all) {
				t.Fatalf("the first read forwards %d; want %d", len(out), len(all))
			}
		} else if diff := cmp.Diff(step.out, out); diff != "" {
			t.Errorf("%s: forwarded and gone (-want +got):\n%s", step.name, diff)
		}
		if _, err := os.Stat(path); (err == nil) != step.after {
			t.Errorf("after %s: trail: %v; want one: %v", step.name, err, step.after)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
}

func same(all []*connectorv1.Record) []*connectorv1.Record { return all }

func backwards(all []*connectorv1.Record) []*connectorv1.Record {
	slices.Reverse(all)
	return all
}

// readAll reads the records in full and returns what was forwarded, and gone.
func readAll(t *testing.T, dir string, come []*connectorv1.Record) (out []string) {
	t.Helper()
	s, r := begin(t, dir)
	defer s.Close()
	s.SetLimits(200, 1000)
	for batch := range slices.Chunk(come, 500) {
		forward, err := r.Filter(nil, slices.Clone(batch))
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range forward {
			out = append(out, rec.GetId()+"="+string(rec.GetObject()))
		}
	}
	var gone []string
	for id, err := range r.Gone() {
		if err != nil {
			t.Fatal(err)
		}
		gone = append(gone, "-"+id)
	}
	slices.Sort(gone)
	if err := r.Commit(nil); err != nil {
		t.Fatal(err)
	}
	return append(out, gone...)
}
