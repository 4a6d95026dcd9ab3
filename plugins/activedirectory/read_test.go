package activedirectory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var readAttributes = []string{"sAMAccountName", "title", "manager", "memberOf", "enabled", "container", "whenCreated", "pwdLastSet", "objectSid", "member"}

// scope settings confine the reads of a test to its own OU.
func scope(ou string) map[string]any { return map[string]any{"base": ou} }

func (c *client) read(cookie []byte) connkit.Reading {
	c.t.Helper()
	return connkit.Read(c.t, c, &connectorv1.ReadRequest{Classes: []string{"user", "group"}, Attributes: readAttributes, Cookie: cookie})
}

func (c *client) changes(cookie []byte) connkit.Reading {
	c.t.Helper()
	r := c.read(cookie)
	if r.End.GetOutcome() != done {
		c.t.Fatalf("Read(cookie) ends %v, %v; want DONE", r.End.GetOutcome(), r.End.GetFault())
	}
	return r
}

func sams(r connkit.Reading) string {
	var names []string
	for _, o := range r.Objects {
		names = append(names, value(o, "sAMAccountName"))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

func byName(t testing.TB, r connkit.Reading, sam string) *connectorv1.Object {
	t.Helper()
	for _, o := range r.Objects {
		if value(o, "sAMAccountName") == sam {
			return o
		}
	}
	t.Fatalf("%s is not among %q", sam, sams(r))
	return nil
}

// A full read, then each kind of change, delivered as whole objects.
func readThenChanges(t *testing.T, d domain) {
	ou := d.ou(t, "Read")
	c := d.open(t, scope(ou))
	boss := c.object(c.done(create(ou, "Boss", "boss.read"))).GetId()
	ann := c.object(c.done(create(ou, "Ann", "ann.read", "title", "Clerk"))).GetId()
	g := c.object(c.done(group(ou, "g.read"))).GetId()
	c.done(modify("user", ann, change("manager", nil, []string{boss})))
	c.done(membership(ann, []string{g}, nil))

	full := c.changes(nil)
	if sams(full) != "ann.read boss.read g.read" || len(full.Objects) != 3 {
		t.Fatalf("full read gives %q; want ann.read boss.read g.read", sams(full))
	}
	o := byName(t, full, "ann.read")
	got := []string{o.GetId(), o.GetAddress(), o.GetClass(), value(o, "manager"), value(o, "memberOf"), value(o, "enabled"), value(o, "container"), value(o, "title"), value(o, "member")}
	want := []string{ann, "CN=Ann," + ou, "user", boss, g, "true", ou, "Clerk", ""}
	if !slices.Equal(got, want) {
		t.Errorf("ann.read = %q; want %q", got, want)
	}
	if created := value(o, "whenCreated"); len(created) != len("2026-01-01T00:00:00Z") || !strings.HasPrefix(value(o, "objectSid"), "S-1-5-21-") {
		t.Errorf("whenCreated %q, objectSid %q; want RFC 3339 and S-1-5-21-…", created, value(o, "objectSid"))
	}
	if value(byName(t, full, "g.read"), "member") != ann {
		t.Errorf("member = %q; want %q", value(byName(t, full, "g.read"), "member"), ann)
	}
	cookie := full.End.GetCookie()
	if len(cookie) == 0 {
		t.Fatal("a full read by an administrator gives no cookie")
	}
	step := func(what, want string, do func()) connkit.Reading {
		t.Helper()
		do()
		r := c.changes(cookie)
		cookie = r.End.GetCookie()
		if sams(r) != want {
			t.Errorf("%s: changed are %q; want %q", what, sams(r), want)
		}
		return r
	}
	step("nothing new", "", func() {})
	r := step("attribute", "ann.read", func() { c.done(modify("user", ann, change("title", []string{"Clerk"}, []string{"Head"}))) })
	if o := byName(t, r, "ann.read"); value(o, "title") != "Head" || value(o, "manager") != boss || value(o, "memberOf") != g {
		t.Errorf("changed object is not whole: %v", o)
	}
	r = step("new member", "boss.read g.read", func() { c.done(membership(boss, []string{g}, nil)) })
	if value(byName(t, r, "boss.read"), "memberOf") != g {
		t.Error("memberOf of the new member was not read")
	}
	r = step("member gone", "ann.read g.read", func() { c.done(membership(ann, nil, []string{g})) })
	if got := values(byName(t, r, "ann.read"), "memberOf"); len(got) != 0 {
		t.Errorf("memberOf of who left = %q; want empty", got)
	}
	step("disabled", "ann.read", func() { c.done(enable(ann, false)) })
	step("cleared", "ann.read", func() { c.done(modify("user", ann, change("title", []string{"Head"}, nil))) })
	step("renamed", "ann.read", func() { c.done(move(ann, "CN=Ann,"+ou, ou, "Ann Bee")) })
	r = step("deleted", "", func() { c.done(remove("user", ann)) })
	if !slices.Contains(r.Gone, ann) {
		t.Errorf("deleted are %q; want %s among them", r.Gone, ann)
	}
	admin := d.admin(t)
	rename := func(name, rdn, parent string) {
		if err := admin.ModifyDN(ldap.NewModifyDNRequest(name, rdn, true, parent)); err != nil {
			t.Fatal(err)
		}
	}
	inner := ldap.NewAddRequest("OU=Inner,"+ou, nil)
	inner.Attribute("objectClass", []string{"organizationalUnit"})
	if err := admin.Add(inner); err != nil {
		t.Fatal(err)
	}
	var ina string
	step("new in a new container", "ina.read", func() { ina = c.object(c.done(create(inner.DN, "Ina", "ina.read"))).GetId() })
	r = step("container renamed", "ina.read", func() { rename(inner.DN, "OU=Renamed", ou) })
	if o := byName(t, r, "ina.read"); o.GetAddress() != "CN=Ina,OU=Renamed,"+ou {
		t.Errorf("after its container was renamed it is at %s", o.GetAddress())
	}
	other := d.ou(t, "ReadElsewhere")
	r = step("container moved out", "", func() { rename("OU=Renamed,"+ou, "OU=Renamed", other) })
	if !slices.Contains(r.Gone, ina) {
		t.Errorf("gone are %q; want %s, whose container left the base, among them", r.Gone, ina)
	}
	r = step("moved out", "", func() { c.done(move(boss, "CN=Boss,"+ou, other, "Boss")) })
	if !slices.Contains(r.Gone, boss) {
		t.Errorf("gone are %q; want %s, which left the base, among them", r.Gone, boss)
	}
}

// Who asks for memberOf alone is told of who came into a group, too.
func readMembershipAlone(t *testing.T, d domain) {
	ou := d.ou(t, "Alone")
	c := d.open(t, scope(ou))
	request := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"memberOf"}}
	ann := c.object(c.done(create(ou, "Ann", "ann.alone"))).GetId()
	g := c.object(c.done(group(ou, "g.alone"))).GetId()
	request.Cookie = connkit.Read(t, c, request).End.GetCookie()
	c.done(membership(ann, []string{g}, nil))
	r := connkit.Read(t, c, request)
	if len(r.Objects) != 1 || value(r.Objects[0], "memberOf") != g {
		t.Errorf("changes = %v, end %v; want ann, member of %s", r.Objects, r.End, g)
	}
}

// Who was in a group that was deleted the directory does not tell: everything
// is read. Where nobody asked for memberships, it does not matter.
func readGroupDeleted(t *testing.T, d domain) {
	ou := d.ou(t, "Deleted")
	c := d.open(t, scope(ou))
	ann := c.object(c.done(create(ou, "Ann", "ann.deleted"))).GetId()
	g := c.object(c.done(group(ou, "g.deleted"))).GetId()
	c.done(membership(ann, []string{g}, nil))
	titles := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"sAMAccountName", "title"}}
	titles.Cookie = connkit.Read(t, c, titles).End.GetCookie()
	cookie := c.changes(nil).End.GetCookie()
	c.done(remove("group", g))
	if r := c.read(cookie); !r.End.GetResync() {
		t.Errorf("end after a group was deleted: %v, with %q; want resync", r.End, sams(r))
	}
	full := c.changes(nil)
	if got := values(byName(t, full, "ann.deleted"), "memberOf"); len(got) != 0 {
		t.Errorf("memberOf = %q; want none", got)
	}
	if r := c.changes(full.End.GetCookie()); len(r.Objects) != 0 || slices.Contains(r.Gone, ann) {
		t.Errorf("changes after everything was read: %q, gone %q; want none", sams(r), r.Gone)
	}
	if r := connkit.Read(t, c, titles); r.End.GetOutcome() != done {
		t.Errorf("end where nobody asked for memberships: %v; want DONE", r.End)
	}
}

// What is no cookie of this question means that everything must be read.
func readCookieRefused(t *testing.T, d domain) {
	ou := d.ou(t, "Cookie")
	c := d.open(t, scope(ou))
	cookie := c.changes(nil).End.GetCookie()
	other := connkit.Read(t, c, &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"title"}, Cookie: cookie})
	for name, r := range map[string]connkit.Reading{
		"of another question":   other,
		"garbage":               c.read([]byte("garbage")),
		"server's part damaged": c.read([]byte(strings.Replace(string(cookie), `"cookie":"`, `"cookie":"AAAA`, 1))),
	} {
		if !r.End.GetResync() || r.End.GetOutcome() != conflict {
			t.Errorf("cookie %s: end %v; want CONFLICT and resync", name, r.End)
		}
	}
}

// A group with more members than the server gives at a time is read whole.
func readLargeGroup(t *testing.T, d domain) {
	const members = 1600
	ou := d.ou(t, "Large")
	admin := d.admin(t)
	add := ldap.NewAddRequest("CN=large,"+ou, nil)
	add.Attribute("objectClass", []string{"group"})
	add.Attribute("sAMAccountName", []string{"large"})
	var dns []string
	for i := range members {
		contact := ldap.NewAddRequest(fmt.Sprintf("CN=c%d,%s", i, ou), nil)
		contact.Attribute("objectClass", []string{"contact"})
		if err := admin.Add(contact); err != nil {
			t.Fatal(err)
		}
		dns = append(dns, contact.DN)
	}
	add.Attribute("member", dns)
	if err := admin.Add(add); err != nil {
		t.Fatal(err)
	}
	c := d.open(t, scope(ou))
	for what, o := range map[string]*connectorv1.Object{
		"read": c.changes(nil).Objects[0],
		"find": c.find("group", "sAMAccountName", []string{"large"}, "member")[0],
	} {
		got := slices.Compact(slices.Sorted(slices.Values(values(o, "member"))))
		if len(got) != members {
			t.Errorf("%s gives %d members; want %d", what, len(got), members)
		}
	}
}

func findManyValues(t *testing.T, d domain) {
	ou := d.ou(t, "Find")
	c := d.open(t)
	id := c.object(c.done(create(ou, "Ann (1) *", "ann.find"))).GetId()
	c.done(create(ou, "Bea", "bea.find"))
	values := []string{"ANN.find", "bea.find"}
	for i := range 500 {
		values = append(values, fmt.Sprintf("nobody%d*(", i))
	}
	if got := c.find("user", "sAMAccountName", values, "name"); len(got) != 2 {
		t.Errorf("Find gives %d objects; want 2", len(got))
	}
	for attribute, v := range map[string]string{"objectGUID": id, "cn": "Ann (1) *", "name": "Ann (1) *", "employeeID": "Eann.find"} {
		if got := c.find("user", attribute, []string{v}, "name"); len(got) != 1 || got[0].GetId() != id {
			t.Errorf("Find(%s, %q) = %v; want %s", attribute, v, got, id)
		}
	}
	// A document may take the id as the key of people and groups.
	if got := c.find("user", "sAMAccountName", []string{"ann.find"}, "objectGUID"); len(got) != 1 || value(got[0], "objectGUID") != id {
		t.Errorf("objectGUID of %s is shown as %q", id, value(got[0], "objectGUID"))
	}
	if got := c.find("user", "sAMAccountName", []string{"*"}, "name"); len(got) != 0 {
		t.Errorf("Find(sAMAccountName, *) = %v; want nothing: a value is no pattern", got)
	}
}

func schemaOf(t *testing.T, d domain) {
	c := d.open(t)
	r, err := c.Schema(t.Context(), &connectorv1.SchemaRequest{})
	if err != nil || r.GetFault() != nil {
		t.Fatal(err, r.GetFault())
	}
	user := map[string]*connectorv1.AttributeType{}
	var names []string
	for _, class := range r.GetClasses() {
		names = append(names, class.GetName())
		if class.GetName() == "user" {
			for _, a := range class.GetAttributes() {
				user[a.GetName()] = a
			}
		}
	}
	if want := "contact group organizationalUnit user"; strings.Join(slices.Sorted(slices.Values(names)), " ") != want {
		t.Errorf("classes are %q; want %s", names, want)
	}
	for _, tt := range []struct {
		name     string
		kind     connectorv1.Type
		multi    bool
		readOnly bool
		max      uint32
	}{
		{"title", connectorv1.Type_TYPE_STRING, false, false, 128},
		{"employeeID", connectorv1.Type_TYPE_STRING, false, false, 16},
		{"manager", connectorv1.Type_TYPE_REFERENCE, false, false, 0},
		{"memberOf", connectorv1.Type_TYPE_REFERENCE, true, true, 0},
		{"proxyAddresses", connectorv1.Type_TYPE_STRING, true, false, 1123},
		{"accountExpires", connectorv1.Type_TYPE_INTEGER, false, false, 0},
		{"whenCreated", connectorv1.Type_TYPE_TIMESTAMP, false, true, 0},
		{"thumbnailPhoto", connectorv1.Type_TYPE_BINARY, false, false, 102400},
		{"enabled", connectorv1.Type_TYPE_BOOLEAN, false, true, 0},
		{"container", connectorv1.Type_TYPE_STRING, false, true, 0},
	} {
		a := user[tt.name]
		if a == nil {
			t.Errorf("user has no attribute %s", tt.name)
			continue
		}
		if a.GetType() != tt.kind || a.GetMulti() != tt.multi || a.GetReadOnly() != tt.readOnly || a.GetMaxLength() != tt.max {
			t.Errorf("%s = %v; want %+v", tt.name, a, tt)
		}
	}
}

func probeAll(t *testing.T, d domain) {
	c := d.open(t)
	r, err := c.Probe(t.Context(), &connectorv1.ProbeRequest{Classes: []string{"user"}})
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, step := range r.GetSteps() {
		text = append(text, step.GetName()+": "+step.GetOutcome().String()+" "+step.GetDetail()+step.GetFault().GetCause())
		if step.GetOutcome() != done {
			t.Errorf("step %q = %v, %v; want DONE", step.GetName(), step.GetOutcome(), step.GetFault())
		}
	}
	all := strings.Join(text, "\n")
	wanted := []string{"resolve", "connect", "TLS", "bind as", "DirSync", `with "Replicating Directory Changes"`, "rights over user"}
	if d.samba != nil { // the double does not compute effective rights
		wanted = append(wanted, "may create them")
	}
	for _, want := range wanted {
		if !strings.Contains(all, want) {
			t.Errorf("the probe does not say %q:\n%s", want, all)
		}
	}
}

// StartTLS is the same as LDAPS.
func readByStartTLS(t *testing.T, d domain) {
	c := d.open(t, map[string]any{"servers": []string{d.ldap}})
	if got := c.find("user", "sAMAccountName", []string{"Administrator"}, "name"); len(got) != 1 {
		t.Errorf("Find over StartTLS = %v; want Administrator", got)
	}
}

// An attribute that the directory does not have is named.
func readUnknownAttribute(t *testing.T, d domain) {
	r := connkit.Read(t, d.open(t), &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"titel"}})
	if r.End.GetOutcome() != invalid || r.End.GetFault().GetAttribute() != "titel" {
		t.Errorf("read of titel ends %v; want INVALID at titel", r.End)
	}
}

// A read that breaks off is not taken for a complete one.
func TestRead_connectionLost(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	c := d.open(t)
	c.changes(nil) // the schema is read
	if err := d.double.Fail(double.Fault{Do: double.DropBefore, Ops: []string{"search"}, Text: "objectCategory"}); err != nil {
		t.Fatal(err)
	}
	if r := c.read(nil); r.End.GetOutcome() != unavailable {
		t.Errorf("broken read ends %v; want UNAVAILABLE", r.End)
	}
}
