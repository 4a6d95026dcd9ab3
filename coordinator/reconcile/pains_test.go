package reconcile_test

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const painful = `system: hr
site: hq
connector: csv
tables: {zones: {Melbourne: Australia/Melbourne}}
source:
  class: row
  key: id
  attributes:
    displayName: name
    title: title
    startDate: date(hired)
    endDate: inTimeZone(date(last_day), lookup("zones", office), "17:00")
---
system: ad
site: hq
connector: activedirectory
target:
  class: user
  container: '"OU=Staff,DC=x"'
  name: displayName
  attributes:
    title: title
    description: 'reached(dateAdd(startDate, "-5d")) ? "equip" : ""'
  lifecycle: {create: 30d before start}
`

// made is what the documents above make of a row: the person, and what is planned for an account at an instant.
func made(t *testing.T, account bool, now time.Time, pairs ...string) reconcile.Output {
	t.Helper()
	systems, err := mapping.ParseFile("painful.yaml", []byte(painful))
	if err != nil {
		t.Fatal(err)
	}
	row := &connectorv1.Object{Class: "row", Id: "1"}
	for i := 0; i < len(pairs); i += 2 {
		a := &connectorv1.Attribute{Name: pairs[i]}
		if pairs[i+1] != "" {
			a.Values = []string{pairs[i+1]}
		}
		row.Attributes = append(row.Attributes, a)
	}
	record, err := systems[0].Source.Read(marshalled(t, row))
	if err != nil {
		t.Fatal(err)
	}
	in := reconcile.Input{Now: now, Person: directory.Person{ID: "p", Key: record.Key, Attributes: record.Attributes, HasSource: true},
		Target: systems[1].Target, Names: painless{}, Refs: painless{}}
	if account {
		in.Account = &reconcile.Account{ID: "guid", Address: "CN=Ada,OU=Staff,DC=x", Object: marshalled(t, &connectorv1.Object{Class: "user", Id: "guid",
			Address: "CN=Ada,OU=Staff,DC=x", Attributes: []*connectorv1.Attribute{{Name: "enabled", Values: []string{"true"}}, {Name: "title", Values: []string{"Clerk"}}}})}
	}
	return reconcile.Plan(in)
}

func marshalled(t *testing.T, o *connectorv1.Object) []byte {
	t.Helper()
	text, err := proto.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func classes(out reconcile.Output) (list []string) {
	for _, op := range out.Ops {
		list = append(list, op.Class)
	}
	return list
}

func rings(out reconcile.Output, at time.Time) bool {
	return slices.ContainsFunc(out.Alarms, func(a reconcile.Alarm) bool { return a.At.Equal(at) })
}

// A worker in Melbourne is locked out at 17:00 of their last day there, not a
// minute sooner, whatever zone the HR system or the coordinator is in.
func TestPain11_terminationsArriveInTheWorkersZone(t *testing.T) {
	t.Parallel()
	row := []string{"id", "1", "name", "Ada", "title", "Clerk", "hired", "2020-01-01", "last_day", "2026-07-31", "office", "Melbourne"}
	end := time.Date(2026, 7, 31, 7, 0, 0, 0, time.UTC)
	before := made(t, true, end.Add(-time.Minute), row...)
	if slices.Contains(classes(before), "disable") || !rings(before, end) {
		t.Errorf("a minute before: %v, alarms %v; want no disable, and an alarm at %s", classes(before), before.Alarms, end)
	}
	if after := made(t, true, end, row...); !slices.Contains(classes(after), "disable") {
		t.Errorf("at 17:00 in Melbourne: %v; want a disable", classes(after))
	}
}

// A rule of hire − 5 days fires by itself: the same row, another instant.
func TestPain12_dateRulesFireWithoutAChangeOfTheSource(t *testing.T) {
	t.Parallel()
	row := []string{"id", "1", "name", "Ada", "title", "Clerk", "hired", "2026-06-10", "last_day", "", "office", ""}
	due := time.Date(2026, 6, 5, 0, 0, 0, 0, time.UTC)
	before := made(t, true, due.Add(-time.Second), row...)
	if len(before.Ops) != 0 || !rings(before, due) {
		t.Errorf("before: %v, alarms %v; want nothing, and an alarm at %s", classes(before), before.Alarms, due)
	}
	after := made(t, true, due, row...)
	if len(after.Ops) != 1 || after.Ops[0].Operation.GetModify().GetChanges()[0].GetName() != "description" {
		t.Errorf("at hire − 5d: %v; want description written", after.Ops)
	}
}

// A column that the source does not have changes nothing; one that is there and empty clears.
func TestPain13_absentIsNotEmpty(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	if out := made(t, true, now, "id", "1", "name", "Ada", "hired", "2026-06-20"); len(out.Ops) != 0 {
		t.Errorf("without the column: %v; want nothing", classes(out))
	}
	out := made(t, true, now, "id", "1", "name", "Ada", "hired", "2026-06-20", "title", "")
	if len(out.Ops) != 1 || out.Ops[0].Class != "clear" {
		t.Errorf("with an empty column: %v; want title cleared", classes(out))
	}
	if out := made(t, false, now, "id", "1", "name", "Ada", "hired", "2026-06-20", "title", ""); len(out.Ops) != 1 || len(out.Ops[0].Operation.GetCreate().GetAttributes()) != 0 {
		t.Errorf("a new account: %v; want no attribute: nobody is written an empty value", out.Ops)
	}
}

// Who leaves the scope where the document says hold keeps the account as it is, and is shown.
func TestPlan_holdsOutOfScope(t *testing.T) {
	t.Parallel()
	text := strings.Replace(painful, "before start}", "before start, out_of_scope: hold}", 1)
	systems, err := mapping.ParseFile("painful.yaml", []byte(strings.Replace(text, "class: user\n", "class: user\n  scope: title == \"Chief\"\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	p := directory.Person{ID: "p", Key: "1", HasSource: true}
	p.Attributes.Set("displayName", "Ada")
	p.Attributes.Set("title", "Clerk")
	in := reconcile.Input{Now: time.Now(), Person: p, Target: systems[1].Target, Names: painless{}, Refs: painless{}}
	if out := reconcile.Plan(in); out.Problem != nil || len(out.Ops) != 0 {
		t.Errorf("without an account: %v, %v; want nothing", out.Problem, classes(out))
	}
	in.Account = &reconcile.Account{ID: "guid", Address: "CN=Ada,OU=Staff,DC=x", Object: marshalled(t, &connectorv1.Object{Class: "user", Id: "guid",
		Address: "CN=Ada,OU=Staff,DC=x", Attributes: []*connectorv1.Attribute{{Name: "enabled", Values: []string{"true"}}}})}
	if out := reconcile.Plan(in); out.Problem == nil || out.Problem.Kind != "out of scope" || len(out.Ops) != 0 {
		t.Errorf("with an account: %v, %v; want a problem and nothing done", out.Problem, classes(out))
	}
}

// What becomes of the account of somebody who leaves the scope is the document's to say: locked, taken out of groups,
// moved, marked, deleted, in any combination, or nothing at all.
func TestPlan_outOfScope(t *testing.T) {
	t.Parallel()
	for choice, want := range map[string]string{
		"leave":            "disable membership modify move", // as a leaver, whose deletion is another matter
		"ignore":           "",
		"hold":             "",
		"{}":               "disable",
		"{disable: false}": "",
		"{disable: false, move: '\"OU=Quarantine,DC=x\"'}":    "move",
		"{disable: false, groups: strip}":                     "membership",
		"{attributes: {description: '\"out\"'}}":              "disable modify",
		"{delete: at once}":                                   "disable delete",
		"{delete: 0s after}":                                  "disable delete",
		"{disable: false, delete: at once}":                   "delete",
		"{groups: strip, delete: at once}":                    "disable membership delete", // which may be held, or denied
		"{move: '\"OU=Quarantine,DC=x\"', delete: 30d after}": "disable move",
	} {
		text := strings.Replace(painful, "before start}", "before start, leave: {groups: strip, move: '\"OU=Leavers,DC=x\"', attributes: {description: '\"left\"'}, delete: at end}, out_of_scope: "+choice+"}", 1)
		systems, err := mapping.ParseFile("painful.yaml", []byte(strings.Replace(text, "class: user\n", "class: user\n  scope: title == \"Chief\"\n", 1)))
		if err != nil {
			t.Fatalf("%s: %v", choice, err)
		}
		p := directory.Person{ID: "p", Key: "1", HasSource: true}
		p.Attributes.Set("displayName", "Ada")
		p.Attributes.Set("title", "Clerk")
		at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		in := reconcile.Input{Now: at, Person: p, Target: systems[1].Target, Names: painless{}, Refs: painless{}}
		in.Account = &reconcile.Account{ID: "guid", Address: "CN=Ada,OU=Staff,DC=x", Object: marshalled(t, &connectorv1.Object{Class: "user", Id: "guid",
			Address: "CN=Ada,OU=Staff,DC=x", Attributes: []*connectorv1.Attribute{{Name: "enabled", Values: []string{"true"}}, {Name: "memberOf", Values: []string{"g"}}, {Name: "description"}}})}
		out := reconcile.Plan(in)
		if got := strings.Join(classes(out), " "); got != want {
			t.Errorf("out_of_scope: %s does %q; want %q", choice, got, want)
		}
		if deletes := strings.Contains(choice, "delete"); out.Outside != deletes {
			t.Errorf("out_of_scope: %s is counted: %v; want %v", choice, out.Outside, deletes)
		}
		if !strings.Contains(choice, "30d") {
			continue
		}
		if !rings(out, at.AddDate(0, 0, 30)) {
			t.Errorf("alarms = %v; want one when the account is deleted", out.Alarms)
		}
		in.Now, in.Outside = at.AddDate(0, 0, 30), at
		out = reconcile.Plan(in)
		if got := strings.Join(classes(out), " "); got != "disable move delete" {
			t.Errorf("30 days after, %q; want the account deleted, and locked and out of the way until that is done", got)
		}
	}
	for _, wrong := range []string{"delete", "{delete: 30d after end}", "{delete: at end}", "{delete: -1d after}", "{at: at end}"} {
		if _, err := mapping.ParseFile("painful.yaml", []byte(strings.Replace(painful, "before start}", "before start, out_of_scope: "+wrong+"}", 1))); err == nil {
			t.Errorf("out_of_scope: %s is taken", wrong)
		}
	}
}

// painless is a world in which every name is free and nobody has an account.
type painless struct{}

func (painless) Pick(_ string, candidates iter.Seq[string]) (string, bool) {
	for c := range candidates {
		return c, true
	}
	return "", false
}

func (painless) Account(string) string { return "" }
func (painless) Group(string) string   { return "" }
