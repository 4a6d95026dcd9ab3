package reconcile_test

import "testing"

const noGroups = `system: ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1"], base: "DC=corp"}
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=" + department + ",DC=corp"'
  name: name.givenName + " " + name.familyName
  attributes:
    employeeID: employeeNumber
    title: title
    department: department
    telephoneNumber: phoneNumbers.work
  password: {length: 20}
  lifecycle: {create: 7d before start, enable: at start}
`

// Nothing follows a create that left what it wanted, and then nothing else is
// planned; where the system did otherwise it must be looked at.
func TestLeft(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), parse(t, noGroups)
	who := zoe.with("manager_id", "", "phone", "", "employee_id", "E1").person(t, hr, now)
	for name, c := range map[string]struct {
		does func(*model)
		left bool
	}{
		"as wanted":                  {func(*model) {}, true},
		"in another case":            {func(a *model) { a.attributes["title"] = []string{" " + a.attributes["title"][0]} }, true},
		"another value":              {func(a *model) { a.attributes["title"] = []string{"Boss"} }, false},
		"a value missing":            {func(a *model) { delete(a.attributes, "employeeID") }, false},
		"a value that nobody wanted": {func(a *model) { a.attributes["telephoneNumber"] = []string{"1"} }, false},
		"another container":          {func(a *model) { a.address = "CN=Zoe,DC=corp" }, false},
		"not enabled":                {func(a *model) { a.enabled = !a.enabled }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDomain()
			out := d.plan(ad.Target, who, now)
			if !out.Settles || len(out.Ops) != 1 {
				t.Fatalf("a create without groups settles = %v; want true:\n%s", out.Settles, show(out))
			}
			d.apply(t, who.Key, out.Ops[0])
			c.does(d.accounts[who.Key])
			if got := d.left(t, ad.Target, who.Key, out.Ops[0]); got != c.left {
				t.Errorf("left as wanted = %v; want %v", got, c.left)
			}
			if next := d.plan(ad.Target, who, now); (len(next.Ops) == 0) != c.left {
				t.Errorf("what follows:\n%s", show(next))
			}
		})
	}
	if out := newDomain().plan(system(t, "corp-ad.yaml").Target, who, now); out.Settles {
		t.Error("a create that groups follow settles; want it not to")
	}
}
