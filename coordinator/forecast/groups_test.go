package forecast_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// crews has a group for each department, and those that the source brings.
const crews = `system: cloud
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.cloud.example"], base: "DC=cloud,DC=example"}
source:
  class: user
  key: objectGUID
  attributes: {displayName: cn, department: department, title: title, memberOf: values(memberOf)}
  group:
    key: objectGUID
    attributes: {displayName: cn, memberOf: values(memberOf)}
---
system: corp
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  container: '"OU=Staff,DC=corp,DC=example"'
  name: displayName
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
  groups:
    - {value: department, make: true}
    - {directory: memberOf}
  group:
    container: '"OU=Groups,DC=corp,DC=example"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(sam("g-" + displayName))', apply: create}
      description: '"Everybody of " + displayName'
    groups:
      - {directory: memberOf}
    remove: at once
`

// A changed document says what becomes of the groups themselves: those that would
// be made, renamed, changed and removed; and just that is then done to them.
func TestEverybody_groups(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pairs []string
		want  map[string]int // operations on groups by class
	}{
		"described otherwise":    {[]string{`"Everybody of "`, `"All of "`}, map[string]int{"modify": 4}},
		"called otherwise":       {[]string{"    name: displayName\n    attributes:", "    name: '\"The \" + displayName'\n    attributes:"}, map[string]int{"move": 4}},
		"by title":               {[]string{"{value: department, make: true}", "{value: title, make: true}"}, map[string]int{"create": 3, "delete": 2}},
		"one of two left":        {[]string{"{value: department, make: true}", `{value: 'displayName == "Ann" ? "" : department', make: true}`}, map[string]int{}},
		"its last":               {[]string{"{value: department, make: true}", `{value: 'displayName == "Cy" ? "" : department', make: true}`}, map[string]int{"delete": 1}},
		"out of scope":           {[]string{"  group:\n    container:", "  group:\n    scope: displayName != \"All\"\n    container:"}, map[string]int{}},
		"its last, out of scope": {[]string{"  class: user\n  container:", "  class: user\n  scope: displayName != \"Cy\"\n  container:"}, map[string]int{"delete": 1}},
		"by another key":         {[]string{"  group:\n    key: objectGUID\n", "  group:\n    key: cn\n"}, map[string]int{"create": 2, "delete": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rehearsal.New(t)
			w.Apply(crews)
			object := func(class, name, department, title, group string) {
				id := "c-" + strings.ToLower(name)
				w.Read("cloud", rehearsal.Object(class, id, "CN="+name+",DC=cloud,DC=example", "cn", name, "department", department, "title", title, "memberOf", group, "objectGUID", id))
			}
			object("group", "All", "", "", "")
			object("group", "Staff", "", "", "c-all")
			object("user", "Ann", "Sales", "Clerk", "c-staff")
			object("user", "Bob", "Sales", "Head", "c-staff")
			object("user", "Cy", "Research", "Fellow", "")
			w.Settle()
			before := state(t, w)
			next := strings.Replace(crews, c.pairs[0], c.pairs[1], 1)
			if next == crews {
				t.Fatalf("the documents have no %q", c.pairs[0])
			}
			got := everybody(t, w, next)
			unchanged(t, w, before)
			foretold := map[string]int{}
			for _, target := range got.Targets {
				for _, class := range target.Classes {
					n := 0
					for _, e := range class.Examples {
						if strings.HasPrefix(e.Person, "group:") {
							n++
						}
					}
					if n > 0 && class.Class != "membership" {
						foretold[class.Class] = n
					}
				}
			}
			if diff := cmp.Diff(c.want, foretold); diff != "" {
				t.Errorf("foretold of groups (-want +got):\n%s\n%q", diff, got.Summary)
			}
			last := int64(0)
			w.Write(func(tx *store.Tx) error {
				jobs, err := tx.ListJobs(rehearsal.Tenant, store.JobFilter{}, 1000)
				for _, j := range jobs {
					last = max(last, j.ID)
				}
				return err
			})
			w.Edit(next)
			w.Settle()
			done := map[string]int{}
			w.Write(func(tx *store.Tx) error {
				jobs, err := tx.ListJobs(rehearsal.Tenant, store.JobFilter{}, 1000)
				var ids []string
				for _, j := range jobs {
					ids = append(ids, j.Person)
				}
				people, err2 := tx.People(rehearsal.Tenant, ids)
				for _, j := range jobs {
					i := slices.IndexFunc(people, func(p store.Person) bool { return p.ID == j.Person })
					if j.ID > last && i >= 0 && people[i].Kind == store.KindGroup && j.Class != "membership" {
						done[j.Class]++
					}
				}
				if err == nil {
					err = err2
				}
				return err
			})
			if diff := cmp.Diff(foretold, done); diff != "" {
				t.Errorf("foretold and done to groups (-want +got):\n%s", diff)
			}
		})
	}
}

// A document that begins to go both ways turns its accounts into mirrors with the same stroke: they are
// changed by its rules as ever, and nobody is made of them.
func TestEverybody_turnsToBothWays(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(crews)
	for _, name := range []string{"Ann", "Bob"} {
		id := "c-" + strings.ToLower(name)
		w.Read("cloud", rehearsal.Object("user", id, "CN="+name+",DC=cloud,DC=example", "cn", name, "department", "Sales", "title", "Clerk", "memberOf", "", "objectGUID", id))
	}
	w.Settle()
	before := state(t, w)
	next := crews
	for _, pair := range [][2]string{
		{"target:\n  class: user\n", "source:\n  class: user\n  key: objectGUID\n  attributes: {displayName: cn, memberOf: values(memberOf)}\n  group: {key: objectGUID, attributes: {displayName: cn, memberOf: values(memberOf)}}\ntarget:\n  class: user\n  both_ways: true\n"},
		{"sam(displayName))', apply: create}\n  groups:", "sam(displayName))', apply: create}\n    title: upper(title)\n  groups:"},
		{"Everybody of ", "All of "},
	} {
		if !strings.Contains(next, pair[0]) {
			t.Fatalf("the documents have no %q", pair[0])
		}
		next = strings.Replace(next, pair[0], pair[1], 1)
	}
	got := everybody(t, w, next)
	unchanged(t, w, before)
	foretold := map[string]int{}
	for _, target := range got.Targets {
		for _, class := range target.Classes {
			foretold[target.System+" "+class.Class] += class.People
		}
	}
	if diff := cmp.Diff(map[string]int{"corp modify": 3}, foretold); diff != "" { // two people, and the group of their department
		t.Errorf("foretold (-want +got):\n%s", diff)
	}
	w.Edit(next)
	w.Write(func(tx *store.Tx) error { // it was read by the new document
		row, err := tx.System(rehearsal.Tenant, "corp")
		return errors.Join(err, tx.SetReadAs(rehearsal.Tenant, "corp", row.Revision))
	})
	w.Touch()
	w.Plan()
	done := map[string]int{}
	w.Write(func(tx *store.Tx) error {
		jobs, err := tx.ListJobs(rehearsal.Tenant, store.JobFilter{State: "open"}, 100)
		for _, j := range jobs {
			done[j.System+" "+j.Class]++
		}
		return err
	})
	if diff := cmp.Diff(foretold, done); diff != "" {
		t.Errorf("what is done (-foretold +done):\n%s", diff)
	}
}
