package ldap

import (
	"fmt"
	"testing"
)

// A deletion is never overlooked, whatever else happened; where nothing was
// deleted and times tell old from new, nobody reads everything for nothing.
func TestDelta_lost(t *testing.T) {
	t.Parallel()
	id := func(i int) string { return fmt.Sprintf("8d1f4b6e-0c5a-4d5e-9f10-%012d", i) }
	var before census
	for i := range 100 {
		before.add(id(i))
	}
	for name, tt := range map[string]struct {
		unchanged, changed int // of those there before, the first ones
		added              int
		want               bool
	}{
		"nothing":                       {unchanged: 100},
		"changes":                       {unchanged: 90, changed: 10},
		"changes and new ones":          {unchanged: 90, changed: 10, added: 5},
		"one gone":                      {unchanged: 99, want: true},
		"one gone, one new":             {unchanged: 99, added: 1, want: true},
		"one gone, changes and new":     {unchanged: 90, changed: 9, added: 7, want: true},
		"all gone":                      {want: true},
		"more new than were there once": {unchanged: 100, added: 200},
	} {
		var d delta
		for i := range tt.unchanged {
			d.present.add(id(i))
		}
		for i := range tt.added { // the server gives them in any order
			d.changed = append(d.changed, candidate{id: id(1000 + i), created: "20260102000000Z"})
		}
		for i := range tt.changed {
			d.changed = append(d.changed, candidate{id: id(tt.unchanged + i), created: "20260101000000Z"})
		}
		if got := d.lost(before); got != tt.want {
			t.Errorf("%s: lost = %v; want %v", name, got, tt.want)
		}
	}
}
