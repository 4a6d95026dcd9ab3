package forecast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/forecast"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// company is a world of twelve workers with accounts, the last of them without a department's second letter.
func company(t *testing.T) *rehearsal.World {
	t.Helper()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	w.Read("hr", rehearsal.Workers(12)...)
	w.Read("hr", rehearsal.Worker("E0003", "Given3", "Family3", "title", ""), rehearsal.Worker("E0004", "Given4", "Family4", "title", "Clerk"))
	w.Settle()
	return w
}

// foretell compares documents made of those in force by replacing pairs of texts.
func foretell(t *testing.T, w *rehearsal.World, pairs ...string) client.Forecast {
	t.Helper()
	var out client.Forecast
	with(t, w, func(f *forecast.Forecaster) (err error) {
		out, err = f.Everybody(context.Background())
		return err
	}, pairs...)
	return out
}

func with(t *testing.T, w *rehearsal.World, do func(*forecast.Forecaster) error, pairs ...string) {
	t.Helper()
	text := rehearsal.Documents
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the documents have no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	ahead(t, w, text, do)
}

// everybody compares documents with those in force.
func everybody(t *testing.T, w *rehearsal.World, documents string) (out client.Forecast) {
	t.Helper()
	ahead(t, w, documents, func(f *forecast.Forecaster) (err error) {
		out, err = f.Everybody(context.Background())
		return err
	})
	return out
}

// ahead looks ahead at documents.
func ahead(t *testing.T, w *rehearsal.World, documents string, do func(*forecast.Forecaster) error) {
	t.Helper()
	systems, err := mapping.ParseFile("next.yaml", []byte(documents))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Read(context.Background(), func(tx *store.Tx) error {
		f, err := forecast.New(tx, rehearsal.Tenant, plan.NewSystems().Get, systems)
		if err != nil {
			return err
		}
		return do(f)
	}); err != nil {
		t.Fatal(err)
	}
}

// unchanged checks that looking ahead has left nothing behind.
func unchanged(t *testing.T, w *rehearsal.World, before string) {
	t.Helper()
	if after := state(t, w); after != before {
		t.Errorf("looking ahead changed something:\n%s", cmp.Diff(before, after))
	}
}

func state(t *testing.T, w *rehearsal.World) (text string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		people, err1 := tx.PeopleAfter(rehearsal.Tenant, "", 1000)
		jobs, err2 := tx.ListJobs(rehearsal.Tenant, store.JobFilter{}, 1000)
		names, err3 := tx.AllNames(rehearsal.Tenant, "corp-ad")
		systems, err4 := tx.Systems(rehearsal.Tenant)
		text = fmt.Sprint(people, jobs, names, systems)
		return errors.Join(err1, err2, err3, err4)
	})
	return text
}

// The change of a source's rule is followed through the directory into the
// target, and who loses something is named before anything is stored.
func TestEverybody_rule(t *testing.T) {
	t.Parallel()
	w := company(t)
	before := state(t, w)
	got := foretell(t, w, "title: title\n    manager: manager_id", `title: 'title == "Clerk" ? "" : title'`+"\n    manager: manager_id")
	want := client.Forecast{
		Summary: []string{"1 person of 12 would change.", "1 would lose title.", "corp-ad: clear 1.", "corp-ad: 1 lose title."},
		People:  12, Changed: 1,
		Directory: client.DirectoryForecast{Attributes: []client.AttributeForecast{{Attribute: "title", Lose: 1, Examples: []client.Affected{
			{Person: "E0004", Display: "Given4 Family4", Before: []string{"Clerk"}}}}}},
		Targets: []client.TargetForecast{{System: "corp-ad",
			Classes: []client.ClassForecast{{Class: "clear", People: 1, Takes: 1, Limit: "10%", Examples: []client.Affected{{Person: "E0004", Display: "Given4 Family4"}}}},
			Attributes: []client.AttributeForecast{{Attribute: "title", Lose: 1, Examples: []client.Affected{
				{Person: "E0004", Display: "Given4 Family4", Before: []string{"Clerk"}, Why: "title"}}}}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Everybody() (-want +got):\n%s", diff)
	}
	unchanged(t, w, before)

	// What was foretold is what then happens.
	w.Apply(strings.Replace(rehearsal.Documents, "title: title\n    manager: manager_id", `title: 'title == "Clerk" ? "" : title'`+"\n    manager: manager_id", 1))
	if err := w.Intake.Evaluate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if done := w.Settle(); done != 1 {
		t.Errorf("%d operations followed, 1 was foretold", done)
	}
}

// A narrower scope locks people out: that is foretold, and that it would be held.
func TestEverybody_scope(t *testing.T) {
	t.Parallel()
	w := company(t)
	got := foretell(t, w, "class: user\n  match", "class: user\n  scope: title == \"Clerk\"\n  match")
	classes := got.Targets[0].Classes
	i := slices.IndexFunc(classes, func(c client.ClassForecast) bool { return c.Class == "disable" })
	if i < 0 || classes[i].People != 11 || !classes[i].Held || len(classes[i].Examples) != 5 {
		t.Errorf("classes = %+v; want 11 disables, held", classes)
	}
	if !slices.Contains(got.Summary, "corp-ad: disable 11, held for approval.") {
		t.Errorf("summary = %q", got.Summary)
	}
}

// Another layout, comment or pace changes nothing for anybody, and nobody is looked at.
func TestEverybody_nothing(t *testing.T) {
	t.Parallel()
	w := company(t)
	got := foretell(t, w, "site: hq", "site: hq # the main one", "source:\n", "read: {every: 1m}\nsource:\n")
	if diff := cmp.Diff([]string{"Nothing changes for anybody."}, got.Summary); diff != "" || got.People != 0 {
		t.Errorf("%d people looked at, %s", got.People, diff)
	}
}

// Another key makes other people of the records: those who lose theirs, those who would be made.
func TestEverybody_key(t *testing.T) {
	t.Parallel()
	w := company(t)
	got := foretell(t, w, "key: employee_id\n  attributes", "key: '\"X\" + employee_id'\n  attributes")
	if got.Directory.Lost.People != 12 || got.Directory.Made.People != 12 || got.Directory.Made.Examples[0].Person != "xe0001" {
		t.Errorf("lost %+v, made %+v; want all twelve of both", got.Directory.Lost, got.Directory.Made)
	}
	classes := map[string]int{}
	for _, c := range got.Targets[0].Classes {
		classes[c.Class] = c.People
	}
	if classes["disable"] != 12 || classes["create"] != 12 {
		t.Errorf("classes = %v; want 12 disables and 12 creates", classes)
	}
}

// A record that the new rule cannot take is named, and its person keeps what they have.
func TestEverybody_rejected(t *testing.T) {
	t.Parallel()
	w := company(t)
	got := foretell(t, w, `active: status == "A"`, `active: 'boolean(title)'`)
	if got.Directory.Rejected.People != 11 || !strings.Contains(got.Directory.Rejected.Examples[0].Why, `boolean(title)`) {
		t.Errorf("rejected = %+v; want the 11 whose title is no boolean", got.Directory.Rejected)
	}
	if len(got.Directory.Attributes) != 1 || got.Directory.Attributes[0].Change != 1 {
		t.Errorf("attributes = %+v; want active changed of the one without a title", got.Directory.Attributes)
	}
}

// What was never read is said to be unknown.
func TestEverybody_unread(t *testing.T) {
	t.Parallel()
	w := company(t)
	got := foretell(t, w, "    title: title\n    manager: {person", "    title: title\n    division: department\n    manager: {person")
	if len(got.Targets) != 1 || len(got.Targets[0].Notes) != 1 || !strings.Contains(got.Targets[0].Notes[0], "division") {
		t.Errorf("targets = %+v; want a note about division", got.Targets)
	}
}

// Every rule is shown with its outcome for one person; one that fails hides no other.
func TestPerson_rules(t *testing.T) {
	t.Parallel()
	w := company(t)
	var got client.Trial
	with(t, w, func(f *forecast.Forecaster) error {
		row := person(t, w, "e0004")
		var err error
		got, err = f.Person(forecast.Question{Row: row, Record: map[string][]string{"department": {"Sales"}, "hire_date": {"soon"}}})
		return err
	}, "    title: title\n    manager: {person", "    title: upper(title)\n    manager: {person")
	find := func(list []client.TriedValue, name string) client.TriedValue {
		i := slices.IndexFunc(list, func(v client.TriedValue) bool { return v.Attribute == name })
		if i < 0 {
			t.Fatalf("no %s in %+v", name, list)
		}
		return list[i]
	}
	record := got.Records[0]
	if v := find(record.Values, "startDate"); v.State != "fault" || !strings.Contains(v.Fault, `"soon"`) {
		t.Errorf("startDate = %+v; want its fault", v)
	}
	if v := find(record.Values, "department"); !slices.Equal(v.Values, []string{"Sales"}) || v.Inputs[0].Value != "Sales" {
		t.Errorf("department = %+v; want the value that was given", v)
	}
	account := got.Accounts[0]
	if v := find(account.Values, "title"); !v.Changes && slices.Equal(v.Now, []string{"Clerk"}) && slices.Equal(v.Values, []string{"CLERK"}) {
		if v.Rule.Text != "upper(title)" {
			t.Errorf("title = %+v", v)
		}
	} else {
		t.Errorf("title = %+v; want CLERK, which differs in case only and is not written", v)
	}
	if len(account.Steps) != 0 { // a record with a fault changes nobody
		t.Errorf("steps = %+v", account.Steps)
	}
	with(t, w, func(f *forecast.Forecaster) error {
		got, err := f.Person(forecast.Question{Row: person(t, w, "e0004"), Record: map[string][]string{"department": {"Sales"}, "title": nil}})
		if err != nil {
			return err
		}
		if v := find(got.Values, "department"); !v.Changes || !slices.Equal(v.Now, []string{"Research"}) {
			t.Errorf("department = %+v; want a change from Research", v)
		}
		if v := find(got.Accounts[0].Values, "title"); v.State != "empty" || !v.Changes {
			t.Errorf("title = %+v; want it cleared", v)
		}
		if v := find(got.Accounts[0].Values, "container"); !v.Changes || v.Values[0] != "OU=Sales,DC=corp,DC=example" {
			t.Errorf("container = %+v; want a move", v)
		}
		var steps []string
		for _, s := range got.Accounts[0].Steps {
			steps = append(steps, s.Class)
		}
		if slices.Sort(steps); !slices.Equal(steps, []string{"clear", "modify", "move"}) {
			t.Errorf("steps = %v; want a clear, a modify and a move", steps)
		}
		_, err = f.Person(forecast.Question{Row: person(t, w, "e0004"), Record: map[string][]string{"title": nil}, System: "nosuch"})
		if !errors.Is(err, forecast.ErrNoRecord) {
			t.Errorf("Person() of no record = %v; want ErrNoRecord", err)
		}
		return nil
	})
}

func person(t *testing.T, w *rehearsal.World, key string) (row store.Person) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleByKey(rehearsal.Tenant, []string{key})
		if err == nil {
			row = rows[0]
		}
		return err
	})
	return row
}
