package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// What random histories have found (rehearsal), each as small as it can be told.

const numbers = `system: phones
site: hq
connector: csv
source:
  class: row
  key: employee_id
  people: join
  attributes: {phoneNumbers.work: phone}
`

func number(key, phone string) *connectorv1.Object {
	return rehearsal.Object("row", key, "phones.csv", "employee_id", key, "phone", phone)
}

// phoneOf gives what the directory has of somebody.
func phoneOf(t *testing.T, w *rehearsal.World, key string) string {
	t.Helper()
	p := company{World: w, t: t}.who(key)
	_, after, _ := strings.Cut(p.Attributes, `"phoneNumbers.work":"`)
	phone, _, _ := strings.Cut(after, `"`)
	return phone
}

// A record that waits for its person tells of them from the moment that they are there.
func TestFound_recordThatWaited(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Apply(numbers)
	w.Read("phones", number("E1002", "+2"))
	w.Read("hr", rehearsal.Worker("E1002", "Grace", "Hopper"))
	if got := phoneOf(t, w, "e1002"); got != "+2" {
		t.Errorf("the number is %q; want what was said before", got)
	}
}

// A record that came after a merge goes with its key when the merge is undone, and when its person is split off.
func TestFound_recordGoesWithItsKey(t *testing.T) {
	t.Parallel()
	for _, undo := range []bool{true, false} {
		w := world(t)
		w.Apply(numbers)
		w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"), rehearsal.Worker("E1002", "Grace", "Hopper"))
		w.Settle()
		c := company{World: w, t: t}
		m, err := c.merge("e1002", "e1001")
		if err != nil {
			t.Fatal(err)
		}
		w.Read("phones", number("E1002", "+2"))
		w.Settle()
		if undo {
			err = c.unmerge(m.ID)
		} else {
			_, err = c.split("e1002", intake.Ref{System: "hr", ID: "E1002"})
		}
		if err != nil {
			t.Fatal(err)
		}
		if his, hers := phoneOf(t, w, "e1001"), phoneOf(t, w, "e1002"); his != "" || hers != "+2" {
			t.Errorf("undone %v: the numbers are %q and %q; want it with the key that it names", undo, his, hers)
		}
	}
}

// A group whose last member is made one with somebody else is as empty as if they had left; and in
// one look at both it may get its next member and yet not be taken for empty.
func TestFound_groupOfWhoWasMerged(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(strings.Replace(departments, "remove: 30d", "remove: at once", 1))
	w.Read("hr", member("E1", "Ann", "Sales", "100"), member("E2", "Bob", "Research", "200"))
	w.Settle()
	c := company{World: w, t: t}
	if _, err := c.merge("e2", "e1"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	got := in(w)
	if _, there := got["CN=Research,OU=Groups,DC=corp,DC=example"]; there {
		t.Errorf("groups = %v; want none where nobody is in it", got)
	}

	w = rehearsal.New(t)
	w.Apply(strings.Replace(departments, "remove: 30d", "remove: at once", 1))
	w.Read("hr", member("E1", "Ann", "Sales", "100", "status", "T"), member("E2", "Bob", "Research", "200"))
	w.Plan() // the group is planned, and not made yet
	c = company{World: w, t: t}
	if _, err := c.merge("e2", "e1"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := in(w)["CN=Research,OU=Groups,DC=corp,DC=example"]; !slices.Equal(got, []string{"Bob Doe"}) {
		t.Errorf("in Research is %q; want Bob, who is Ann as well", got)
	}
}

// letGo is a world in which Bob is found to be Ann, and his account is let go by that.
func letGo(t *testing.T) (*rehearsal.World, company, store.Merge) {
	t.Helper()
	w := rehearsal.New(t)
	w.Apply(departments)
	w.Read("hr", member("E1", "Ann", "Sales", "100"), member("E2", "Bob", "Sales", "100"))
	w.Settle()
	c := company{World: w, t: t}
	m, err := c.merge("e2", "e1")
	if err != nil {
		t.Fatal(err)
	}
	return w, c, m
}

// An account that a merge lets go is nobody's, and is taken out of the groups in which only members by rule remain.
func TestFound_accountThatWasLetGo(t *testing.T) {
	t.Parallel()
	w, c, m := letGo(t)
	w.Settle()
	if got := in(w)["CN=Sales,OU=Groups,DC=corp,DC=example"]; !slices.Equal(got, []string{"Ann Doe"}) {
		t.Errorf("in Sales are %q; want Ann's account alone, which is the one of both", got)
	}
	if err := c.unmerge(m.ID); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := in(w)["CN=Sales,OU=Groups,DC=corp,DC=example"]; !slices.Equal(got, []string{"Ann Doe", "Bob Doe"}) {
		t.Errorf("in Sales are %q after it was undone; want both", got)
	}
}

// Who was locked out by a job of which nobody heard whether it was done comes back by themselves.
func TestFound_backAfterALostLockOut(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Strict = true
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	w.Lost = func(op *connectorv1.Operation) bool { return op.GetSetEnabled() != nil }
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "status", "T"))
	w.Plan()
	w.Work(1)
	w.Lost = nil
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	readAll(w)
	w.Later()
	w.Settle()
	if got := w.Value(adaAt, "enabled"); got != "true" {
		t.Errorf("enabled = %q at %q, problems %v; want her let in", got, w.Addresses(), problems(t, w))
	}
}

// readAll has the directory told as it is.
func readAll(w *rehearsal.World) {
	for _, o := range w.Objects {
		w.Read("corp-ad", o)
	}
}

// A create that finds an account which is locked has let nobody in: it is let in then.
func TestFound_lockedAccountThatWasThere(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Strict = true
	w.Objects["guid-x"] = rehearsal.Object("user", "guid-x", "CN=Old,DC=corp,DC=example", "cn", "Old", "employeeID", "E1001", "sAMAccountName", "alovelace",
		"givenName", "Ada", "sn", "Lovelace", "department", "Research", "title", "Engineer", "manager", "", "enabled", "false") // nobody has read it yet
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	if got := w.Value(adaAt, "enabled"); got != "true" || len(w.Objects) != 1 {
		t.Errorf("enabled = %q at %q, problems %v; want the one that was there, and her let in", got, w.Addresses(), problems(t, w))
	}
}

// A name that was reserved for what then came to nothing is given back: the create was planned, and before it was done
// HR corrected the name. While somebody may get it still it stays theirs.
func TestFound_nameReservedInVain(t *testing.T) {
	t.Parallel()
	w := world(t)
	free := func() int {
		n, err := w.Intake.FreeNames(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Plan()
	if n := free(); n != 0 {
		t.Errorf("%d names freed while the account is being made", n)
	}
	w.Refuse = func(*connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
		return connectorv1.Outcome_OUTCOME_UNAVAILABLE, &connectorv1.Fault{Cause: "it does not answer", NextStep: "It is tried again."}
	}
	w.Work(1) // there is no job any more: it is planned again in a minute
	if n := free(); n != 0 {
		t.Errorf("%d names freed of somebody whose account is tried again soon", n)
	}
	w.Refuse = nil
	w.Read("hr", rehearsal.Worker("E1001", "Eve", "Byron"))
	if n := free(); n != 0 {
		t.Errorf("%d names freed of somebody who is about to be looked at", n)
	}
	w.Settle()
	if n := free(); n != 2 { // the account's, and its place
		t.Errorf("%d names freed; want what was reserved for the wrong name", n)
	}
	w.Read("hr", rehearsal.Worker("E1002", "Ada", "Lovelace"))
	w.Settle()
	if got := w.Value(adaAt, "sAMAccountName"); got != "alovelace" {
		t.Errorf("who comes to have the name is called %q at %q; want no number", got, w.Addresses())
	}
	if n := free(); n != 0 {
		t.Errorf("%d names freed that accounts have", n)
	}
}

// A name that the system once said was taken, by something out of sight, is tried again some time.
func TestFound_nameThatWasTaken(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Strict = true
	unseen := rehearsal.Object("user", "guid-x", "CN=Unseen,OU=Elsewhere,DC=corp,DC=example", "cn", "Unseen", "sAMAccountName", "alovelace")
	w.Objects["guid-x"] = unseen
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	if got := w.Value(adaAt, "sAMAccountName"); got != "alovelace2" {
		t.Fatalf("sAMAccountName = %q; want the next candidate", got)
	}
	delete(w.Objects, "guid-x")
	if n, err := w.Intake.FreeNames(t.Context()); n != 1 || err != nil {
		t.Errorf("%d names freed, %v; want the one that only the system knew of", n, err)
	}
	w.Read("hr", rehearsal.Worker("E1002", "Al", "Lovelace"))
	w.Settle()
	if got := w.Value("CN=Al Lovelace"+research, "sAMAccountName"); got != "alovelace" {
		t.Errorf("sAMAccountName = %q; want the name that is free again", got)
	}
}

// An account that was nobody's, and was to leave a group for that, may be somebody's again when that is done: they are
// looked at then, and are put in again.
func TestFound_strangerWhoIsSomebodyAgain(t *testing.T) {
	t.Parallel()
	w, c, m := letGo(t)
	w.Plan()
	claimed := w.Claim(10)
	if len(claimed) == 0 {
		t.Fatal("nothing is to be done about the account that was let go")
	}
	if err := c.unmerge(m.ID); err != nil {
		t.Fatal(err)
	}
	w.Plan()
	w.Finish(w.Results(claimed...)...)
	w.Settle()
	if got := in(w)["CN=Sales,OU=Groups,DC=corp,DC=example"]; !slices.Equal(got, []string{"Ann Doe", "Bob Doe"}) {
		t.Errorf("in Sales are %q; want both", got)
	}
}
