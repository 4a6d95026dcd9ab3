package ldap_test

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func TestMain(m *testing.M) { connkit.Main(m, ldap.Connector()) }

const (
	base   = "dc=example,dc=org"
	people = "ou=people," + base
	groups = "ou=groups," + base
)

const (
	done     = connectorv1.Outcome_OUTCOME_DONE
	notFound = connectorv1.Outcome_OUTCOME_NOT_FOUND
	conflict = connectorv1.Outcome_OUTCOME_CONFLICT
	invalid  = connectorv1.Outcome_OUTCOME_INVALID
	denied   = connectorv1.Outcome_OUTCOME_DENIED
)

// A server is a slapd with people in it.
type server struct{ *openldap.Server }

// start runs a slapd with n people, a manager among them, and a group; lines
// are for its database, "" for those that people run.
func start(t testing.TB, n int, lines string) server {
	t.Helper()
	var ldif strings.Builder
	fmt.Fprintf(&ldif, "dn: %s\nobjectClass: organizationalUnit\nou: people\n\ndn: %s\nobjectClass: organizationalUnit\nou: groups\n\n", people, groups)
	for i := range n {
		fmt.Fprintf(&ldif, `dn: uid=p%[1]d,%[2]s
objectClass: inetOrgPerson
uid: p%[1]d
cn: Person %[1]d
sn: Surname%[1]d
employeeNumber: %[1]d
title: Clerk of rank %[3]d
mail: p%[1]d@example.org
manager: uid=p%[3]d,%[2]s

`, i, people, i%7)
	}
	lines = cmp.Or(lines, openldap.Standard)
	if strings.Contains(lines, "ppolicy") {
		fmt.Fprintf(&ldif, "dn: cn=policy,%s\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdCheckQuality: 2\npwdMinLength: 15\n\n", base)
	}
	return load(t, ldif.String(), lines)
}

func load(t testing.TB, ldif, lines string) server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tree.ldif")
	if err := os.WriteFile(path, []byte(ldif), 0o600); err != nil {
		t.Fatal(err)
	}
	return server{openldap.StartTest(t, openldap.Options{Base: base, LDIF: path, Database: lines})}
}

// settings of a system on s, with more or others.
func (s server) settings(more ...map[string]any) map[string]any {
	all := map[string]any{"servers": []string{s.LDAPS}, "ca": s.CAFile, "bind": s.AdminDN,
		"enabled": map[string]any{"attribute": "pwdAccountLockedTime"}}
	if !strings.Contains(s.Lines, "ppolicy") {
		delete(all, "enabled")
	}
	for _, m := range more {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func (s server) secrets() map[string]string { return map[string]string{"password": s.Password} }

// open serves a connector that is opened on s.
func (s server) open(t testing.TB, more ...map[string]any) *client {
	t.Helper()
	return &client{t: t, ConnectorServiceClient: connkit.Open(t, ldap.Connector(), s.settings(more...), s.secrets())}
}

// admin is a connection past the connector.
func (s server) admin(t testing.TB) *goldap.Conn {
	t.Helper()
	return s.as(t, s.AdminDN, s.Password)
}

func (s server) as(t testing.TB, name, password string) *goldap.Conn {
	t.Helper()
	l, err := goldap.DialURL(s.LDAPS, goldap.DialWithTLSConfig(&tls.Config{RootCAs: s.CA}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.Bind(name, password); err != nil {
		t.Fatalf("bind as %s: %v", name, err)
	}
	return l
}

// add makes an entry past the connector: name and value in turn.
func (s server) add(t testing.TB, name string, attributes ...string) {
	t.Helper()
	values := map[string][]string{}
	for i := 0; i+1 < len(attributes); i += 2 {
		values[attributes[i]] = append(values[attributes[i]], attributes[i+1])
	}
	request := goldap.NewAddRequest(name, nil)
	for name, v := range values {
		request.Attribute(name, v)
	}
	if err := s.admin(t).Add(request); err != nil {
		t.Fatal(err)
	}
}

// replace sets an attribute past the connector.
func (s server) replace(t testing.TB, name, attribute string, values ...string) {
	t.Helper()
	request := goldap.NewModifyRequest(name, nil)
	request.Replace(attribute, values)
	if err := s.admin(t).Modify(request); err != nil {
		t.Fatal(err)
	}
}

func (s server) remove(t testing.TB, name string) {
	t.Helper()
	if err := s.admin(t).Del(goldap.NewDelRequest(name, nil)); err != nil {
		t.Fatal(err)
	}
}

// entry reads an entry past the connector, nil if it is not there.
func (s server) entry(t testing.TB, name string, attributes ...string) *goldap.Entry {
	t.Helper()
	r, err := s.admin(t).Search(goldap.NewSearchRequest(name, goldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", attributes, nil))
	if goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Entries[0]
}

// A client calls a connector and takes its answers apart.
type client struct {
	connectorv1.ConnectorServiceClient
	t testing.TB
}

func (c *client) apply(op *connectorv1.Operation) *connectorv1.ApplyResponse {
	c.t.Helper()
	stream, err := c.Apply(c.t.Context())
	if err == nil {
		err = stream.Send(&connectorv1.ApplyRequest{Tag: 1, Operation: op})
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// done carries out an operation that must succeed.
func (c *client) done(op *connectorv1.Operation) *connectorv1.ApplyResponse {
	c.t.Helper()
	r := c.apply(op)
	if r.GetOutcome() != done {
		c.t.Fatalf("%T = %v, %v; want DONE", op.GetVerb(), r.GetOutcome(), r.GetFault())
	}
	return r
}

// refused carries out an operation that must end so, and whose fault must hold
// the words.
func (c *client) refused(op *connectorv1.Operation, outcome connectorv1.Outcome, words ...string) *connectorv1.ApplyResponse {
	c.t.Helper()
	r := c.apply(op)
	f := r.GetFault()
	text := strings.Join([]string{f.GetCause(), f.GetObject(), f.GetAttribute(), f.GetNextStep()}, " | ")
	if r.GetOutcome() != outcome {
		c.t.Errorf("%T = %v, %v; want %v", op.GetVerb(), r.GetOutcome(), f, outcome)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			c.t.Errorf("%T says %q; want it to name %q", op.GetVerb(), text, word)
		}
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
	if err != nil || r.GetOutcome() != done {
		c.t.Fatalf("Find(%s, %q) = %v, %v, %v; want DONE", attribute, values, r.GetOutcome(), r.GetFault(), err)
	}
	var objects []*connectorv1.Object
	for _, record := range r.GetRecords() {
		objects = append(objects, connkit.Object(c.t, record))
	}
	return objects
}

// id of the one object with a value.
func (c *client) id(class, attribute, value string) string {
	c.t.Helper()
	found := c.find(class, attribute, []string{value})
	if len(found) != 1 {
		c.t.Fatalf("%d objects with %s %q; want 1", len(found), attribute, value)
	}
	return found[0].GetId()
}

// person is a user with a password.
func person(uid string, enabled bool, more ...*connectorv1.Attribute) *connectorv1.Operation {
	return &connectorv1.Operation{
		Class: "user", ReturnAttributes: []string{"uid", "title", "enabled", "manager", "name", "container", "memberOf", "mail"},
		Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
			Container: people, Name: uid, Enabled: enabled, Password: &connectorv1.PasswordRule{Length: 20},
			Attributes: append([]*connectorv1.Attribute{attribute("cn", "Person "+uid), attribute("sn", "Surname"), attribute("employeeNumber", "E"+uid)}, more...),
			Anchor:     attribute("employeeNumber", "E"+uid),
		}},
	}
}

func group(class, name string, more ...*connectorv1.Attribute) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, ReturnAttributes: []string{"cn"}, Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
		Container: groups, Name: name, Attributes: more, Anchor: attribute("cn", name), Enabled: true,
	}}}
}

func attribute(name string, values ...string) *connectorv1.Attribute {
	return &connectorv1.Attribute{Name: name, Values: values}
}

func modify(class, id string, changes ...*connectorv1.Change) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: id, ReturnAttributes: []string{"title", "mail", "manager"},
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
	return &connectorv1.Operation{Class: "user", Id: id, ReturnAttributes: []string{"enabled"},
		Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: enabled}}}
}

func membership(id string, join, leave []string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, ReturnAttributes: []string{"memberOf"},
		Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: join, Leave: leave}}}
}

func deletion(class, id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

// value joins those of an attribute; (absent) where it is not there.
func value(o *connectorv1.Object, name string) string {
	for _, a := range o.GetAttributes() {
		if a.GetName() == name {
			return strings.Join(a.GetValues(), "|")
		}
	}
	return "(absent)"
}

// try signs in.
func (s server) try(name, password string) error {
	l, err := goldap.DialURL(s.LDAPS, goldap.DialWithTLSConfig(&tls.Config{RootCAs: s.CA}))
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Bind(name, password)
}

func searchFor(filter string) *goldap.SearchRequest {
	return goldap.NewSearchRequest(base, goldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"*", "+"}, nil)
}

// swap renames an entry, if it is there.
func swap(l *goldap.Conn, name, rdn string) {
	_ = l.ModifyDN(goldap.NewModifyDNRequest(name, rdn, true, ""))
}

// ldapadd adds what go-ldap cannot: an entry that refers elsewhere.
func (s server) ldapadd(t testing.TB, ldif string) { s.tool(t, ldif, "ldapadd", "-M") }

func (s server) ldapdelete(t testing.TB, name string) { s.tool(t, "", "ldapdelete", "-M", name) }

func (s server) tool(t testing.TB, input, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, append([]string{"-x", "-H", s.LDAPS, "-D", s.AdminDN, "-w", s.Password}, args...)...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "LDAPTLS_CACERT="+s.CAFile), strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
