package change_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/change"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

func same(texts []string, _ bool) ([]string, error) { return texts, nil }

// What was seen is deleted and what is new added, value by value; where the
// server cannot compare values, all are replaced.
func TestOnWire(t *testing.T) {
	t.Parallel()
	mail, photo := &schema.Attribute{Name: "mail", Multi: true}, &schema.Attribute{Name: "photo", Multi: true, Unmatched: true}
	for name, tt := range map[string]struct {
		attribute    *schema.Attribute
		expect, want []string
		changes      []wire.Change
	}{
		"swap":    {mail, []string{"a", "b"}, []string{"b", "c"}, []wire.Change{kind(wire.ChangeDelete, "mail", "a"), kind(wire.ChangeAdd, "mail", "c")}},
		"clear":   {mail, []string{"a"}, nil, []wire.Change{kind(wire.ChangeDelete, "mail", "a")}},
		"nothing": {mail, []string{"a"}, []string{"a"}, nil},
		"replace": {photo, []string{"a", "b"}, []string{"b", "c"}, []wire.Change{kind(wire.ChangeReplace, "photo", "b", "c")}},
		"remove":  {photo, []string{"a"}, nil, []wire.Change{kind(wire.ChangeReplace, "photo")}},
	} {
		c, err := change.Of(tt.attribute, tt.expect, tt.want, same)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.changes, change.OnWire([]change.Change{c})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func kind(k int, name string, values ...string) wire.Change {
	return wire.Change{Kind: k, Attribute: wire.Attribute{Name: name, Values: values}}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	title := &schema.Attribute{Name: "title"}
	for has, want := range map[string]string{"old": "left", "OLD": "left", "new": "nothing", "other": "conflict"} {
		c, err := change.Of(title, []string{"old"}, []string{"new"}, same)
		if err != nil {
			t.Fatal(err)
		}
		left, err := change.Left(&sdk.Object{Attributes: []sdk.Attribute{{Name: "Title", Values: []string{has}}}}, []change.Change{c})
		got := "nothing"
		switch {
		case err != nil:
			got = "conflict"
		case len(left) > 0:
			got = "left"
		}
		if got != want {
			t.Errorf("where it is %q: %s; want %s", has, got, want)
		}
	}
}
