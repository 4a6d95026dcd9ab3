package ldap_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// access are the lines of README.md for a service account, and a limit.
const access = `access to attrs=userPassword by dn.exact="uid=svc,ou=people,BASE" write by anonymous auth by self write by * none
access to dn.subtree="ou=people,BASE" by dn.exact="uid=svc,ou=people,BASE" write by users read
access to * by users read
`

// serve starts a server with a service account that has these rights.
func serve(t testing.TB, n int, lines string) server {
	t.Helper()
	s := start(t, n, lines)
	s.add(t, "uid=svc,"+people, "objectClass", "inetOrgPerson", "uid", "svc", "cn", "Service", "sn", "Service", "userPassword", "service-secret-1")
	return s
}

func (s server) service(t testing.TB, more ...map[string]any) *client {
	t.Helper()
	settings := s.settings(append([]map[string]any{{"bind": "uid=svc," + people}}, more...)...)
	return &client{t: t, ConnectorServiceClient: connkit.Open(t, ldap.Connector(), settings, map[string]string{"password": "service-secret-1"})}
}

// An account with the rights that README.md gives does its work; without them
// the fault names what is missing, where, and to whom.
func TestRights(t *testing.T) {
	t.Parallel()
	s := serve(t, 3, openldap.Standard+access)
	c := s.service(t)
	o := c.object(c.done(person("ann", false)))
	c.done(enable(o.GetId(), true))
	c.done(modify("user", o.GetId(), change("title", nil, []string{"Clerk"})))
	c.refused(group("group", "All"), denied, "uid=svc,"+people, "children of "+groups, "README.md")
	c.refused(&connectorv1.Operation{Class: "user", Id: o.GetId(), Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{
		Rule: &connectorv1.PasswordRule{Length: 12}}}}, invalid, "password policy", "userPassword")
	bad := person("bea", true)
	bad.GetCreate().Password.Length = 12
	c.refused(bad, invalid, "password policy")
	if s.entry(t, "uid=bea,"+people) != nil {
		t.Error("an account without a password is left")
	}
	s.add(t, "cn=All,"+groups, "objectClass", "groupOfNames", "cn", "All", "member", "")
	r, err := c.Probe(t.Context(), &connectorv1.ProbeRequest{Classes: []string{"user", "group"}})
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, step := range r.GetSteps() {
		said += step.GetName() + ": " + step.GetDetail() + "\n"
		if step.GetOutcome() != done {
			t.Errorf("step %v; want DONE", step)
		}
	}
	for _, want := range []string{"by syncrepl", "can be set", "native id is entryUUID", "rights over user objects: may make objects in " + people,
		"rights over group objects: may not make objects in " + groups} {
		if !strings.Contains(said, want) {
			t.Errorf("the probe says\n%s; want %q", said, want)
		}
	}
	if s.entry(t, "ou=drawbridge-probe,"+people) != nil {
		t.Error("the probe made an entry")
	}
}

// A server gives fewer entries than there are: nothing may be taken as deleted,
// and the admin is told which limit to lift.
func TestRead_sizeLimit(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]string{
		"in all":         `limits dn.exact="uid=svc,ou=people,BASE" size=50`,
		"below the page": `limits dn.exact="uid=svc,ou=people,BASE" size.soft=50 size.hard=50 size.pr=20`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, 120, openldap.Standard+limit+"\n")
			r := connkit.Read(t, s.service(t), &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid"}})
			f := r.End.GetFault()
			if r.End.GetOutcome() != denied || !strings.Contains(f.GetCause(), s.LDAPS) || !strings.Contains(f.GetCause(), "size limit") || !strings.Contains(f.GetNextStep(), "olcLimits") {
				t.Errorf("read ends %v with %d objects; want DENIED that names the server, its limit and the cure", r.End, len(r.Objects))
			}
		})
	}
}

// A part of the tree on another server is told of, never silently missing, and
// read from there only if the settings name that server.
func TestRead_referral(t *testing.T) {
	t.Parallel()
	other := load(t, fmt.Sprintf("dn: ou=sales,%[1]s\nobjectClass: organizationalUnit\nou: sales\n\ndn: uid=far,ou=sales,%[1]s\nobjectClass: inetOrgPerson\nuid: far\ncn: Far\nsn: Away\n", base), "")
	s := start(t, 5, "")
	for name, tt := range map[string]struct {
		servers []string
		setting string
		far     bool
		words   string
	}{
		"reported":             {[]string{s.LDAPS}, "report", false, "was not read"},
		"ignored":              {[]string{s.LDAPS}, "ignore", false, ""},
		"followed":             {[]string{s.LDAPS, other.LDAPS}, "follow", true, ""},
		"not followed further": {[]string{s.LDAPS}, "follow", false, "nobody signs in there"},
	} {
		t.Run(name, func(t *testing.T) {
			far := "ou=" + strings.ReplaceAll(name, " ", "-") + "," + people
			url := other.LDAPS + "/ou=sales," + base
			request := "dn: " + far + "\nobjectClass: referral\nobjectClass: extensibleObject\nou: " + strings.ReplaceAll(name, " ", "-") + "\nref: " + url + "\n"
			s.ldapadd(t, request)
			defer s.ldapdelete(t, far)
			both := s.CAFile + ".both"
			if tt.far {
				pem := append(read(t, s.CAFile), read(t, other.CAFile)...)
				if err := os.WriteFile(both, pem, 0o600); err != nil {
					t.Fatal(err)
				}
			} else {
				both = s.CAFile
			}
			c := s.open(t, map[string]any{"servers": tt.servers, "referrals": tt.setting, "ca": both})
			r := connkit.Read(t, c, &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid"}})
			want := 5
			if tt.far {
				want = 6
			}
			said := ""
			for _, reject := range r.Rejects {
				said += reject.GetPlace() + " " + reject.GetReason()
			}
			if r.End.GetOutcome() != done || len(r.Objects) != want || !strings.Contains(said, tt.words) || (said != "") != (tt.words != "") || said != "" && !strings.Contains(said, "sales") {
				t.Errorf("read ends %v with %d objects and says %q; want %d and %q", r.End, len(r.Objects), said, want, tt.words)
			}
		})
	}
}

// What no text can hold is set aside with its place, and can be had as bytes.
func TestRead_unknownSyntax(t *testing.T) {
	t.Parallel()
	s := start(t, 3, "")
	s.replace(t, "uid=p1,"+people, "userSMIMECertificate", "\xff\xfe\x00")
	q := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"uid", "userSMIMECertificate"}}
	if o := byName(t, connkit.Read(t, s.open(t), q), "uid", "p1"); value(o, "userSMIMECertificate") != "//4A" {
		t.Errorf("p1 = %v; want the bytes as base64", o)
	}
	s.replace(t, "uid=p1,"+people, "userPassword", "\xff\xfe\x00")
	q.Attributes = []string{"uid", "userPKCS12", "userPassword"}
	r := connkit.Read(t, s.open(t, map[string]any{"binary": []string{"employeeType"}}), q)
	if o := byName(t, r, "uid", "p1"); value(o, "userPassword") != "//4A" {
		t.Errorf("p1 = %v; want the bytes as base64", o)
	}
	fault := connkit.Read(t, s.open(t, map[string]any{"binary": []string{"nonsense"}}), q).End.GetFault()
	if !strings.Contains(fault.GetCause(), `"nonsense"`) {
		t.Errorf("fault = %v; want the unknown attribute named", fault)
	}
}

// Every way to be encrypted and to fail over; what is not encrypted never
// carries a new password.
func TestConnect(t *testing.T) {
	t.Parallel()
	s := start(t, 3, "")
	for name, more := range map[string]map[string]any{
		"StartTLS":    {"servers": []string{s.LDAP}},
		"plain":       {"servers": []string{s.LDAP}, "plain": true},
		"second":      {"servers": []string{"ldaps://127.0.0.1:1", s.LDAPS}},
		"certificate": {"auth": "external", "bind": "", "certificate": map[string]string{"file": s.Certificate, "key": s.Key}},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := s.secrets()
			if name == "certificate" {
				secrets = nil
			}
			c := &client{t: t, ConnectorServiceClient: connkit.Open(t, ldap.Connector(), s.settings(more), secrets)}
			id := c.id("user", "uid", "p1")
			if name == "plain" {
				c.refused(&connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{
					Rule: &connectorv1.PasswordRule{Length: 20}}}}, invalid, "without encryption")
				return
			}
			if name != "certificate" {
				c.done(&connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{
					Rule: &connectorv1.PasswordRule{Length: 20}}}})
			}
		})
	}
	wrong := connkit.Open(t, ldap.Connector(), s.settings(), map[string]string{"password": "wrong"})
	r, err := wrong.Probe(t.Context(), &connectorv1.ProbeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	last := r.GetSteps()[len(r.GetSteps())-1]
	if last.GetOutcome() != denied || !strings.Contains(last.GetFault().GetCause(), s.AdminDN) || !strings.Contains(last.GetFault().GetNextStep(), "secret set") {
		t.Errorf("step with a wrong password = %v; want DENIED, the account and the cure", last)
	}
}

func TestOpen_faultsOfSettings(t *testing.T) {
	t.Parallel()
	fault := connkit.OpenFault(t, connkit.Serve(t, ldap.Connector()), map[string]any{
		"servers": []string{"http://x", "ldaps://y"}, "plain": true, "base": "nonsense", "ca": "/nowhere/ca.pem", "page_size": 0,
		"classes": map[string]any{"user": map[string]any{"filter": "(x"}}, "enabled": map[string]any{"attribute": "loginShell"},
	}, nil)
	for _, word := range []string{"http://x", "ldaps://y", `"base"`, "/nowhere/ca.pem", "classes.user.filter", "page_size", `"bind" is missing`, `"password" is missing`, "enabled.disabled"} {
		if !strings.Contains(fault.GetCause(), word) {
			t.Errorf("Open says %q; want it to name %s", fault.GetCause(), word)
		}
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
