package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// dueKeys gives the keys of the people who are due, in order.
func dueKeys(t testing.TB, w *rehearsal.World) (keys []string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		due, err := tx.DuePeople(10_000)
		ids := make([]string, len(due))
		for i, d := range due {
			ids[i] = d.Person
		}
		people, err2 := tx.People(rehearsal.Tenant, ids)
		for _, p := range people {
			keys = append(keys, p.Key)
		}
		slices.Sort(keys)
		if err == nil {
			err = err2
		}
		return err
	})
	return keys
}

func edited(t testing.TB, pairs ...string) string {
	t.Helper()
	text := rehearsal.Documents
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the documents do not hold %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// An edited document has those planned again for whom it wants something else, and
// misses nobody: planning everybody afterwards finds nothing more to do.
func TestEdit_touchesWhomItMust(t *testing.T) {
	t.Parallel()
	everybody := []string{"e0001", "e0002", "e0003", "e0004"}
	for name, c := range map[string]struct {
		edit []string
		want []string
	}{
		"comment":                 {[]string{"target:\n", "target: # of people\n"}, nil},
		"how often it is read":    {[]string{"target:\n", "read: {every: 1h}\ntarget:\n"}, nil},
		"threshold":               {[]string{"  lifecycle:\n", "  thresholds: {move: 1}\n  lifecycle:\n"}, nil},
		"same value said anew":    {[]string{"title: title\n    manager: {", `title: 'title == "" ? title : title'` + "\n    manager: {"}, nil},
		"one department":          {[]string{"title: title\n    manager: {", `title: 'department == "Sales" ? "Seller" : title'` + "\n    manager: {"}, []string{"e0002"}},
		"when an account is made": {[]string{"givenName: name.givenName", "givenName: {value: upper(name.givenName), apply: create}"}, everybody},
		"place":                   {[]string{`container: '"OU=" + dn(department) + ",DC=corp,DC=example"'`, `container: '"OU=" + (department == "Legal" ? "Law" : dn(department)) + ",DC=corp,DC=example"'`}, []string{"e0003"}},
		"scope":                   {[]string{"target:\n  class: user\n", "target:\n  class: user\n  scope: department != \"Legal\"\n"}, everybody},
		"a rule less":             {[]string{"    title: title\n    manager: {", "    manager: {"}, nil},
		"what the account has":    {[]string{"sn: name.familyName\n    department: department", "sn: name.familyName\n    department: department + account.sAMAccountName"}, everybody},
		"when they leave":         {[]string{"enable: at start", "enable: 1d after start"}, everybody},
		"source of one column":    {[]string{"title: title\n    manager: manager_id", `title: 'department == "Legal" ? "Counsel" : title'` + "\n    manager: manager_id"}, []string{"e0003"}},
		"clock":                   {[]string{"title: title\n    manager: {", "title: 'reached(startDate) ? title : title'\n    manager: {"}, []string{"e0004"}},
		"source, said anew":       {[]string{"trim(first_name)", "trim(trim(first_name))"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			w.Touch()
			rows := rehearsal.Workers(3)
			rows[1], rows[2] = rehearsal.Worker("E0002", "Bo", "Berg", "department", "Sales"), rehearsal.Worker("E0003", "Cy", "Cole", "department", "Legal")
			w.Read("hr", append(rows, rehearsal.Worker("E0004", "Di", "Dahl", "hire_date", "2999-01-01"))...)
			w.Settle()
			accounts := len(w.Addresses())
			w.Edit(edited(t, c.edit...))
			if got := dueKeys(t, w); !slices.Equal(got, c.want) {
				t.Errorf("due = %q; want %q", got, c.want)
			}
			w.Settle()
			if accounts != 3 {
				t.Fatalf("%d accounts; want 3, and one on a day ahead", accounts)
			}
			w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
			if n := w.Settle(); n != 0 {
				t.Errorf("%d operations were left to do for those whom the edit did not touch; want none", n)
			}
		})
	}
}

// Who was planned under a document that was in force for a moment only is planned
// again, though the present one wants what the first one did.
func TestEdit_thereAndBack(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Touch()
	w.Read("hr", rehearsal.Worker("E0001", "Ada", "Lovelace"))
	w.Settle()
	other := edited(t, "title: title\n    manager: {", "title: title + \"!\"\n    manager: {")
	w.Apply(other) // nobody has looked yet whom it touches
	w.Read("hr", rehearsal.Worker("E0001", "Ada", "Lovelace", "department", "Research", "title", "Chief"))
	w.EndRead("hr")
	w.Settle()
	if got := w.Value("CN=Ada Lovelace"+research, "title"); got != "Chief!" {
		t.Fatalf("title = %q; want Chief! of the document in between", got)
	}
	w.Edit(rehearsal.Documents)
	w.Settle()
	if got := w.Value("CN=Ada Lovelace"+research, "title"); got != "Chief" {
		t.Errorf("title = %q; want Chief again", got)
	}
}

// A document that names an attribute more waits for the read that brings it.
func TestEdit_waitsForWhatWasNotRead(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Touch()
	w.Read("hr", rehearsal.Workers(1)...)
	w.Settle()
	w.Edit(edited(t, "    title: title\n    manager: {", "    title: title\n    l: department\n    manager: {"))
	if got := dueKeys(t, w); len(got) > 0 {
		t.Errorf("due before the read = %q; want nobody", got)
	}
	for _, o := range w.Objects {
		w.ReadWhole("corp-ad", o)
	}
	w.Touch()
	if got := dueKeys(t, w); len(got) != 1 {
		t.Errorf("due after the read = %q; want the one", got)
	}
	w.Settle()
	if got := w.Value(w.Addresses()[0], "l"); got != "Research" {
		t.Errorf("l = %q; want Research", got)
	}
}
