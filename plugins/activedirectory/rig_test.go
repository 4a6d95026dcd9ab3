package activedirectory_test

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/samba"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A domain is where the suite runs: a double or a real domain controller.
type domain struct {
	ldaps, ldap, caFile, base   string
	adminDN, adminUPN, password string
	ca                          *x509.CertPool
	double                      *double.Server // nil on a real one
	samba                       *samba.Domain
	lenient                     bool // a double that enables accounts without a password, as Samba does
}

func startDouble(t testing.TB, flavor double.Flavor) domain {
	t.Helper()
	s, err := double.Start(double.Options{Flavor: flavor})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close double: %v", err)
		}
	})
	return domain{
		ldaps: s.LDAPS, ldap: s.LDAP, caFile: s.CAFile, ca: s.CA, base: s.BaseDN,
		adminDN: s.AdminDN, adminUPN: s.AdminUPN, password: s.AdminPassword, double: s,
		lenient: flavor == double.Samba,
	}
}

func startSamba(t testing.TB) domain {
	t.Helper()
	d := samba.StartTest(t, samba.Options{})
	return domain{
		ldaps: d.LDAPS, ldap: d.LDAP, caFile: d.CAFile, ca: d.CA, base: d.BaseDN,
		adminDN: d.AdminDN, adminUPN: d.AdminUPN, password: d.AdminPassword, samba: d,
	}
}

// settings for the administrator of d.
func (d domain) settings(more ...map[string]any) map[string]any {
	s := map[string]any{"servers": []string{d.ldaps}, "ca": d.caFile, "bind": d.adminUPN}
	for _, m := range more {
		for k, v := range m {
			s[k] = v
		}
	}
	return s
}

func (d domain) secrets() map[string]string { return map[string]string{"password": d.password} }

// open serves a connector that is opened on d.
func (d domain) open(t testing.TB, more ...map[string]any) *client {
	t.Helper()
	c := connkit.Open(t, activedirectory.Connector(), d.settings(more...), d.secrets())
	return &client{t: t, ConnectorServiceClient: c}
}

// admin is a connection past the connector.
func (d domain) admin(t testing.TB) *ldap.Conn {
	t.Helper()
	u, err := url.Parse(d.ldaps)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ldap.DialURL(d.ldaps, ldap.DialWithTLSConfig(&tls.Config{RootCAs: d.ca, ServerName: u.Hostname()}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.Bind(d.adminDN, d.password); err != nil {
		t.Fatal(err)
	}
	return l
}

// ou makes an organizational unit for one test.
func (d domain) ou(t testing.TB, name string) string {
	t.Helper()
	dn := "OU=" + name + "," + d.base
	add := ldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"organizationalUnit"})
	if err := d.admin(t).Add(add); err != nil {
		t.Fatal(err)
	}
	return dn
}

// A client calls a connector and takes its answers apart.
type client struct {
	connectorv1.ConnectorServiceClient
	t testing.TB
}

// apply carries out one operation.
func (c *client) apply(op *connectorv1.Operation) *connectorv1.ApplyResponse {
	c.t.Helper()
	stream, err := c.Apply(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := stream.Send(&connectorv1.ApplyRequest{Tag: 1, Operation: op}); err != nil {
		c.t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		c.t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return response
}

// done carries out an operation that must succeed.
func (c *client) done(op *connectorv1.Operation) *connectorv1.ApplyResponse {
	c.t.Helper()
	r := c.apply(op)
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		c.t.Fatalf("%T = %v, %v; want DONE", op.GetVerb(), r.GetOutcome(), r.GetFault())
	}
	return r
}

// object is the object of an answer.
func (c *client) object(r *connectorv1.ApplyResponse) *connectorv1.Object {
	c.t.Helper()
	if r.GetObject() == nil {
		c.t.Fatalf("the answer %v holds no object", r)
	}
	return connkit.Object(c.t, r.GetObject())
}

// find returns the objects with a value.
func (c *client) find(class, attribute string, values []string, attributes ...string) []*connectorv1.Object {
	c.t.Helper()
	r, err := c.Find(c.t.Context(), &connectorv1.FindRequest{Class: class, Attribute: attribute, Values: values, ReturnAttributes: attributes})
	if err != nil {
		c.t.Fatal(err)
	}
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		c.t.Fatalf("Find(%s, %q) = %v, %v; want DONE", attribute, values, r.GetOutcome(), r.GetFault())
	}
	var objects []*connectorv1.Object
	for _, record := range r.GetRecords() {
		objects = append(objects, connkit.Object(c.t, record))
	}
	return objects
}

// create is a user with a password, enabled.
func create(container, name, sam string, more ...string) *connectorv1.Operation {
	attributes := []*connectorv1.Attribute{
		attribute("sAMAccountName", sam), attribute("userPrincipalName", sam+"@corp.example.test"), attribute("employeeID", "E"+sam),
	}
	for i := 0; i+1 < len(more); i += 2 {
		attributes = append(attributes, attribute(more[i], more[i+1]))
	}
	return &connectorv1.Operation{
		Class: "user", ReturnAttributes: []string{"sAMAccountName", "title", "enabled", "manager", "name", "container"},
		Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
			Container: container, Name: name, Attributes: attributes, Enabled: true,
			Password: &connectorv1.PasswordRule{Length: 20}, Anchor: attribute("employeeID", "E"+sam),
		}},
	}
}

func attribute(name string, values ...string) *connectorv1.Attribute {
	return &connectorv1.Attribute{Name: name, Values: values}
}

func modify(class, id string, changes ...*connectorv1.Change) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: id, ReturnAttributes: []string{"title", "proxyAddresses", "manager"},
		Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: changes}}}
}

func change(name string, expect, want []string) *connectorv1.Change {
	return &connectorv1.Change{Name: name, Expect: expect, Want: want}
}

func move(id, from, container, name string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, ReturnAttributes: []string{"name", "container"},
		Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{ExpectAddress: from, Container: container, Name: name}}}
}

func enable(id string, enabled bool) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, ReturnAttributes: []string{"enabled", "userAccountControl"},
		Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: enabled}}}
}

func membership(id string, join, leave []string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, ReturnAttributes: []string{"memberOf"},
		Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: join, Leave: leave}}}
}

func remove(class, id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

func group(container, name string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "group", ReturnAttributes: []string{"sAMAccountName"},
		Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
			Container: container, Name: name, Attributes: []*connectorv1.Attribute{attribute("sAMAccountName", name)},
			Anchor: attribute("sAMAccountName", name),
		}}}
}

// values returns those of an attribute; ok is false where it is not there.
func values(o *connectorv1.Object, name string) []string {
	for _, a := range o.GetAttributes() {
		if a.GetName() == name {
			return a.GetValues()
		}
	}
	return []string{"(absent)"}
}

func value(o *connectorv1.Object, name string) string {
	if v := values(o, name); len(v) > 0 {
		return cmp.Or(strings.Join(v, "|"), "(empty text)")
	}
	return ""
}
