package ldap_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/samba"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func byName(t testing.TB, r connkit.Reading, attribute, want string) *connectorv1.Object {
	t.Helper()
	for _, o := range r.Objects {
		if value(o, attribute) == want {
			return o
		}
	}
	t.Fatalf("nothing with %s %s among %d objects", attribute, want, len(r.Objects))
	return nil
}

// Everything comes, over several pages, with references as native ids: DNs
// would break with each rename.
func TestRead_peopleAndGroups(t *testing.T) {
	t.Parallel()
	s := start(t, 1200, "")
	s.add(t, "cn=All,"+groups, "objectClass", "groupOfNames", "cn", "All", "member", "UID=p7, "+people, "member", "uid=p9,"+people)
	c := s.open(t, map[string]any{"page_size": 500})
	r := connkit.Read(t, c, &connectorv1.ReadRequest{Classes: []string{"user", "group"},
		Attributes: []string{"uid", "employeeNumber", "manager", "memberOf", "member", "enabled", "name", "container", "createTimestamp"}})
	if r.End.GetOutcome() != done || len(r.Objects) != 1201 || len(r.Rejects) != 0 {
		t.Fatalf("read ends %v with %d objects, %d rejects; want DONE, 1201, 0", r.End, len(r.Objects), len(r.Rejects))
	}
	p7, p9, all := byName(t, r, "uid", "p7"), byName(t, r, "uid", "p9"), byName(t, r, "name", "All")
	for _, tt := range []struct{ what, got, want string }{
		{"address", p7.GetAddress(), "uid=p7," + people},
		{"name", value(p7, "name"), "p7"},
		{"container", value(p7, "container"), people},
		{"enabled", value(p7, "enabled"), "true"},
		{"manager of p9", value(p9, "manager"), byName(t, r, "uid", "p2").GetId()},
		{"memberOf", value(p7, "memberOf"), all.GetId()},
		{"member", value(all, "member"), p7.GetId() + "|" + p9.GetId()},
		{"memberOf of nobody", value(byName(t, r, "uid", "p8"), "memberOf"), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %q; want %q", tt.what, tt.got, tt.want)
		}
	}
	if len(p7.GetId()) != 36 || !strings.HasSuffix(value(p7, "createTimestamp"), "Z") {
		t.Errorf("p7 = %v; want a UUID and a time as RFC 3339", p7)
	}
	if got := c.find("user", "manager", []string{p7.GetId()}, "uid"); len(got) != 0 {
		t.Errorf("Find by manager p7 = %v; want none", got)
	}
	if got := c.find("user", "employeeNumber", []string{"7", "8", "nobody"}, "uid"); len(got) != 2 {
		t.Errorf("Find = %v; want two", got)
	}
}

// Without an overlay, and for groups of uids, memberOf is worked out.
func TestRead_memberOfWorkedOut(t *testing.T) {
	t.Parallel()
	s := start(t, 20, "overlay syncprov\n")
	s.add(t, "cn=All,"+groups, "objectClass", "groupOfNames", "cn", "All", "member", "uid=p7,"+people)
	s.add(t, "cn=Two,"+groups, "objectClass", "groupOfUniqueNames", "cn", "Two", "uniqueMember", "uid=p7,"+people)
	s.add(t, "cn=unix,"+groups, "objectClass", "posixGroup", "cn", "unix", "gidNumber", "7", "memberUid", "p7", "memberUid", "p8")
	c := s.open(t)
	q := &connectorv1.ReadRequest{Classes: []string{"user", "groupOfNames", "groupOfUniqueNames", "posixGroup"}, Attributes: []string{"uid", "memberOf", "name"}}
	r := connkit.Read(t, c, q)
	all, two, unix := byName(t, r, "name", "All").GetId(), byName(t, r, "name", "Two").GetId(), byName(t, r, "name", "unix").GetId()
	want := []string{all, two, unix}
	slices.Sort(want)
	for where, o := range map[string]*connectorv1.Object{"Read": byName(t, r, "uid", "p7"), "Find": c.find("user", "uid", []string{"p7"}, "memberOf")[0]} {
		got := strings.Split(value(o, "memberOf"), "|")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: memberOf = %q; want %q", where, got, want)
		}
	}
	if got := value(byName(t, r, "uid", "p8"), "memberOf"); got != unix {
		t.Errorf("memberOf of p8 = %q; want %q", got, unix)
	}
}

// What changed is told, and what is gone; the ways differ in what they cost.
func TestReadChanges(t *testing.T) {
	t.Parallel()
	noLog := strings.Replace(openldap.Standard, "syncprov-sessionlog 1000\n", "", 1)
	for name, tt := range map[string]struct {
		lines, changes string
		deletes        bool // told one by one, else by a resync
	}{
		"syncrepl with a log":    {openldap.Standard, "syncrepl", true},
		"syncrepl without a log": {noLog, "auto", false},
		"modifyTimestamp":        {openldap.Standard, "modify_timestamp", false},
		"no syncprov":            {"overlay memberof\nmemberof-group-oc groupOfNames\n", "auto", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 300, tt.lines)
			c := s.open(t, map[string]any{"changes": tt.changes})
			q := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid", "title"}}
			first := connkit.Read(t, c, q)
			if len(first.End.GetCookie()) == 0 {
				t.Fatalf("the read ends %v; want a cookie", first.End)
			}
			next := func(what string) connkit.Reading {
				t.Helper()
				r := connkit.Read(t, c, q)
				if r.End.GetOutcome() != done {
					t.Fatalf("%s: the read ends %v; want DONE", what, r.End)
				}
				q.Cookie = r.End.GetCookie()
				return r
			}
			q.Cookie = first.End.GetCookie()
			if tt.changes != "modify_timestamp" && name != "no syncprov" {
				if r := next("nothing"); len(r.Objects) != 0 || len(r.Gone) != 0 {
					t.Errorf("nothing changed, and %d objects came, %d went", len(r.Objects), len(r.Gone))
				}
			}
			time.Sleep(1100 * time.Millisecond) // what is made in one second is not told apart, and everything read
			s.replace(t, "uid=p5,"+people, "title", "Head")
			s.add(t, "uid=new,"+people, "objectClass", "inetOrgPerson", "uid", "new", "cn", "New", "sn", "New")
			r := next("a change and a new one")
			if value(byName(t, r, "uid", "p5"), "title") != "Head" || byName(t, r, "uid", "new") == nil || len(r.Gone) != 0 {
				t.Errorf("changes = %v, %v; want p5 and new", r.Objects, r.Gone)
			}
			p6 := byName(t, first, "uid", "p6").GetId()
			s.remove(t, "uid=p6,"+people)
			s.replace(t, "uid=p5,"+people, "title", "Chief")
			if !tt.deletes {
				if r := connkit.Read(t, c, q); !r.End.GetResync() {
					t.Errorf("after a deletion the read ends %v with %v; want everything to be read", r.End, r.Gone)
				}
				return
			}
			if r := next("a deletion"); !slices.Contains(r.Gone, p6) || value(byName(t, r, "uid", "p5"), "title") != "Chief" {
				t.Errorf("changes = %v, %v; want p5, and p6 gone", r.Objects, r.Gone)
			}
		})
	}
}

// A cookie of another question, another server or nobody means a full read.
func TestReadChanges_cookieRefused(t *testing.T) {
	t.Parallel()
	s := start(t, 10, "")
	c := s.open(t)
	q := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid"}}
	cookie := connkit.Read(t, c, q).End.GetCookie()
	other := start(t, 10, "")
	for name, tt := range map[string]struct {
		s      server
		q      *connectorv1.ReadRequest
		cookie []byte
	}{
		"nobody's":          {s, q, []byte("rubbish")},
		"other attributes":  {s, &connectorv1.ReadRequest{Classes: q.Classes, Attributes: []string{"uid", "title"}}, cookie},
		"of a later server": {other, q, []byte(strings.Replace(string(cookie), `"cookie":"`, `"cookie":"cmlkPTAwMCxjc249MjA5OTExMTExMTExMTEuMTExMTExWiMwMDAwMDAjMDAwIzAwMDAwMA==","x":"`, 1))},
	} {
		request := &connectorv1.ReadRequest{Classes: tt.q.Classes, Attributes: tt.q.Attributes, Cookie: tt.cookie}
		if r := connkit.Read(t, tt.s.open(t), request); !r.End.GetResync() {
			t.Errorf("%s: the read ends %v; want a resync", name, r.End)
		}
	}
}

// More changes than a connector remembers are read with everything else: all
// these were made in the second in which the time of the cookie lies.
func TestReadChanges_many(t *testing.T) {
	t.Parallel()
	for count, resync := range map[int]bool{9_000: false, 11_000: true} {
		s := start(t, count, openldap.Standard)
		c := s.open(t, map[string]any{"changes": "modify_timestamp"})
		q := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid"}}
		first := connkit.Read(t, c, q)
		q.Cookie = first.End.GetCookie()
		r := connkit.Read(t, c, q)
		if len(first.Objects) != count || r.End.GetResync() != resync {
			t.Errorf("of %d, all as new as the cookie, a read of changes ends %v; want a resync: %v", len(first.Objects), r.End, resync)
		}
	}
}

// By a group's change memberOf of those who left it changes, too, and nobody
// knows who they were: everything is read.
func TestReadChanges_ofAGroup(t *testing.T) {
	t.Parallel()
	s := start(t, 10, openldap.Standard) // with a log of deletions
	s.add(t, "cn=All,"+groups, "objectClass", "groupOfNames", "cn", "All", "member", "uid=p1,"+people)
	c := s.open(t)
	q := &connectorv1.ReadRequest{Classes: []string{"user", "group"}, Attributes: []string{"uid", "memberOf"}}
	q.Cookie = connkit.Read(t, c, q).End.GetCookie()
	s.replace(t, "cn=All,"+groups, "member", "uid=p2,"+people)
	if r := connkit.Read(t, c, q); !r.End.GetResync() {
		t.Errorf("the read ends %v with %v; want a resync", r.End, r.Objects)
	}
	q.Cookie = nil
	q.Cookie = connkit.Read(t, c, q).End.GetCookie()
	s.remove(t, "cn=All,"+groups)
	if r := connkit.Read(t, c, q); !r.End.GetResync() {
		t.Errorf("after the group is gone the read ends %v with %v; want a resync", r.End, r.Objects)
	}
	if r := connkit.Read(t, c, &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: q.Attributes}); len(r.End.GetCookie()) != 0 {
		t.Errorf("a read of memberOf without groups ends %v; want no cookie", r.End)
	}
}

// Another server, with another schema and without entryUUID, can be read. It
// refers to its other naming contexts, each of which is told of once.
func TestRead_samba(t *testing.T) {
	t.Parallel()
	d := samba.StartTest(t, samba.Options{})
	c := connkit.Open(t, ldap.Connector(), map[string]any{
		"servers": []string{d.LDAPS}, "ca": d.CAFile, "bind": d.AdminDN,
		"classes": map[string]any{"user": map[string]any{"object_classes": []string{"user"}, "naming": "cn", "filter": "(!(objectClass=computer))"},
			"group": map[string]any{"object_classes": []string{"group"}, "naming": "cn", "member": "member"}},
	}, map[string]string{"password": d.AdminPassword})
	r := connkit.Read(t, c, &connectorv1.ReadRequest{Classes: []string{"user", "group"}, Attributes: []string{"sAMAccountName", "memberOf", "name", "whenCreated"}})
	if r.End.GetOutcome() != done || len(r.Rejects) != 3 || !strings.HasPrefix(r.Rejects[0].GetPlace(), "ldaps://") {
		t.Fatalf("read ends %v with %v; want DONE and three references", r.End, r.Rejects)
	}
	admin, admins := byName(t, r, "sAMAccountName", "Administrator"), byName(t, r, "sAMAccountName", "Domain Admins")
	if admin.GetId() != admin.GetAddress() || !strings.Contains(value(admin, "memberOf"), admins.GetId()) {
		t.Errorf("Administrator = %v; want the DN as its id, in %s", admin, admins.GetId())
	}
}

// A container that is renamed or moved takes everything in it to another place, of which no server tells: it is read again.
func TestReadChanges_containerMoved(t *testing.T) {
	t.Parallel()
	for _, changes := range []string{"syncrepl", "modify_timestamp"} {
		s := start(t, 5, openldap.Standard)
		s.add(t, "ou=below,"+people, "objectClass", "organizationalUnit", "ou", "below")
		s.add(t, "uid=deep,ou=below,"+people, "objectClass", "inetOrgPerson", "uid", "deep", "cn", "Deep", "sn", "Deep")
		time.Sleep(1100 * time.Millisecond) // what is made in one second is not told apart, and everything read
		c := s.open(t, map[string]any{"changes": changes})
		q := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid"}}
		for _, step := range []struct{ what, from, rdn, to, deep string }{
			{"renamed", people, "ou=staff", "", "uid=deep,ou=below,ou=staff," + base},
			{"moved", "ou=below,ou=staff," + base, "ou=below", groups, "uid=deep,ou=below," + groups},
		} {
			q.Cookie = nil
			q.Cookie = connkit.Read(t, c, q).End.GetCookie()
			if r := connkit.Read(t, c, q); r.End.GetOutcome() != done {
				t.Fatalf("%s: before anything is, the read ends %v", changes, r.End)
			}
			if err := s.admin(t).ModifyDN(goldap.NewModifyDNRequest(step.from, step.rdn, true, step.to)); err != nil {
				t.Fatal(err)
			}
			if r := connkit.Read(t, c, q); !r.End.GetResync() {
				t.Errorf("%s: a container was %s, and the read of changes ends %v with %v; want everything to be read", changes, step.what, r.End, r.Objects)
			}
			q.Cookie = nil
			if deep := byName(t, connkit.Read(t, c, q), "uid", "deep"); deep.GetAddress() != step.deep {
				t.Errorf("%s: the container was %s, and who is in it is at %s; want %s", changes, step.what, deep.GetAddress(), step.deep)
			}
		}
	}
}

// Pain 20: where the base, or one above it, is renamed, the read fails and says so; it is no directory from which everybody has gone.
func TestPain20_renamedBaseIsNoEmptyDirectory(t *testing.T) {
	t.Parallel()
	for _, changes := range []string{"syncrepl", "modify_timestamp", "none"} {
		s := start(t, 5, openldap.Standard)
		c := s.open(t, map[string]any{"changes": changes, "base": people})
		q := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid"}}
		first := connkit.Read(t, c, q)
		if len(first.Objects) != 5 {
			t.Fatalf("%s: read %d objects, %v; want 5", changes, len(first.Objects), first.End)
		}
		if err := s.admin(t).ModifyDN(goldap.NewModifyDNRequest(people, "ou=staff", true, "")); err != nil {
			t.Fatal(err)
		}
		for _, cookie := range [][]byte{nil, first.End.GetCookie()} {
			if cookie == nil && changes == "none" && len(first.End.GetCookie()) > 0 {
				t.Errorf("a cookie where nothing tells of changes")
			}
			q.Cookie = cookie
			r := connkit.Read(t, c, q)
			if f := r.End.GetFault(); r.End.GetOutcome() == done || !strings.Contains(f.GetCause(), people) || f.GetNextStep() == "" {
				t.Errorf("%s, of changes %v: the read ends %v with %d objects; want a fault that names the base", changes, len(cookie) > 0, r.End, len(r.Objects))
			}
		}
	}
}
