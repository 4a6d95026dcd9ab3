package activedirectory_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

const (
	done        = connectorv1.Outcome_OUTCOME_DONE
	conflict    = connectorv1.Outcome_OUTCOME_CONFLICT
	invalid     = connectorv1.Outcome_OUTCOME_INVALID
	denied      = connectorv1.Outcome_OUTCOME_DENIED
	notFound    = connectorv1.Outcome_OUTCOME_NOT_FOUND
	unavailable = connectorv1.Outcome_OUTCOME_UNAVAILABLE
	unknown     = connectorv1.Outcome_OUTCOME_UNKNOWN
)

// wantFault checks the outcome and that the words name what they must.
func wantFault(t testing.TB, what string, r *connectorv1.ApplyResponse, outcome connectorv1.Outcome, words ...string) {
	t.Helper()
	f := r.GetFault()
	text := f.GetCause() + " | " + f.GetObject() + " | " + f.GetAttribute()
	if r.GetOutcome() != outcome {
		t.Errorf("%s = %v (%s; %s); want %v", what, r.GetOutcome(), text, f.GetRaw(), outcome)
		return
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s says %q; want it to name %q", what, text, w)
		}
	}
	if outcome != done && f.GetNextStep() == "" {
		t.Errorf("%s says no next step", what)
	}
}

// One whose name holds everything that means something in a DN or a filter is
// created, found, renamed and moved like anybody.
func writeNameWithEverySign(t *testing.T, d domain) {
	const name = `O'Brien, Jr. #1 (Zoë) *`
	c, ou := d.open(t), d.ou(t, "Signs")
	o := c.object(c.done(create(ou, name, "zobrien.signs", "displayName", name)))
	if value(o, "name") != name || value(o, "container") != ou {
		t.Errorf("created object is %s in %s; want %s in %s", value(o, "name"), value(o, "container"), name, ou)
	}
	found := c.find("user", "displayName", []string{name}, "sAMAccountName")
	if len(found) != 1 || found[0].GetId() != o.GetId() {
		t.Fatalf("Find(displayName, %q) = %v; want object %s", name, found, o.GetId())
	}
	const other = ` "<Zoë>"; O\Brien=+ `
	moved := c.object(c.done(move(o.GetId(), o.GetAddress(), ou, other)))
	if got := strings.TrimSpace(value(moved, "name")); got != strings.TrimSpace(other) {
		t.Errorf("renamed object is %q; want %q", got, other)
	}
	if again := c.done(move(o.GetId(), o.GetAddress(), ou, value(moved, "name"))); !again.GetUnchanged() {
		t.Error("renaming to the name it has was not Unchanged")
	}
}

// An account is enabled, has the password that was sealed, and can sign in.
func createPasswordIsTheSealedOne(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Passwords")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	op := create(ou, "Ann", "ann.passwords")
	op.GetCreate().Password.Recipients = []string{identity.Recipient().String()}
	r := c.done(op)
	o := c.object(r)
	if value(o, "enabled") != "true" || value(o, "sAMAccountName") != "ann.passwords" {
		t.Errorf("created object is %v; want ann, enabled", o)
	}
	signIn := func(box []byte) error {
		password, err := sealed.Unseal(box, identity)
		if err != nil {
			t.Fatal(err)
		}
		return d.admin(t).Bind("ann.passwords@corp.example.test", password.Reveal())
	}
	if err := signIn(r.GetSealedPassword()); err != nil {
		t.Errorf("sign in with the sealed password: %v", err)
	}
	set := c.done(&connectorv1.Operation{Class: "user", Id: o.GetId(), Verb: &connectorv1.Operation_SetPassword{
		SetPassword: &connectorv1.SetPassword{Rule: &connectorv1.PasswordRule{Length: 16, Recipients: []string{identity.Recipient().String()}}}}})
	if err := signIn(set.GetSealedPassword()); err != nil {
		t.Errorf("sign in with the new password: %v", err)
	}
	op = create(ou, "Bob", "bob.passwords")
	op.GetCreate().Password = nil
	wantFault(t, "enabled without a password", c.apply(op), invalid, "needs a password")
}

// A create whose answer was lost is repeated, and must not make another.
func createRepeated(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Repeat")
	first := c.object(c.done(create(ou, "Ann", "ann.repeat")))
	again := c.done(create(ou, "Ann", "ann.repeat"))
	if got := c.object(again); got.GetId() != first.GetId() || !again.GetUnchanged() {
		t.Errorf("repeated create gave %s, unchanged %v; want %s, true", got.GetId(), again.GetUnchanged(), first.GetId())
	}
}

// Whose name it is decides which other name is tried, so it must be right.
func createTaken(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Taken")
	c.done(create(ou, "Ann", "ann.taken"))
	for _, tt := range []struct{ name, sam, upn, attribute string }{
		{"Other", "ANN.TAKEN", "other.taken@corp.example.test", "sAMAccountName"},
		{"Other", "other.taken", "Ann.taken@corp.example.test", "userPrincipalName"},
		{"ann", "other.taken", "other.taken@corp.example.test", "cn"},
	} {
		op := create(ou, tt.name, tt.sam)
		op.GetCreate().Attributes[1] = attribute("userPrincipalName", tt.upn)
		op.GetCreate().Attributes[2], op.GetCreate().Anchor = attribute("employeeID", "other.taken"), attribute("employeeID", "other.taken")
		r := c.apply(op)
		wantFault(t, tt.attribute, r, conflict, tt.attribute, "CN=Ann,"+ou)
		if !r.GetFault().GetTaken() || r.GetFault().GetAttribute() != tt.attribute {
			t.Errorf("create with a taken %s = taken %v, attribute %q", tt.attribute, r.GetFault().GetTaken(), r.GetFault().GetAttribute())
		}
	}
}

func createContainers(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Containers")
	deep := `OU=R\, D,OU=Berlin,` + ou
	wantFault(t, "missing container", c.apply(create(deep, "Ann", "ann.containers")), invalid, "does not exist", deep)
	op := create(deep, "Ann", "ann.containers")
	op.GetCreate().MakeContainers = true
	o := c.object(c.done(op))
	if value(o, "container") != deep {
		t.Errorf("created in %s; want %s", value(o, "container"), deep)
	}
	other := "OU=Leavers," + ou
	wantFault(t, "move to a missing container", c.apply(move(o.GetId(), o.GetAddress(), other, "Ann")), invalid, "does not exist", other)
	m := move(o.GetId(), o.GetAddress(), other, "Ann")
	m.GetMove().MakeContainers = true
	if got := c.object(c.done(m)); value(got, "container") != other {
		t.Errorf("moved to %s; want %s", value(got, "container"), other)
	}

	// Of several who miss a container one makes it, and all have it.
	for round := range 5 {
		var all sync.WaitGroup
		for i := range 6 {
			name := fmt.Sprintf("many%d%d.new", round, i)
			op := create(fmt.Sprintf("OU=New%d,%s", round, ou), name, name)
			op.GetCreate().MakeContainers = true
			all.Go(func() {
				if r := c.apply(op); r.GetOutcome() != done {
					t.Errorf("create of %s beside others = %v; want DONE", name, r)
				}
			})
		}
		all.Wait()
	}
}

func createCheckedAgainstTheSchema(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Limits")
	wantFault(t, "long title", c.apply(create(ou, "Ann", "ann.limits", "title", strings.Repeat("é", 140))), invalid,
		"title has 140 characters, the directory takes 128")
	wantFault(t, "long name", c.apply(create(ou, strings.Repeat("x", 65), "ann.limits")), invalid, "cn has 65 characters, the directory takes 64")
	wantFault(t, "unknown attribute", c.apply(create(ou, "Ann", "ann.limits", "titel", "x")), invalid, `no attribute "titel"`)
	wantFault(t, "read-only attribute", c.apply(create(ou, "Ann", "ann.limits", "whenCreated", "2026-01-01T00:00:00Z")), invalid, "whenCreated")
	wantFault(t, "password attribute", c.apply(create(ou, "Ann", "ann.limits", "unicodePwd", "x")), invalid, "unicodePwd")
	if got := c.find("user", "sAMAccountName", []string{"ann.limits"}); len(got) != 0 {
		t.Errorf("%v is there after refused creates", got)
	}
}

func modifyCompareAndSwap(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Swap")
	boss := c.object(c.done(create(ou, "Boss", "boss.swap"))).GetId()
	id := c.object(c.done(create(ou, "Ann", "ann.swap", "title", "Clerk"))).GetId()
	to := func(v ...string) []string { return v }

	o := c.object(c.done(modify("user", id, change("title", to("Clerk"), to("Head")), change("manager", nil, to(boss)))))
	if value(o, "title") != "Head" || value(o, "manager") != boss {
		t.Errorf("after modify: %v; want title Head, manager %s", o, boss)
	}
	r := c.done(modify("user", id, change("title", to("Clerk"), to("Head")), change("manager", nil, to(boss))))
	if !r.GetUnchanged() {
		t.Error("repeated modify was not Unchanged")
	}
	r = c.apply(modify("user", id, change("title", to("Clerk"), to("Chief")), change("department", nil, to("IT"))))
	wantFault(t, "stale title", r, conflict, `title is now "Head", expected "Clerk"`, "CN=Ann,"+ou)
	if got := value(c.object(r), "title"); got != "Head" {
		t.Errorf("conflict shows title %q; want Head", got)
	}
	if got := c.find("user", "sAMAccountName", to("ann.swap"), "department"); value(got[0], "department") != "" {
		t.Error("half of a refused modify was made")
	}
	r = c.apply(modify("user", id, change("title", nil, to("Chief"))))
	wantFault(t, "title expected empty", r, conflict, `title is now "Head", expected empty`)
	// A value differs only in case: it is changed, and found by the old spelling.
	if o = c.object(c.done(modify("user", id, change("title", to("HEAD"), to("hEAD"))))); value(o, "title") != "hEAD" {
		t.Errorf("title is %q; want hEAD", value(o, "title"))
	}
	if o = c.object(c.done(modify("user", id, change("title", to("hEAD"), nil), change("manager", to(boss), nil)))); value(o, "title")+value(o, "manager") != "" {
		t.Errorf("after clearing: %v; want no title and no manager", o)
	}
	wantFault(t, "reference to nobody", c.apply(modify("user", id, change("manager", nil, to("8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11")))),
		notFound, "manager")
	wantFault(t, "object that is gone", c.apply(modify("user", "8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11", change("title", nil, to("x")))), notFound)
}

// Of an attribute with many values, one that somebody added meanwhile is a
// conflict, too.
func modifyManyValues(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Many")
	id := c.object(c.done(create(ou, "Ann", "ann.many"))).GetId()
	one, two := []string{"SMTP:ann@x.test"}, []string{"SMTP:ann.b@x.test", "smtp:ann@x.test"}
	c.done(modify("user", id, change("proxyAddresses", nil, one)))
	o := c.object(c.done(modify("user", id, change("proxyAddresses", one, two))))
	if got := values(o, "proxyAddresses"); len(got) != 2 || !strings.Contains(strings.Join(got, " "), "smtp:ann@x.test") {
		t.Errorf("proxyAddresses are %q; want %q", got, two)
	}
	wantFault(t, "value that was not seen", c.apply(modify("user", id, change("proxyAddresses", two[:1], one))), conflict, "proxyAddresses is now")
	wantFault(t, "expected empty", c.apply(modify("user", id, change("proxyAddresses", nil, []string{"smtp:c@x.test"}))), conflict, "expected empty")
}

// Whatever else an admin has set in userAccountControl stays.
func setEnabledTouchesOneBit(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Enable")
	id := c.object(c.done(create(ou, "Ann", "ann.enable"))).GetId()
	m := ldap.NewModifyRequest("CN=Ann,"+ou, nil)
	m.Replace("userAccountControl", []string{"66048"}) // password never expires
	if err := d.admin(t).Modify(m); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		enabled bool
		uac     string
	}{{false, "66050"}, {true, "66048"}} {
		if got := value(c.object(c.done(enable(id, want.enabled))), "userAccountControl"); got != want.uac {
			t.Errorf("SetEnabled(%v) leaves %s; want %s", want.enabled, got, want.uac)
		}
		if r := c.done(enable(id, want.enabled)); !r.GetUnchanged() {
			t.Errorf("SetEnabled(%v) again was not Unchanged", want.enabled)
		}
	}
	flags := create(ou, "Flags", "flags.enable", "userAccountControl", "66050") // disabled, and password never expires
	flags.ReturnAttributes = []string{"userAccountControl"}
	if got := value(c.object(c.done(flags)), "userAccountControl"); got != "66048" {
		t.Errorf("created enabled with flags 66050: %s; want 66048", got)
	}
	op := create(ou, "Bob", "bob.enable")
	op.GetCreate().Enabled, op.GetCreate().Password = false, nil
	bob := c.object(c.done(op))
	if value(bob, "enabled") != "false" {
		t.Errorf("bob is %v; want disabled", bob)
	}
	if d.lenient {
		return // the double does not keep what the connector tells an account without a password by
	}
	r := c.apply(enable(bob.GetId(), true))
	wantFault(t, "enable without a password", r, invalid, "password")
}

func membershipOf(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Groups")
	g1, g2 := c.object(c.done(group(ou, "g1"))).GetId(), c.object(c.done(group(ou, "g2"))).GetId()
	id := c.object(c.done(create(ou, "Ann", "ann.groups"))).GetId()
	for _, tt := range []struct {
		join, leave []string
		want        string
		unchanged   bool
	}{
		{join: []string{g1, g2}, want: g1 + "|" + g2},
		{join: []string{g1}, want: g1 + "|" + g2, unchanged: true},
		{leave: []string{g1}, want: g2},
		{leave: []string{g1}, want: g2, unchanged: true},
		{join: []string{g1}, leave: []string{g2}, want: g1},
	} {
		r := c.done(membership(id, tt.join, tt.leave))
		got := values(c.object(r), "memberOf")
		if len(got) == 2 && got[0] != g1 {
			got[0], got[1] = got[1], got[0]
		}
		if strings.Join(got, "|") != tt.want || r.GetUnchanged() != tt.unchanged {
			t.Errorf("join %q leave %q = %q, unchanged %v; want %q, %v", tt.join, tt.leave, got, r.GetUnchanged(), tt.want, tt.unchanged)
		}
	}
	users := c.find("group", "sAMAccountName", []string{"Domain Users"})
	wantFault(t, "leave the primary group", c.apply(membership(id, nil, []string{users[0].GetId()})), invalid, "primary group")
	wantFault(t, "join a group that is not there", c.apply(membership(id, []string{"8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11"}, nil)), notFound, "group")
}

// Those who join and leave a group at the same time share requests, and each
// gets what is true of it: one who is in it already makes nothing of the others' fail.
func manyMembersAtOnce(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Crowd")
	g1, g2 := c.object(c.done(group(ou, "c1"))).GetId(), c.object(c.done(group(ou, "c2"))).GetId()
	var ids []string
	for i := range 12 {
		ids = append(ids, c.object(c.done(create(ou, fmt.Sprint("Cy ", i), fmt.Sprint("cy.", i)))).GetId())
	}
	c.done(membership(ids[3], []string{g1}, nil))
	together := func(join, leave []string, unchanged string) {
		t.Helper()
		var all sync.WaitGroup
		for _, id := range ids {
			all.Go(func() {
				r := c.apply(membership(id, join, leave))
				if r.GetOutcome() != done || r.GetUnchanged() != (id == unchanged) {
					t.Errorf("join %q leave %q = %v; want DONE, unchanged %v", join, leave, r, id == unchanged)
				} else if got := value(c.object(r), "memberOf"); got != strings.Join(join, "|") && (got != "(absent)" || len(join) > 0) {
					t.Errorf("memberOf = %q; want %q", got, join)
				}
			})
		}
		all.Wait()
	}
	together([]string{g1}, nil, ids[3])
	together([]string{g2}, []string{g1}, "")
	together(nil, []string{g2}, "")
}

func moveElsewhereMeanwhile(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Move")
	o := c.object(c.done(create(ou, "Ann", "ann.move")))
	c.done(create(ou, "Bea", "bea.move"))
	r := c.apply(move(o.GetId(), "CN=Ann,OU=Elsewhere,"+d.base, ou, "Ann B"))
	wantFault(t, "seen elsewhere", r, conflict, "is now at CN=Ann,"+ou)
	r = c.apply(move(o.GetId(), o.GetAddress(), ou, "bea"))
	wantFault(t, "taken name", r, conflict, "cn", "CN=Bea,"+ou)
	if !r.GetFault().GetTaken() {
		t.Error("a taken name is not told as taken")
	}
	// Only the case differs.
	if got := c.object(c.done(move(o.GetId(), o.GetAddress(), ou, "ANN"))); value(got, "name") != "ANN" {
		t.Errorf("name is %q; want ANN", value(got, "name"))
	}
}

func deleteLeaf(t *testing.T, d domain) {
	c, ou := d.open(t), d.ou(t, "Delete")
	o := c.object(c.done(create(ou, "Ann", "ann.delete")))
	unit := c.find("organizationalUnit", "ou", []string{"Delete"})
	wantFault(t, "delete a container that is not empty", c.apply(remove("organizationalUnit", unit[0].GetId())), invalid, "below it")
	if r := c.done(remove("user", o.GetId())); r.GetUnchanged() {
		t.Error("the first delete was Unchanged")
	}
	if r := c.done(remove("user", o.GetId())); !r.GetUnchanged() {
		t.Error("the second delete was not Unchanged")
	}
}

// A connection that breaks before the write reached the server is no harm; one
// that breaks after it leaves the outcome open, and repeating finds the object.
func TestWrite_connectionLost(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	c, ou := d.open(t), d.ou(t, "Lost")
	c.done(create(ou, "Ann", "ann"))
	if err := d.double.Fail(double.Fault{Do: double.DropAfter, Ops: []string{"add"}}); err != nil {
		t.Fatal(err)
	}
	wantFault(t, "answer lost", c.apply(create(ou, "Bea", "bea")), unknown, "broke before it answered")
	if r := c.done(create(ou, "Bea", "bea")); !r.GetUnchanged() {
		t.Error("the repeated create was not Unchanged")
	}
	if err := d.double.Fail(double.Fault{Do: double.AnswerBusy, Ops: []string{"add"}}); err != nil {
		t.Fatal(err)
	}
	wantFault(t, "busy", c.apply(create(ou, "Cem", "cem")), unavailable, "busy")
	c.done(create(ou, "Cem", "cem"))
	if err := d.double.Close(); err != nil {
		t.Fatal(err)
	}
	c.apply(create(ou, "Dan", "dan")) // may meet the end of the connection, or already its absence
	wantFault(t, "server gone", c.apply(create(ou, "Dan", "dan")), unavailable, "no connection")
}

// All goes to the second controller once the first is away.
func TestWrite_failsOver(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	c := d.open(t, map[string]any{"servers": []string{"ldaps://127.0.0.1:1", d.ldaps}})
	r := c.done(create("CN=Users,"+d.base, "Ann", "ann"))
	if r.GetServer() == "" {
		t.Error("the answer does not name the server")
	}
}

// What the account may not do is said with the right and the place.
func TestWrite_withoutRights(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	c, ou := d.open(t), d.ou(t, "Rights")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	op := create(ou, "svc", "svc")
	op.GetCreate().Password.Recipients = []string{identity.Recipient().String()}
	password, err := sealed.Unseal(c.done(op).GetSealedPassword(), identity)
	if err != nil {
		t.Fatal(err)
	}
	weak := domain{ldaps: d.ldaps, caFile: d.caFile, adminUPN: "svc@corp.example.test", password: password.Reveal(), base: d.base}
	w := weak.open(t)
	wantFault(t, "create", w.apply(create(ou, "Ann", "ann")), denied, "svc@corp.example.test", `"Create user objects"`, ou)
	id := c.object(c.done(create(ou, "Ann", "ann"))).GetId()
	wantFault(t, "modify", w.apply(modify("user", id, change("title", nil, []string{"x"}))), denied, "title")
	weak.password = "Not-The-One-7"
	wantFault(t, "wrong password", weak.open(t).apply(modify("user", id, change("title", nil, []string{"x"}))), denied, "wrong password")
}
