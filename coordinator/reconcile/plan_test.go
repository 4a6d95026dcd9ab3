package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var now = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

func verbs(out reconcile.Output) []string {
	var classes []string
	for _, op := range out.Ops {
		classes = append(classes, op.Class)
	}
	return classes
}

func expect(t *testing.T, what string, out reconcile.Output, classes ...string) {
	t.Helper()
	if diff := cmp.Diff(classes, verbs(out)); diff != "" {
		t.Errorf("%s (-want +got):\n%s%s", what, diff, show(out))
	}
}

// Two people of one name get different names, by the order of their keys and
// not by who comes first into the domain, and keep them.
func TestPlan_sameNames(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	anna := row{"first_name": "Anna-Maria", "last_name": "Kowalska-Wiśniewska", "department": "Sales", "hire_date": "2020-01-01", "status": "A"}
	d := newDomain()
	for _, key := range []string{"E1", "E2", "E3"} {
		d.settle(t, ad.Target, anna.with("employee_id", key).person(t, hr, now), now)
	}
	got := map[string][]string{}
	for key, a := range d.accounts {
		got[key] = []string{a.attributes["sAMAccountName"][0], a.attributes["mail"][0], strings.SplitN(a.address, ",", 2)[0]}
	}
	want := map[string][]string{
		"e1": {"akowalska-wisniewska", "anna-maria.kowalska-wisniewska@corp.example", "CN=Anna-Maria Kowalska-Wiśniewska"},
		"e2": {"akowalska-wisniewsk2", "anna-maria.kowalska-wisniewska2@corp.example", "CN=Anna-Maria Kowalska-Wiśniewska 2"},
		"e3": {"akowalska-wisniewsk3", "anna-maria.kowalska-wisniewska3@corp.example", "CN=Anna-Maria Kowalska-Wiśniewska 3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The first one goes; the second keeps what they have.
	delete(d.accounts, "e1")
	clear(d.names)
	expect(t, "the second, when the first is gone", d.plan(ad.Target, anna.with("employee_id", "E2").person(t, hr, now), now))
}

func TestPlan_join(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	erika := row{"employee_id": "E7", "first_name": "Erika", "last_name": "Muster", "department": "Sales", "hire_date": "2020-01-01", "status": "A"}
	old := &model{id: "guid-old", address: "CN=Muster\\, Erika,OU=Sales,OU=Staff,DC=corp,DC=example", enabled: true, attributes: map[string][]string{
		"employeeID": {"e7"}, "sAMAccountName": {"emuster99"}, "mail": {"Erika.Muster@corp.example"}, "department": {"SALES"}, "givenName": {"Erika"}, "sn": {"Muster"}}}

	d := newDomain()
	out := d.plan(ad.Target, erika.person(t, hr, now), now, *old.account())
	expect(t, "one match", out, "move", "modify", "membership")
	if out.Join != "guid-old" {
		t.Errorf("joined %q", out.Join)
	}
	for _, r := range out.Ops[1].Reasons {
		if slices.Contains([]string{"employeeID", "department", "mail", "sAMAccountName"}, r.Attribute) {
			t.Errorf("%s differs in case only, or is for creates, but is changed: %q -> %q", r.Attribute, r.Before, r.After)
		}
	}
	if d.names["samaccountname\x00emuster99"] != "e7" {
		t.Error("the ledger did not learn whose the joined account's name is")
	}

	twin := *old
	twin.id, twin.address = "guid-twin", "CN=Erika,OU=Old,DC=corp,DC=example"
	out = d.plan(ad.Target, erika.person(t, hr, now), now, *old.account(), *twin.account())
	expect(t, "two matches", out)
	if out.Problem == nil || out.Problem.Kind != "ambiguous" || !strings.Contains(out.Problem.Fault.GetCause(), twin.address) {
		t.Errorf("two matches: problem %+v", out.Problem)
	}

	out = d.plan(ad.Target, erika.with("hire_date", "2026-07-01").person(t, hr, now), now, *old.account())
	expect(t, "a start ahead does not lock out who works already", out, "move", "modify", "membership")
	out = d.plan(ad.Target, erika.with("department", "Contractors").person(t, hr, now), now, *old.account())
	if expect(t, "out of scope", out); out.Join != "" {
		t.Error("the account of somebody out of scope was joined")
	}
	lost := erika.person(t, hr, now)
	lost.HasSource = false
	expect(t, "a leaver's account is joined and locked", d.plan(ad.Target, lost, now, *old.account()), "disable", "move")
}

// Who locked an account by hand is not overruled; who is out of scope leaves.
func TestPlan_exceptions(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	d := newDomain()
	p := zoe.with("manager_id", "").person(t, hr, now)
	d.settle(t, ad.Target, p, now)
	a := d.accounts["e1"]

	a.enabled = false
	in := reconcile.Input{Now: now, Person: p, Target: ad.Target, Account: a.account(), Names: d, Refs: d, ByHand: func() bool { return true }}
	out := reconcile.Plan(in)
	expect(t, "disabled by hand", out)
	if out.Problem == nil || out.Problem.Kind != "by hand" {
		t.Errorf("disabled by hand: problem %+v", out.Problem)
	}
	in.ByHand = func() bool { return false }
	expect(t, "disabled by us", reconcile.Plan(in), "enable")
	a.enabled = true

	contractor := zoe.with("manager_id", "", "department", "Contractors").person(t, hr, now)
	expect(t, "out of scope", d.plan(ad.Target, contractor, now), "disable", "membership", "move")
	for _, alarm := range d.plan(ad.Target, contractor, now).Alarms {
		if strings.Contains(alarm.Why, "delete") {
			t.Error("an account out of scope is deleted by time")
		}
	}

	d.missing["Sales staff"] = true
	a.groups, a.granted = nil, nil
	out = d.plan(ad.Target, p, now)
	expect(t, "a group that there is not", out, "membership")
	if out.Problem == nil || !strings.Contains(out.Problem.Fault.GetCause(), `"Sales staff"`) {
		t.Errorf("a group that there is not: problem %+v", out.Problem)
	}

	a.groups = []string{"group Staff", "by hand"}
	a.granted = []string{"group Staff", "group Old"}
	out = d.plan(ad.Target, zoe.with("manager_id", "", "department", "").person(t, hr, now), now)
	if n := len(out.Ops); n == 0 || slices.Contains(verbs(out), "membership") {
		t.Errorf("a group that we granted and somebody took away is left alone, as is one by hand:\n%s", show(out))
	}
}

// What is too long for the system is told, and the rest goes on.
func TestPlan_tooLong(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml").WithSchema(&connectorv1.SchemaResponse{Classes: []*connectorv1.Class{{
		Name: "user", Attributes: []*connectorv1.AttributeType{{Name: "title", MaxLength: 10}, {Name: "sAMAccountName", MaxLength: 256}}}}})
	d := newDomain()
	out := d.plan(ad.Target, zoe.with("title", "Chief Äxecutive Officer").person(t, hr, now), now)
	expect(t, "a title too long", out, "create")
	if out.Problem == nil || out.Problem.Fault.GetAttribute() != "title" || !strings.Contains(out.Problem.Fault.GetCause(), "23 characters") {
		t.Errorf("problem %+v", out.Problem)
	}
	if title := slices.ContainsFunc(out.Ops[0].Operation.GetCreate().Attributes, func(a *connectorv1.Attribute) bool { return a.Name == "title" }); title {
		t.Error("the title was sent")
	}
}

const small = `
system: app
site: hq
connector: fake
target:
  class: user
  match: {key: employeeNumber}
  name: coalesce(displayName, employeeNumber)
  attributes:
    key: employeeNumber
    title: title
    note: {value: title, empty: keep}
    mail: {value: 'title == "" ? "" : lower(title) + "@x"', case: exact}
    first: {value: title, apply: if_empty}
    expires: formatDate(endDate, "2006-01-02")
    bad: iif(item(roles, 1) == "", "", text(integer(item(roles, 1))))
  lifecycle:
    leave: {attributes: {title: '"Left"'}}
`

// Absent, empty and a value are three things.
func TestPlan_threeStates(t *testing.T) {
	t.Parallel()
	app := parse(t, small)
	for _, c := range []struct {
		name   string
		title  any // nil: absent
		object map[string][]string
		want   string // attributes changed
	}{
		{"absent", nil, map[string][]string{"title": {"Clerk"}, "note": {"Clerk"}, "mail": {"clerk@x"}, "first": {"x"}}, ""},
		{"empty", "", map[string][]string{"title": {"Clerk"}, "note": {"Clerk"}, "mail": {"clerk@x"}, "first": {"x"}}, "mail title"},
		{"value", "Boss", map[string][]string{"title": {"Clerk"}, "note": {"Clerk"}, "mail": {"clerk@x"}, "first": {"x"}}, "mail note title"},
		{"value where nothing is", "Boss", map[string][]string{}, "first mail note title"},
		{"outer space", " Clerk ", map[string][]string{"title": {"Clerk"}, "note": {"Clerk"}, "mail": {" clerk @x"}, "first": {"x"}}, ""},
		{"blanks", "  ", map[string][]string{"title": {"Clerk"}, "note": {"Clerk"}, "mail": {"  @x"}, "first": {"x"}}, "title"},
		{"other case", "CLERK", map[string][]string{"title": {"Clerk"}, "note": {"clerk"}, "mail": {"Clerk@x"}, "first": {"x"}}, "mail"},
	} {
		p := directory.Person{Key: "k", HasSource: true}
		p.Attributes.Set("employeeNumber", "k")
		if c.title != nil {
			p.Attributes.Set("title", c.title)
		}
		d := newDomain()
		c.object["key"] = []string{"k"}
		d.accounts["k"] = &model{id: "1", address: "x", attributes: c.object, enabled: true}
		out := d.plan(app.Target, p, now)
		var changed []string
		for _, op := range out.Ops {
			for _, ch := range op.Operation.GetModify().GetChanges() {
				changed = append(changed, ch.Name)
			}
		}
		if got := strings.Join(changed, " "); got != c.want {
			t.Errorf("%s: changed %q, want %q\n%s", c.name, got, c.want, show(out))
		}
	}
}

// A rule that fails is told, and does not keep a leaver's account open.
func TestPlan_failingRule(t *testing.T) {
	t.Parallel()
	app := parse(t, small)
	p := directory.Person{Key: "k", HasSource: true}
	p.Attributes.Set("roles", []string{"x"})
	p.Attributes.Set("title", "Boss")
	d := newDomain()
	d.accounts["k"] = &model{id: "1", address: "x", attributes: map[string][]string{}, enabled: true}
	out := d.plan(app.Target, p, now)
	expect(t, "one rule fails", out, "modify")
	if out.Problem == nil || out.Problem.Kind != "expression" || out.Problem.Fault.GetAttribute() != "bad" || !strings.Contains(out.Problem.Fault.GetCause(), `"x" is not a whole number`) {
		t.Errorf("problem %+v", out.Problem)
	}
	p.HasSource = false
	expect(t, "leaver", d.plan(app.Target, p, now), "disable", "modify")
}

// Whatever becomes of people, a plan that was carried out leaves nothing to be
// done, no name is given twice, and no leaver's account stays open.
func TestPlan_settles(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	rapid.Check(t, func(rt *rapid.T) {
		d := newDomain()
		at := now
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(rt, "hours")) * time.Hour)
			r := row{
				"employee_id": rapid.SampledFrom([]string{"E1", "E2", "E3"}).Draw(rt, "id"),
				"first_name":  rapid.SampledFrom([]string{"Zoë", "Ann", "O'Neil, #1 "}).Draw(rt, "first"),
				"last_name":   rapid.SampledFrom([]string{"Müller", "Lee", "=x,"}).Draw(rt, "last"),
				"department":  rapid.SampledFrom([]string{"", "Sales", `R&D, "a"\b`, "Contractors"}).Draw(rt, "department"),
				"title":       rapid.StringN(0, 20, 60).Draw(rt, "title"),
				"manager_id":  rapid.SampledFrom([]string{"", "E1", "E2", "E3"}).Draw(rt, "manager"),
				"hire_date":   rapid.SampledFrom([]string{"", "2026-05-01", "2026-09-01", "2027-01-01"}).Draw(rt, "hire"),
				"term_date":   rapid.SampledFrom([]string{"", "", "2026-07-01", "2026-12-01T12:00:00Z"}).Draw(rt, "term"),
				"status":      rapid.SampledFrom([]string{"A", "A", "T"}).Draw(rt, "status"),
			}
			p := r.person(t, hr, at)
			p.HasSource = rapid.IntRange(0, 5).Draw(rt, "lost") > 0
			outs := d.settle(t, ad.Target, p, at)
			a := d.accounts[p.Key]
			if a != nil && a.enabled && p.LifeAt(at) == directory.Left {
				rt.Fatalf("the account of a leaver is open: %v\n%s", r, show(outs[0]))
			}
			seen := map[string]bool{}
			for _, a := range d.accounts {
				for _, name := range []string{"sAMAccountName", "userPrincipalName", "mail"} {
					if v := strings.ToLower(strings.Join(a.attributes[name], "")); v == "" || seen[name+v] {
						rt.Fatalf("%s %q is given twice, or not at all", name, v)
					} else {
						seen[name+v] = true
					}
				}
			}
		}
	})
}

// An account that cannot have a name is not made, and the problem says by which
// rule and from what.
func TestPlan_nameless(t *testing.T) {
	t.Parallel()
	app := parse(t, strings.Replace(small, "    title: title", "    login: firstUnique(lower(local(name.givenName)) + \"@x\")\n    title: title", 1))
	p := directory.Person{Key: "k", HasSource: true}
	p.Attributes.Set("employeeNumber", "k")
	p.Attributes.Set("name.givenName", "李")
	out := newDomain().plan(app.Target, p, now)
	expect(t, "no login", out)
	if out.Problem == nil || out.Problem.Fault.GetAttribute() != "login" || !strings.Contains(out.Problem.Fault.GetCause(), `name.givenName is "李"`) {
		t.Errorf("problem %+v", out.Problem)
	}
}

// Who has a number keeps it in another container, where the name is free.
func TestPlan_numberMovesAlong(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	d := newDomain()
	for _, key := range []string{"E1", "E2"} {
		d.settle(t, ad.Target, zoe.with("employee_id", key).person(t, hr, now), now)
	}
	d.settle(t, ad.Target, zoe.with("employee_id", "E2", "department", "Service").person(t, hr, now), now)
	if got, want := d.accounts["e2"].address, `CN=Zoë O'Brien\, Jr. 2,OU=Service,OU=Staff,DC=corp,DC=example`; got != want {
		t.Errorf("moved to %s, want %s", got, want)
	}
}

// A compiled document serves many goroutines at once.
func TestPlan_concurrently(t *testing.T) {
	t.Parallel()
	hr, ad := system(t, "hr.yaml"), system(t, "corp-ad.yaml")
	for i := range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for j := range 50 {
				d := newDomain()
				name := strings.Repeat("x", i+1)
				p := zoe.with("last_name", name, "employee_id", name).person(t, hr, now.AddDate(0, 0, j))
				d.settle(t, ad.Target, p, now)
				if got := d.accounts[name].attributes["sn"]; len(got) != 1 || got[0] != name {
					t.Fatalf("sn of %s is %q", name, got)
				}
			}
		})
	}
}
