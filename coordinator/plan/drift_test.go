package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const adaAt = "CN=Ada Lovelace" + research

// titled gives a world with Ada, whose title follows the rule.
func titled(t *testing.T, rule string) *rehearsal.World {
	t.Helper()
	w := rehearsal.New(t)
	at := strings.LastIndex(rehearsal.Documents, "    title: title\n")
	w.Apply(rehearsal.Documents[:at] + "    title: " + rule + "\n" + rehearsal.Documents[at+len("    title: title\n"):])
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	return w
}

// byHand has somebody change the title of every account at the directory, which is read then.
func byHand(w *rehearsal.World, title string) {
	for _, o := range w.Objects {
		for _, a := range o.GetAttributes() {
			if a.GetName() == "title" {
				a.Values = []string{title}
			}
		}
		w.Read("corp-ad", o)
	}
	w.Settle()
}

func deviations(t *testing.T, w *rehearsal.World) (kinds []string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.Deviations(rehearsal.Tenant, "corp-ad", "", 100)
		for _, d := range rows {
			kinds = append(kinds, d.Attribute+" "+d.Kind)
		}
		return err
	})
	return kinds
}

// What somebody changes at the directory is put back, adopted or left as the rule
// says; what is let be lasts until the rule wants something else.
func TestDrift_byPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, found string
		known       []string // once it was found
		other       string   // once HR says Countess
	}{
		{"{value: title, drift: revert}", "Engineer", nil, "Countess"},
		{"title", "Engineer", nil, "Countess"},
		{"{value: title, drift: adopt}", "Clerk", []string{"title adopted"}, "Countess"},
		{"{value: title, drift: leave}", "Clerk", []string{"title left"}, "Countess"},
	} {
		w := titled(t, c.rule)
		byHand(w, "Clerk")
		if got := w.Value(adaAt, "title"); got != c.found {
			t.Errorf("%s: title = %q after somebody made it Clerk; want %q", c.rule, got, c.found)
		}
		if diff := cmp.Diff(c.known, deviations(t, w)); diff != "" {
			t.Errorf("%s: known drift (-want +got):\n%s", c.rule, diff)
		}
		w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess"))
		w.Settle()
		if got := w.Value(adaAt, "title"); got != c.other {
			t.Errorf("%s: title = %q when HR says Countess; want %q", c.rule, got, c.other)
		}
		if left := deviations(t, w); len(left) != 0 {
			t.Errorf("%s: %q are still known once the rule wants something else", c.rule, left)
		}
	}
}

// A name that a leaver had is nobody else's during its cool-off, and the leaver's own again.
func TestNames_coolOff(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{"": "alovelace", ", cool_off: 2y": "alovelace2"} {
		w := rehearsal.New(t)
		w.Apply(strings.Replace(rehearsal.Documents, ", apply: create}", ", apply: create"+rule+"}", 1))
		w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
		w.Settle()
		for id := range w.Objects { // somebody deletes the account
			delete(w.Objects, id)
			w.Write(func(tx *store.Tx) error {
				people, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1001"})
				if err != nil {
					return err
				}
				if err := w.Intake.Gone(tx, rehearsal.Tenant, "corp-ad", []string{id}); err != nil {
					return err
				}
				return tx.RemoveDue(rehearsal.Tenant, []string{people[0].ID})
			})
		}
		w.Read("hr", rehearsal.Worker("E1002", "Anne", "Lovelace"))
		w.Settle()
		if got := w.Value("CN=Anne Lovelace"+research, "sAMAccountName"); got != want {
			t.Errorf("with %q somebody else is given %q; want %q", rule, got, want)
		}
		if rule == "" {
			continue
		}
		w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
		w.Settle()
		if got := w.Value(adaAt, "sAMAccountName"); got != "alovelace" {
			t.Errorf("who comes back is given %q; want alovelace again", got)
		}
	}
}

// A name that somebody has in one target is not given to somebody else in another.
func TestNames_inOtherTargets(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	second := strings.NewReplacer("system: corp-ad", "system: lab-ad", "base: \"DC=corp,DC=example\"", "base: \"DC=lab,DC=example\"",
		`",DC=corp,DC=example"'`, `",DC=lab,DC=example"'`, "class: user\n", "class: user\n  scope: department == \"Lab\"\n").
		Replace(rehearsal.Documents[strings.Index(rehearsal.Documents, "system: corp-ad"):])
	w.Apply(strings.Replace(rehearsal.Documents, "class: user\n", "class: user\n  scope: department != \"Lab\"\n", 1) + "---\n" + second)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	w.Read("hr", rehearsal.Worker("E1002", "Anne", "Lovelace", "department", "Lab"))
	w.Settle()
	if got := w.Value("CN=Anne Lovelace,OU=Lab,DC=lab,DC=example", "sAMAccountName"); got != "alovelace2" {
		t.Errorf("name in the second directory = %q among %q; want alovelace2, for alovelace is somebody else's in the first", got, w.Addresses())
	}
}
