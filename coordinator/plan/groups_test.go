package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// departments has a group for each department that somebody is in, called as
// most of its members have it, and with nobody else in it.
const departments = `system: hr
site: hq
connector: csv
settings: {path: /srv/hr/workers.csv, key: employee_id}
source:
  class: row
  key: employee_id
  attributes:
    employeeNumber: employee_id
    displayName: first_name + " " + last_name
    department: department
    costCenter: cost_center
    manager: manager_id
    active: status == "A"
---
system: corp-ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  container: '"OU=Staff,DC=corp,DC=example"'
  name: displayName
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
    employeeID: employeeNumber
  groups:
    - {value: costCenter, make: true, display: department}
  group:
    container: '"OU=Groups,DC=corp,DC=example"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
      description: '"Everybody of " + displayName'
    authoritative: 'true'
    remove: 30d
  thresholds: {membership: none}
`

// in gives who is in each group of the directory, by address.
func in(w *rehearsal.World) map[string][]string {
	groups := map[string][]string{}
	for _, o := range w.Objects {
		if o.GetClass() == "group" {
			groups[o.GetAddress()] = nil
		}
	}
	for _, o := range w.Objects {
		for _, a := range o.GetAttributes() {
			if a.GetName() != "memberOf" {
				continue
			}
			for _, id := range a.GetValues() {
				at := w.Objects[id].GetAddress()
				groups[at] = append(groups[at], strings.TrimPrefix(strings.Split(o.GetAddress(), ",")[0], "CN="))
			}
		}
	}
	for _, members := range groups {
		slices.Sort(members)
	}
	return groups
}

func member(key, given, department, center string, pairs ...string) *connectorv1.Object {
	return rehearsal.Worker(key, given, "Doe", append([]string{"department", department, "cost_center", center}, pairs...)...)
}

// A group is made with its first member, called as most of them have it and by a
// name that is free, renamed when they are, and gone when nobody is in it any more.
func TestGroups_ofRules(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(departments)
	at := func(name string) string { return "CN=" + name + ",OU=Groups,DC=corp,DC=example" }
	says := func(what string, rows []*connectorv1.Object, want map[string][]string) {
		t.Helper()
		w.Read("hr", rows...)
		w.Settle()
		if diff := cmp.Diff(want, in(w)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
		if n := w.Settle(); n != 0 {
			t.Errorf("%s: %d more operations", what, n)
		}
	}
	says("three are hired", []*connectorv1.Object{member("E1", "Ann", "Sales", "100"), member("E2", "Bob", "Sales", "100"), member("E3", "Cyd", "Research", "200")},
		map[string][]string{at("Sales"): {"Ann Doe", "Bob Doe"}, at("Research"): {"Cyd Doe"}})
	if got := w.Value(at("Sales"), "description"); got != "Everybody of Sales" {
		t.Errorf("description = %q", got)
	}
	says("another cost center of the same name", []*connectorv1.Object{member("E4", "Dan", "Sales", "300")},
		map[string][]string{at("Sales"): {"Ann Doe", "Bob Doe"}, at("Sales2"): {"Dan Doe"}, at("Research"): {"Cyd Doe"}})
	if got := w.Value(at("Sales2"), "sAMAccountName"); got != "Sales2" {
		t.Errorf("sAMAccountName = %q; want one that nobody has", got)
	}
	says("the department gets another name", []*connectorv1.Object{member("E1", "Ann", "Selling", "100"), member("E2", "Bob", "Selling", "100")},
		map[string][]string{at("Selling"): {"Ann Doe", "Bob Doe"}, at("Sales2"): {"Dan Doe"}, at("Research"): {"Cyd Doe"}})
	if got := w.Value(at("Selling"), "description"); got != "Everybody of Selling" {
		t.Errorf("description = %q", got)
	}
	says("one moves", []*connectorv1.Object{member("E2", "Bob", "Research", "200")},
		map[string][]string{at("Selling"): {"Ann Doe"}, at("Sales2"): {"Dan Doe"}, at("Research"): {"Bob Doe", "Cyd Doe"}})
	says("the last one leaves", []*connectorv1.Object{member("E4", "Dan", "Research", "200")},
		map[string][]string{at("Selling"): {"Ann Doe"}, at("Sales2"): nil, at("Research"): {"Bob Doe", "Cyd Doe", "Dan Doe"}})
	alarms(t, w, "group:corp-ad:300", "the account is deleted 30d after end")
	says("and comes back in time", []*connectorv1.Object{member("E4", "Dan", "Sales", "300")},
		map[string][]string{at("Selling"): {"Ann Doe"}, at("Sales2"): {"Dan Doe"}, at("Research"): {"Bob Doe", "Cyd Doe"}})
	alarms(t, w, "group:corp-ad:300", "")
}

func alarms(t *testing.T, w *rehearsal.World, key, want string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(rehearsal.Tenant, []string{key})
		if err != nil || len(people) != 1 || people[0].Kind != store.KindGroup {
			t.Fatalf("PeopleByKey(%s) = %v, %v; want a group", key, people, err)
		}
		list, err := tx.AlarmsOf(rehearsal.Tenant, []string{people[0].ID})
		got := ""
		for _, a := range list {
			got += a.Why
		}
		if got != want {
			t.Errorf("alarms of %s: %q; want %q", key, got, want)
		}
		return err
	})
}
