package plan_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// who gives the person with a key, also an earlier one.
func (c company) who(key string) (p store.Person) {
	c.t.Helper()
	c.Write(func(tx *store.Tx) error {
		known, err := tx.KnownBy(rehearsal.Tenant, "", []string{directory.Fold(key)})
		var ids []string
		for _, k := range known {
			ids = append(ids, k.Person)
		}
		rows, err2 := tx.People(rehearsal.Tenant, ids)
		if len(rows) == 0 {
			rows, err2 = tx.PeopleByKey(rehearsal.Tenant, []string{directory.Fold(key)})
		}
		if len(rows) > 0 {
			p = rows[0]
		}
		return errors.Join(err, err2)
	})
	return p
}

func (c company) merge(from, into string) (m store.Merge, err error) {
	a, b := c.who(from), c.who(into)
	err = c.Store.Write(c.t.Context(), func(tx *store.Tx) (err error) {
		m, err = c.Intake.Merge(tx, a, b, "ann")
		return err
	})
	return m, err
}

func (c company) unmerge(id int64) error {
	return c.Store.Write(c.t.Context(), func(tx *store.Tx) error {
		_, err := c.Intake.UndoMerge(tx, rehearsal.Tenant, id, "bob")
		return err
	})
}

func (c company) split(key string, refs ...intake.Ref) (m store.Merge, err error) {
	p := c.who(key)
	err = c.Store.Write(c.t.Context(), func(tx *store.Tx) (err error) {
		m, err = c.Intake.Split(tx, p, refs, "ann")
		return err
	})
	return m, err
}

// whole tells everything that hangs on people: whose each account is, who holds each name, who answers to each key, whose each ended job is.
func (c company) whole() (all []string) {
	c.t.Helper()
	c.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleAfter(rehearsal.Tenant, "", 99)
		if err != nil {
			return err
		}
		shown := map[string]string{"": "nobody"}
		var ids []string
		for _, p := range people {
			shown[p.ID] = p.Shown()
			ids = append(ids, p.ID)
			all = append(all, "person "+p.ID+" "+p.Shown()+" "+p.Display)
		}
		accounts, err := tx.AccountsOf(rehearsal.Tenant, ids)
		for _, a := range accounts {
			all = append(all, "account "+a.System+" "+a.ID+" of "+shown[a.Person])
		}
		known, err2 := tx.KnownOf(rehearsal.Tenant, ids)
		for _, k := range known {
			if p := shown[k.Person]; strings.ToLower(p) != k.Value {
				all = append(all, "known "+k.Path+" "+k.Value+" is "+p)
			}
		}
		names, err3 := tx.AllNames(rehearsal.Tenant, "corp-ad")
		for _, n := range names {
			holder := n.Holder
			if p, ok := shown[holder]; ok {
				holder = p
			}
			all = append(all, "name "+n.Attribute+" "+n.Value+" of "+holder)
		}
		for _, id := range ids {
			jobs, err := tx.JobsOfPerson(rehearsal.Tenant, id, 99)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				if j.State == store.JobDone {
					all = append(all, "job "+j.Class+" of "+shown[j.Person])
				}
			}
		}
		return errors.Join(err, err2, err3)
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// twins is a company with one woman twice, each time with an account, and somebody who reports to the second.
func twins(t *testing.T) company {
	c := newCompany(t)
	c.ada("employees", "E1", "department", "Research")
	c.says("employees", "E2", "given", "Ada", "family", "King", "private_email", "other@home.example", "department", "Sales", "phone", "2", "starts", "2019-01-01")
	c.says("employees", "E3", "given", "Bob", "family", "Noel", "private_email", "bob@home.example", "department", "Sales", "boss", "E2")
	c.Settle()
	return c
}

// Two people who are one are made one, with everything relinked, and two again by undo.
func TestMerge_relinksEverything(t *testing.T) {
	t.Parallel()
	c := twins(t)
	before := c.whole()
	accounts := c.accounts("sAMAccountName")
	first, second := c.who("E1"), c.who("E2")
	of := func(name string) string {
		for _, a := range accounts {
			if strings.HasSuffix(a, " "+name) {
				return strings.Fields(a)[0]
			}
		}
		return ""
	}
	if got := c.Value("CN=Bob Noel,OU=Sales,DC=corp,DC=example", "manager"); got != of("aking") {
		t.Fatalf("manager before = %q; want the account of E2, %s", got, of("aking"))
	}
	m, err := c.merge("E2", "E1")
	if err != nil {
		t.Fatal(err)
	}
	if one := c.who("E2"); one.ID != first.ID {
		t.Errorf("E2 is %s; want them to be %s", one.ID, first.ID)
	}
	c.Settle()
	if got := c.Value("CN=Bob Noel,OU=Sales,DC=corp,DC=example", "manager"); got != of("alovelace") {
		t.Errorf("manager after the merge = %q; want the account that counts, %s", got, of("alovelace"))
	}
	after := strings.Join(c.whole(), "\n")
	for _, want := range []string{"account employees employees/E2 of E1", "name sAMAccountName alovelace of E1", "name sAMAccountName aking of " + of("aking")} {
		if !strings.Contains(after, want) {
			t.Errorf("after the merge there is no %q in:\n%s", want, after)
		}
	}
	if got := c.accounts("sAMAccountName"); len(got) != len(accounts) {
		t.Errorf("accounts = %q; want those of before: nothing is deleted", got)
	}
	c.Write(func(tx *store.Tx) error { // the log of both is theirs
		log, err := tx.HistoryOf(rehearsal.Tenant, first.ID, 0, 99)
		if !slices.ContainsFunc(log, func(h store.History) bool { return h.Person == second.ID }) || log[0].Kind == "" {
			t.Errorf("the log of who stays has %d entries, none of who was merged into them", len(log))
		}
		return err
	})
	// The next read finds one person, and the leading record still speaks.
	c.says("employees", "E2", "given", "Ada", "family", "King", "private_email", "other@home.example", "department", "Board", "phone", "2", "starts", "2019-01-01")
	c.Settle()
	if n := len(c.people()); n != 2 {
		t.Errorf("%d people after the next read; want 2", n)
	}
	c.says("employees", "E2", "given", "Ada", "family", "King", "private_email", "other@home.example", "department", "Sales", "phone", "2", "starts", "2019-01-01")
	c.Settle()

	if err := c.unmerge(m.ID); err != nil {
		t.Fatal(err)
	}
	if back := c.who("E2"); back.ID != second.ID {
		t.Errorf("E2 is %s after the undo; want %s again", back.ID, second.ID)
	}
	c.Settle()
	if diff := cmp.Diff(before, c.whole()); diff != "" {
		t.Errorf("after merge and undo (-before +after):\n%s", diff)
	}
	if got := c.Value("CN=Bob Noel,OU=Sales,DC=corp,DC=example", "manager"); got != of("aking") {
		t.Errorf("manager after the undo = %q; want that of before", got)
	}
	c.Write(func(tx *store.Tx) error { // each has their own log again
		log, err := tx.HistoryOf(rehearsal.Tenant, first.ID, 0, 99)
		if slices.ContainsFunc(log, func(h store.History) bool { return h.Person == second.ID }) {
			t.Error("the log of who stayed still tells of who has left them")
		}
		return err
	})
	if err := c.unmerge(m.ID); !errors.Is(err, intake.ErrRegroup) {
		t.Errorf("undo again = %v; want it refused", err)
	}
}

// An account goes to who stays where they have none, with what was done to it: nothing is planned but what differs.
func TestMerge_accountOfTheOther(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("employees", "E1", "department", "Research")
	c.says("contractors", "C9", "given", "Ada", "family", "Lovelace", "private_email", "elsewhere@home.example", "starts", "2099-01-01", "phone", "")
	c.Settle()
	account, before := c.accounts()[0], c.whole()
	m, err := c.merge("E1", "C9")
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	if all := c.whole(); !slices.Contains(all, "job create of E1") {
		t.Errorf("nobody has the job that made the account; want who stays to have it: %q", all)
	}
	if got := c.accounts(); len(got) != 1 || got[0] != account {
		t.Errorf("accounts = %q; want %q as it was", got, account)
	}
	if p := c.who("E1"); p.ID != c.who("C9").ID || p.Shown() != "E1" {
		t.Errorf("E1 is %s, shown as %s; want one person, shown by the employment of now", p.ID, p.Shown())
	}
	if err := c.unmerge(m.ID); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	if diff := cmp.Diff(before, c.whole()); diff != "" {
		t.Errorf("after merge and undo (-before +after):\n%s", diff)
	}
}

// Records that are not one person's are made two, and stay two.
func TestSplit_makesAPersonOfRecords(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("contractors", "C1")
	c.Settle()
	c.ada("employees", "E1", "department", "Research") // the same private address, and so the same person
	c.Settle()
	if n := len(c.people()); n != 1 {
		t.Fatalf("%d people; want 1", n)
	}
	before := c.whole()
	account := c.accounts()[0]
	m, err := c.split("E1", intake.Ref{System: "contractors", ID: "contractors/C1"})
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	two := c.whole()
	if len(c.people()) != 2 || c.who("C1").ID == c.who("E1").ID || len(c.accounts()) != 2 {
		t.Errorf("people %q, accounts %q; want two with an account each", c.people(), c.accounts())
	}
	if !slices.Contains(c.accounts(), account) {
		t.Errorf("accounts = %q; want %s to have stayed with E1", c.accounts(), account)
	}
	c.ada("contractors", "C1", "phone", "7") // read again, changed
	c.ada("employees", "E1", "department", "Board")
	c.Settle()
	if len(c.people()) != 2 {
		t.Errorf("people after the next read: %q; want the two to stay two:\n%s", c.people(), strings.Join(two, "\n"))
	}
	c.ada("contractors", "C1")
	c.ada("employees", "E1", "department", "Research")
	c.Settle()
	if err := c.unmerge(m.ID); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	after := slices.DeleteFunc(c.whole(), func(s string) bool { // the second account is nobody's, and holds its names
		return strings.HasPrefix(s, "name ") && !strings.HasSuffix(s, " of E1") || strings.HasPrefix(s, "job")
	})
	before = slices.DeleteFunc(before, func(s string) bool { return strings.HasPrefix(s, "job") })
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after split and undo (-before +after):\n%s", diff)
	}
}

// The key that leads goes with its record: who stays is known by another of theirs.
func TestSplit_ofTheLeadingRecord(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("contractors", "C1")
	c.ada("employees", "E1", "department", "Research")
	c.Settle()
	account := c.accounts()[0]
	if _, err := c.split("E1", intake.Ref{System: "employees", ID: "employees/E1"}, intake.Ref{System: "corp-ad", ID: strings.Fields(account)[0]}); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	if a, b := c.who("E1"), c.who("C1"); a.ID == b.ID || a.Shown() != "E1" || b.Shown() != "C1" {
		t.Errorf("people = %s and %s, shown %s and %s; want two, each by their own key", a.ID, b.ID, a.Shown(), b.Shown())
	}
	if got := c.accounts("employeeID"); len(got) != 2 || !slices.Contains(got, account+" E1") {
		t.Errorf("accounts = %q; want %s to have gone with E1, and a new one for C1", got, account)
	}
}

// What cannot be told apart, or is under way, is refused and says what to do.
func TestRegroup_refuses(t *testing.T) {
	t.Parallel()
	c := twins(t)
	ref := func(id string) intake.Ref { return intake.Ref{System: "employees", ID: "employees/" + id} }
	for name, test := range map[string]struct {
		do   func() error
		want string
	}{
		"the same":         {func() error { _, err := c.merge("E1", "E1"); return err }, "are the same person already"},
		"nothing left":     {func() error { _, err := c.split("E1", ref("E1")); return err }, "no record that makes a person would be left to E1"},
		"another's record": {func() error { _, err := c.split("E1", ref("E2")); return err }, "drawbridge person records E1"},
	} {
		if err := test.do(); !errors.Is(err, intake.ErrRegroup) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want it refused with %q", name, err, test.want)
		}
	}
	c.ada("employees", "E1", "department", "Board")
	c.Plan()
	c.Meanwhile = func() {
		if _, err := c.merge("E1", "E2"); !errors.Is(err, intake.ErrRegroup) || !strings.Contains(err.Error(), "try again when that has ended") {
			t.Errorf("a merge while an agent is about it: %v; want it refused", err)
		}
	}
	c.Work(10)
	c.Meanwhile = nil
	c.Settle()
	m, err := c.merge("E1", "E2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.merge("E2", "E3"); err != nil {
		t.Fatal(err)
	}
	if err := c.unmerge(m.ID); !errors.Is(err, intake.ErrRegroup) || !strings.Contains(err.Error(), "undo that first") {
		t.Errorf("undo of a merge whose person was merged on: %v; want it refused", err)
	}
}

// remove takes an account away at the directory, and has that noticed.
func (c company) remove(name string) {
	c.t.Helper()
	for id, o := range c.Objects {
		if o.GetClass() == "user" && c.Value(o.GetAddress(), "sAMAccountName") == name {
			delete(c.Objects, id)
			c.Write(func(tx *store.Tx) error { return c.Intake.Gone(tx, rehearsal.Tenant, "corp-ad", []string{id}) })
			return
		}
	}
	c.t.Fatalf("no account is called %s", name)
}

// Who refers to somebody whose account is gone gets the next one, as soon as it is there.
func TestStep_refersToTheNextAccount(t *testing.T) {
	t.Parallel()
	c := twins(t)
	before := c.Value("CN=Bob Noel,OU=Sales,DC=corp,DC=example", "manager")
	c.remove("aking")
	c.Settle()
	if got := c.Value("CN=Bob Noel,OU=Sales,DC=corp,DC=example", "manager"); got == before || c.Objects[got] == nil {
		t.Errorf("manager = %q, before %q; want the account made anew", got, before)
	}
}

// A name that an account lost while it was nobody's is not taken from who has it now.
func TestMerge_undoneAfterTheNameIsAnothers(t *testing.T) {
	t.Parallel()
	c := twins(t)
	m, err := c.merge("E2", "E1")
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	c.remove("aking")
	c.says("employees", "E4", "given", "Ada", "family", "King", "private_email", "4@home.example", "department", "Board")
	c.Settle()
	if err := c.unmerge(m.ID); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	var names []string
	for _, line := range c.accounts("sAMAccountName", "employeeID") {
		fields := strings.Fields(line)
		names = append(names, strings.Join(fields[len(fields)-2:], " "))
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"aking E4", "aking2 E2", "alovelace E1", "bnoel E3"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
