package ldap_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// The password that was generated is the one that was sealed, the person can
// sign in with it, and not while the account is locked.
func TestCreate_passwordAndLock(t *testing.T) {
	t.Parallel()
	s := start(t, 3, "")
	c := s.open(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	op := person("ann", false, attribute("title", "Clerk"), attribute("manager", c.id("user", "uid", "p1")))
	op.GetCreate().Password = &connectorv1.PasswordRule{Length: 24, Recipients: []string{identity.Recipient().String()}, ChangeAtSignIn: true}
	r := c.done(op)
	o := c.object(r)
	if value(o, "enabled") != "false" || value(o, "manager") != c.id("user", "uid", "p1") || o.GetAddress() != "uid=ann,"+people {
		t.Errorf("created %v; want it locked, below p1", o)
	}
	plain, err := age.Decrypt(bytes.NewReader(r.GetSealedPassword()), identity)
	if err != nil {
		t.Fatal(err)
	}
	password, err := io.ReadAll(plain)
	if err != nil || len(password) != 24 {
		t.Fatalf("sealed is %d bytes, %v; want 24", len(password), err)
	}
	if err := s.try(o.GetAddress(), string(password)); err == nil {
		t.Error("a locked account can sign in")
	}
	if r := c.done(enable(o.GetId(), true)); value(c.object(r), "enabled") != "true" || r.GetUnchanged() {
		t.Errorf("enable = %v; want enabled, changed", r)
	}
	if err := s.try(o.GetAddress(), string(password)); err != nil {
		t.Errorf("sign in with the sealed password: %v", err)
	}
	e := s.entry(t, o.GetAddress(), "userPassword", "pwdReset")
	if stored := e.GetAttributeValue("userPassword"); !strings.HasPrefix(stored, "{SSHA}") || e.GetAttributeValue("pwdReset") != "TRUE" {
		t.Errorf("stored is %.7s…, pwdReset %q; want a hash and TRUE", stored, e.GetAttributeValue("pwdReset"))
	}
	if r := c.done(enable(o.GetId(), true)); !r.GetUnchanged() {
		t.Errorf("enable again = %v; want it unchanged", r)
	}
	c.done(enable(o.GetId(), false))
	if err := s.try(o.GetAddress(), string(password)); err == nil {
		t.Error("a locked account can sign in")
	}
	c.done(&connectorv1.Operation{Class: "user", Id: o.GetId(), Verb: &connectorv1.Operation_SetPassword{
		SetPassword: &connectorv1.SetPassword{Rule: &connectorv1.PasswordRule{Length: 20}}}})
	c.done(enable(o.GetId(), true))
	if err := s.try(o.GetAddress(), string(password)); err == nil {
		t.Error("the old password still serves after another was set")
	}
}

// A create whose answer was lost is the same object; a name that is taken says
// by whom; what the directory would not take is said before anything is sent.
func TestCreate_repeatedTakenRefused(t *testing.T) {
	t.Parallel()
	s := start(t, 3, "")
	c := s.open(t)
	first := c.done(person("ann", true))
	if again := c.done(person("ann", true)); !again.GetUnchanged() || c.object(again).GetId() != c.object(first).GetId() {
		t.Errorf("create again = %v; want the same object, unchanged", again)
	}
	renamed := person("ann2", true)
	renamed.GetCreate().Anchor, renamed.GetCreate().Attributes[2] = attribute("employeeNumber", "Eann"), attribute("employeeNumber", "Eann")
	if again := c.done(renamed); !again.GetUnchanged() || c.object(again).GetId() != c.object(first).GetId() {
		t.Errorf("create under another name = %v; want the object that has the anchor", again)
	}
	other := person("ann", true)
	other.GetCreate().Anchor = attribute("employeeNumber", "other")
	other.GetCreate().Attributes[2] = attribute("employeeNumber", "other")
	if r := c.refused(other, conflict, "uid", "ann", "uid=ann,"+people); !r.GetFault().GetTaken() {
		t.Errorf("fault = %v; want the name taken", r.GetFault())
	}
	for _, tt := range []struct {
		op    *connectorv1.Operation
		words []string
	}{
		{person("", true), []string{"no name"}},
		{person("x", true, attribute("title", "")), []string{"title", "empty"}},
		{person("x", true, attribute("displayName", "a", "b")), []string{"displayName", "takes one"}},
		{person("x", true, attribute("nonsense", "a")), []string{"nonsense", "no attribute"}},
		{person("x", true, attribute("userPassword", "a")), []string{"password rule"}},
		{person("x", true, attribute("entryUUID", "a")), []string{"written by the server"}},
		{person("x", true, attribute("employeeType", "a"), attribute("gidNumber", "7")), []string{"gidNumber", "does not belong"}},
	} {
		c.refused(tt.op, invalid, tt.words...)
	}
	c.refused(person("x", true, attribute("manager", "00000000-0000-0000-0000-000000000001")), notFound, "manager")
	if s.entry(t, "uid=x,"+people) != nil {
		t.Error("something refused was made")
	}
}

func TestCreate_containers(t *testing.T) {
	t.Parallel()
	s := start(t, 0, "")
	c := s.open(t)
	op := person("ann", true)
	op.GetCreate().Container = "ou=Research\\, North,ou=eu," + people
	c.refused(op, invalid, "does not exist", "make_containers")
	op.GetCreate().MakeContainers = true
	if o := c.object(c.done(op)); o.GetAddress() != "uid=ann,ou=Research\\2C North,ou=eu,"+people && o.GetAddress() != "uid=ann,ou=Research\\, North,ou=eu,"+people {
		t.Errorf("created at %q", o.GetAddress())
	}
	op = person("bea", true)
	op.GetCreate().Container, op.GetCreate().MakeContainers = "o=elsewhere,"+people, true
	c.refused(op, invalid, "only organizational units")
}

// A change is made only over what was seen, whatever the attribute is like.
func TestModify_compareAndSwap(t *testing.T) {
	t.Parallel()
	s := start(t, 9, "")
	c := s.open(t)
	id, address := c.id("user", "uid", "p8"), "uid=p8,"+people
	p1, p2 := c.id("user", "uid", "p1"), c.id("user", "uid", "p2")
	r := c.done(modify("user", id, change("title", []string{"Clerk of rank 1"}, []string{"Head"}), change("manager", []string{p1}, []string{p2})))
	if o := c.object(r); value(o, "title") != "Head" || value(o, "manager") != p2 {
		t.Errorf("modified = %v; want Head below p2", o)
	}
	again := c.done(modify("user", id, change("title", []string{"Clerk of rank 1"}, []string{"Head"})))
	if !again.GetUnchanged() {
		t.Errorf("the same again = %v; want it unchanged", again)
	}
	s.replace(t, address, "title", "Chief")
	c.refused(modify("user", id, change("title", []string{"Head"}, []string{"Clerk"})), conflict, "Chief", "Head", "title", address)
	s.replace(t, address, "preferredLanguage", "de")
	c.refused(modify("user", id, change("preferredLanguage", nil, []string{"en"})), conflict, "preferredLanguage", "de")
	c.refused(modify("user", id, change("mail", []string{"p8@example.org"}, []string{"a@example.org"}), change("title", []string{"Head"}, []string{"x"})), conflict, "Chief")
	if got := s.entry(t, address).GetAttributeValues("mail"); len(got) != 1 || got[0] != "p8@example.org" {
		t.Errorf("mail = %q after a refusal; want it as it was: all changes or none", got)
	}
	s.replace(t, address, "mail", "p8@example.org", "eight@example.org")
	c.refused(modify("user", id, change("mail", []string{"p8@example.org"}, []string{"a@example.org"})), conflict, "eight@example.org")
	c.done(modify("user", id, change("mail", []string{"EIGHT@example.org", "p8@example.org"}, []string{"p8@example.org"})))
	c.done(modify("user", id, change("jpegPhoto", nil, []string{"/9j/4AAQSkZJRg=="})))
	c.done(modify("user", id, change("jpegPhoto", []string{"/9j/4AAQSkZJRg=="}, nil), change("mail", []string{"p8@example.org"}, nil)))
	if e := s.entry(t, address); len(e.GetRawAttributeValue("jpegPhoto")) != 0 || len(e.GetAttributeValues("mail")) != 0 {
		t.Errorf("entry = %v; want neither mail nor jpegPhoto", e)
	}
	c.refused(modify("user", id, change("uid", nil, []string{"x"})), invalid, "follows from where")
	c.refused(modify("user", "00000000-0000-0000-0000-000000000001", change("title", nil, []string{"x"})), notFound)
}

// Of many writers of one attribute who all saw the same, one succeeds.
func TestModify_oneOfMany(t *testing.T) {
	t.Parallel()
	s := start(t, 2, "")
	c := s.open(t)
	id := c.id("user", "uid", "p1")
	for _, name := range []string{"title", "preferredLanguage"} { // with many values, and with one
		var wg sync.WaitGroup
		var mu sync.Mutex
		outcomes := map[connectorv1.Outcome]int{}
		expect := s.entry(t, "uid=p1,"+people).GetAttributeValues(name)
		for i := range 8 {
			wg.Go(func() {
				r := c.apply(modify("user", id, change(name, expect, []string{strings.Repeat("x", i+1)})))
				mu.Lock()
				defer mu.Unlock()
				outcomes[r.GetOutcome()]++
			})
		}
		wg.Wait()
		if outcomes[done] != 1 || outcomes[conflict] != 7 {
			t.Errorf("%s: outcomes = %v; want one DONE, seven CONFLICT", name, outcomes)
		}
	}
}

// A group of each kind: made empty, joined, left by its last member.
func TestChangeMembership(t *testing.T) {
	t.Parallel()
	s := start(t, 3, "")
	c := s.open(t)
	p1 := c.id("user", "uid", "p1")
	for class, member := range map[string]string{"group": "member", "groupOfNames": "member", "groupOfUniqueNames": "uniqueMember", "posixGroup": "memberUid"} {
		t.Run(class, func(t *testing.T) {
			name := class + "1"
			op := group(class, name)
			if class == "posixGroup" {
				op = group(class, name, attribute("gidNumber", "1"))
			}
			g := c.object(c.done(op)).GetId()
			want := map[string]string{"memberUid": "p1"}[member]
			if want == "" {
				want = "uid=p1," + people
			}
			for range 2 {
				r := c.done(membership(p1, []string{g}, nil))
				if got := strings.Join(s.entry(t, "cn="+name+","+groups).GetAttributeValues(member), "|"); !strings.Contains(got, want) {
					t.Errorf("%s = %q after the join; want %q", member, got, want)
				}
				if strings.HasPrefix(class, "groupOfNames") && !strings.Contains(value(c.object(r), "memberOf"), g) {
					t.Errorf("memberOf = %q; want %q", value(c.object(r), "memberOf"), g)
				}
			}
			if r := c.done(membership(p1, []string{g}, nil)); !r.GetUnchanged() {
				t.Errorf("join again = %v; want it unchanged", r)
			}
			s.replace(t, "cn="+name+","+groups, member, want) // now p1 is its only member
			c.done(membership(p1, nil, []string{g}))
			if got := strings.Join(s.entry(t, "cn="+name+","+groups).GetAttributeValues(member), "|"); strings.Contains(got, want) {
				t.Errorf("%s = %q after the last left", member, got)
			}
			if r := c.done(membership(p1, nil, []string{g})); !r.GetUnchanged() {
				t.Errorf("leave again = %v; want it unchanged", r)
			}
			if member != "memberUid" {
				if o := c.find(class, "cn", []string{name}, member)[0]; value(o, member) != "" {
					t.Errorf("%s is shown with %q; want none", member, value(o, member))
				}
			}
		})
	}
	c.refused(membership(p1, []string{"00000000-0000-0000-0000-000000000001"}, nil), notFound, "group")
	c.refused(membership(p1, []string{c.id("user", "uid", "p2")}, nil), invalid, "no group", "classes")
}

// Those who join and leave a group at the same time share requests, and each
// gets what is true of it: one who is in it already makes nothing of the others'
// fail, nor does that the last one may not leave a group without members.
func TestChangeMembership_together(t *testing.T) {
	t.Parallel()
	s := start(t, 41, "")
	c := s.open(t)
	g := c.object(c.done(group("groupOfNames", "crowd"))).GetId()
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = c.id("user", "uid", fmt.Sprint("p", i+1))
	}
	c.done(membership(ids[3], []string{g}, nil))
	together := func(join, leave []string, unchanged string) {
		t.Helper()
		var all sync.WaitGroup
		for _, id := range ids {
			all.Go(func() {
				r := c.apply(membership(id, join, leave))
				if r.GetOutcome() != done || r.GetUnchanged() != (id == unchanged) || value(c.object(r), "memberOf") != strings.Join(join, "|") {
					t.Errorf("join %q leave %q = %v; want DONE, unchanged %v", join, leave, r, id == unchanged)
				}
			})
		}
		all.Wait()
		want := len(ids)
		if len(join) == 0 {
			want = 1 // the empty one
		}
		if got := s.entry(t, "cn=crowd,"+groups).GetAttributeValues("member"); len(slices.DeleteFunc(got, func(v string) bool { return v == "" && len(join) > 0 })) != want {
			t.Errorf("%d members %q; want %d", len(got), got, want)
		}
	}
	together([]string{g}, nil, ids[3])
	together(nil, []string{g}, "")
}

// A rename and a move keep the id; who is not where they were seen is left.
func TestMove(t *testing.T) {
	t.Parallel()
	s := start(t, 3, "")
	c := s.open(t)
	id := c.id("user", "uid", "p1")
	r := c.done(move(id, "UID=P1, "+people, people, "p-one"))
	if o := c.object(r); o.GetId() != id || value(o, "name") != "p-one" {
		t.Errorf("renamed = %v; want p-one with the same id", o)
	}
	if r := c.done(move(id, "uid=p-one,"+people, people, "p-one")); !r.GetUnchanged() {
		t.Errorf("the same again = %v; want it unchanged", r)
	}
	c.refused(move(id, "uid=p1,"+people, groups, "p1"), conflict, "uid=p-one,"+people)
	c.refused(move(id, "uid=p-one,"+people, people, "p2"), conflict, "uid=p2,"+people)
	to := move(id, "uid=p-one,"+people, "ou=leavers,"+base, "p1")
	c.refused(to, invalid, "does not exist")
	to.GetMove().MakeContainers = true
	if o := c.object(c.done(to)); o.GetAddress() != "uid=p1,ou=leavers,"+base {
		t.Errorf("moved to %q", o.GetAddress())
	}
	c.refused(deletion("organizationalUnit", c.id("organizationalUnit", "ou", "leavers")), invalid, "objects below")
	for _, unchanged := range []bool{false, true} {
		if r := c.done(deletion("user", id)); r.GetUnchanged() != unchanged {
			t.Errorf("delete = %v; want unchanged %v", r, unchanged)
		}
	}
}

// Between the look-up of a DN and the write another object may get the name:
// it must not be written.
func TestModify_anotherObjectUnderTheName(t *testing.T) {
	t.Parallel()
	s := start(t, 2, "")
	c := s.open(t)
	id := c.id("user", "uid", "p1")
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	admin := s.admin(t)
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			swap(admin, "uid=p1,"+people, "uid=away")
			swap(admin, "uid=p0,"+people, "uid=p1")
			swap(admin, "uid=p1,"+people, "uid=p0")
			swap(admin, "uid=away,"+people, "uid=p1")
		}
	})
	for i := range 150 {
		c.apply(modify("user", id, change("preferredLanguage", nil, []string{"de"})))
		c.apply(modify("user", id, change("preferredLanguage", []string{"de"}, nil)))
		if i%50 == 0 && context.Cause(t.Context()) != nil {
			break
		}
	}
	close(stop)
	swapping.Wait()
	r, err := admin.Search(searchFor("(employeeNumber=0)"))
	if err != nil || len(r.Entries) != 1 {
		t.Fatal(r, err)
	}
	if r.Entries[0].GetAttributeValue("modifiersName") == "" || r.Entries[0].GetAttributeValue("preferredLanguage") != "" {
		t.Errorf("the other object = %v; want it untouched", r.Entries[0])
	}
}
