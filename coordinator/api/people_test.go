package api_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

const withGroups = `system: hr
site: hq
connector: csv
settings: {path: /srv/hr/workers.csv, key: employee_id}
source:
  class: row
  key: employee_id
  attributes: {displayName: name, department: department}
  group:
    class: team
    key: id
    attributes: {displayName: name}
---
system: corp-ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  container: '"OU=Staff,DC=corp,DC=example"'
  name: displayName
  attributes: {sAMAccountName: {value: firstUnique(sam(displayName)), apply: create}}
  groups: [{value: department, make: true}]
  group:
    container: '"OU=Groups,DC=corp,DC=example"'
    name: displayName
    attributes: {sAMAccountName: {value: 'firstUnique(sam("g-" + displayName))', apply: create}}
`

// Groups stand beside people in what a search finds, told apart, and as alive as they are.
func TestPeople_groups(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(withGroups)
	w.Read("hr", rehearsal.Object("row", "E1", "line 2", "employee_id", "E1", "name", "Sales Ada", "department", "Sales"),
		rehearsal.Object("team", "T1", "line 3", "id", "T1", "name", "Sales Team"))
	w.Settle()
	c := connect(t, w)
	var found []client.PersonLine
	if err := c.Items(t.Context(), "/v1/people", url.Values{"q": {"sales"}}, &found); err != nil {
		t.Fatal(err)
	}
	want := []client.PersonLine{
		{Key: "E1", Display: "Sales Ada", Life: "active", Accounts: []string{"corp-ad"}},
		{Key: "group:T1", Display: "Sales Team", Kind: "group", Life: "active", Accounts: []string{"corp-ad"}},
		{Key: "group:corp-ad:Sales", Display: "Sales", Kind: "group", Life: "active", Accounts: []string{"corp-ad"}},
	}
	if diff := cmp.Diff(want, found, cmpopts.IgnoreFields(client.PersonLine{}, "Changed"),
		cmpopts.SortSlices(func(a, b client.PersonLine) bool { return a.Key < b.Key })); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
