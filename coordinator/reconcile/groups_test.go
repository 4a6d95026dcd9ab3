package reconcile_test

import (
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
)

// attributes makes those of a person or group of pairs; a value with commas is a list where the attribute is one.
func attributes(pairs ...string) (a directory.Attributes) {
	for i := 0; i < len(pairs); i += 2 {
		if directory.KindAt(pairs[i]) == directory.List {
			a.Set(pairs[i], strings.Split(pairs[i+1], ","))
		} else {
			a.Set(pairs[i], pairs[i+1])
		}
	}
	return a
}

// What becomes of groups that rules make and that the directory brings, of who
// is in them, and of who should not be.
func TestPlan_groups(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../mapping/testdata/groups.yaml")
	if err != nil {
		t.Fatal(err)
	}
	systems, err := mapping.ParseFile("groups.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	people, groups := systems[1].Target, systems[1].GroupTarget
	d := newDomain()
	d.circles, d.owned = map[string][]string{}, map[string]bool{}
	ann := directory.Person{Key: "ann", HasSource: true, Attributes: attributes("displayName", "Ann Doe", "costCenter", "100", "department", "Sales", "memberOf", "77aa")}
	moved := ann
	moved.Attributes = attributes("displayName", "Ann Doe", "costCenter", "200", "department", "Research", "memberOf", "77aa")
	sales := directory.Person{Key: "group:app-domain:100", HasSource: true, Attributes: attributes("displayName", "Sales")}
	renamed := sales
	renamed.Attributes = attributes("displayName", "Selling")
	app := directory.Person{Key: "group:77aa", HasSource: true, Attributes: attributes("displayName", "APP-Billing", "description", "May bill", "memberOf", "99cc")}
	all := directory.Person{Key: "group:99cc", HasSource: true, Attributes: attributes("displayName", "APP-Users")}
	round := all
	round.Attributes = attributes("displayName", "APP-Users", "memberOf", "77aa")
	empty := renamed
	empty.HasSource, empty.Changed = false, instant(t, "2026-07-01T08:00:00Z")

	var got strings.Builder
	for _, step := range []struct {
		now, name string
		target    *mapping.Target
		who       directory.Person
		before    func()
	}{
		{"2026-06-01T08:00:00Z", "hired: her account is made, the groups are waited for", people, ann, nil},
		{"2026-06-01T08:01:00Z", "the group of her cost center is made", groups, sales, nil},
		{"2026-06-01T08:02:00Z", "and she joins it", people, ann, nil},
		{"2026-06-02T08:00:00Z", "a group of the directory comes, and waits for the one that it is in", groups, app, nil},
		{"2026-06-02T08:01:00Z", "which comes too", groups, all, nil},
		{"2026-06-02T08:02:00Z", "and the one is in the other", groups, app, nil},
		{"2026-06-02T08:03:00Z", "and she is in the first", people, ann, nil},
		{"2026-06-03T08:00:00Z", "a group that would come to be in itself", groups, round, func() { d.circles["group:77aa group:99cc"] = []string{"group:77aa", "group:99cc"} }},
		{"2026-06-04T08:00:00Z", "the cost center gets another name", groups, renamed, nil},
		{"2026-06-05T08:00:00Z", "she changes to another, where nobody is yet", people, moved, nil},
		{"2026-06-06T08:00:00Z", "somebody put her in another group by hand: it stays", people, moved, func() { d.accounts["ann"].groups = append(d.accounts["ann"].groups, "by hand") }},
		{"2026-06-07T08:00:00Z", "if that group is authoritative, it does not", people, moved, func() { d.owned["by hand"] = true }},
		{"2026-06-08T08:00:00Z", "nor does an account there that is nobody's", groups, app, func() {
			d.owned[d.accounts["group:77aa"].id] = true
			d.others = []reconcile.Stranger{{ID: "guid-svc", Class: "service"}}
		}},
		{"2026-07-01T08:00:00Z", "nobody is in the first group any more", groups, empty, nil},
		{"2026-07-31T08:00:00Z", "30 days later", groups, empty, nil},
	} {
		if step.before != nil {
			step.before()
		}
		now := instant(t, step.now)
		got.WriteString(story(step.now+"  "+step.name, d.settle(t, step.target, step.who, now)...))
	}
	golden(t, "groups.golden", "One worker and the groups that she comes into: made by rule, brought by a directory, one in the other; by mapping/testdata/groups.yaml.\n"+legend+got.String())
}
