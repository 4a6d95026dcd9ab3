package activedirectory_test

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Pain 5: each way in which a domain refuses has a cause that one can act upon,
// the object, the attribute, and the next step; and the domain's own words.
func TestPain05_eachRefusalOfADomainSaysWhatToDo(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	c, ou := d.open(t), d.ou(t, "Refusals")
	one := c.object(c.done(create(ou, "Ann", "ann"))).GetId()
	two := c.object(c.done(create(ou, "Bob", "bob"))).GetId()
	at := func(id, name string, values ...string) *connectorv1.ApplyResponse {
		return c.apply(modify("user", id, change(name, nil, values)))
	}
	taken := create(ou, "Other", "ann")
	taken.GetCreate().Anchor = attribute("employeeID", "other")
	taken.GetCreate().Attributes[2] = attribute("employeeID", "other")
	for what, row := range map[string]struct {
		answer    *connectorv1.ApplyResponse
		outcome   connectorv1.Outcome
		object    string
		attribute string
	}{
		"too long":         {at(one, "title", strings.Repeat("x", 200)), invalid, one, "title"},
		"no such":          {at(one, "noSuchAttribute", "x"), invalid, one, "noSuchAttribute"},
		"taken":            {c.apply(taken), conflict, "Ann", "sAMAccountName"},
		"changed by hand":  {c.apply(modify("user", two, change("title", []string{"Seen"}, []string{"x"}))), conflict, "Bob", "title"},
		"gone":             {at("11111111-2222-3333-4444-555555555555", "title", "x"), notFound, "11111111", ""},
		"no such place":    {c.apply(create("OU=Nowhere,"+d.base, "Eve", "eve")), invalid, "Nowhere", ""},
		"not of its class": {at(one, "operatingSystem", "x"), invalid, one, "operatingSystem"},
	} {
		f := row.answer.GetFault()
		if row.answer.GetOutcome() != row.outcome {
			t.Errorf("%s is the outcome %s: %v; want %s", what, row.answer.GetOutcome(), f, row.outcome)
			continue
		}
		if len(strings.Fields(f.GetCause())) < 4 || len(strings.Fields(f.GetNextStep())) < 3 {
			t.Errorf("%s: cause %q, next step %q; want a sentence each", what, f.GetCause(), f.GetNextStep())
		}
		if !strings.Contains(f.GetObject(), row.object) || f.GetAttribute() != row.attribute {
			t.Errorf("%s is about %q of %q; want %q of %s", what, f.GetAttribute(), f.GetObject(), row.attribute, row.object)
		}
	}
}

// Pain 20: where the container that a system reads, or one above it, is renamed,
// the read fails and says so; it is no directory from which everybody has gone.
func TestPain20_renamedBaseIsNoEmptyDirectory(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	above := d.ou(t, "Above")
	admin := d.admin(t)
	base := "OU=Staff," + above
	unit := ldap.NewAddRequest(base, nil)
	unit.Attribute("objectClass", []string{"organizationalUnit"})
	if err := admin.Add(unit); err != nil {
		t.Fatal(err)
	}
	whole := d.open(t)
	whole.done(create(base, "Ann", "ann"))
	staff := connkit.Open(t, activedirectory.Connector(), d.settings(map[string]any{"base": base}), d.secrets())
	read := func(cookie []byte) connkit.Reading {
		return connkit.Read(t, staff, &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"sAMAccountName"}, Cookie: cookie})
	}
	first := read(nil)
	if first.End.GetOutcome() != done || len(first.Objects) != 1 {
		t.Fatalf("read %d objects, %v; want Ann", len(first.Objects), first.End)
	}
	if err := admin.ModifyDN(ldap.NewModifyDNRequest(above, "OU=Elsewhere", true, "")); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range [][]byte{nil, first.End.GetCookie()} {
		r := read(cookie)
		if f := r.End.GetFault(); r.End.GetOutcome() == done || !strings.Contains(f.GetCause()+f.GetObject(), "Staff") || f.GetNextStep() == "" {
			t.Errorf("reading of changes %v: %v with %d objects; want a fault that names the container", cookie != nil, r.End, len(r.Objects))
		}
	}
}
