package activedirectory_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// stepsOf probes with access and returns what each step of rights says.
func stepsOf(t *testing.T, d domain, bind, password, container string) map[string]string {
	t.Helper()
	c := connkit.Open(t, activedirectory.Connector(), d.settings(map[string]any{"bind": bind}), map[string]string{"password": password})
	r, err := c.Probe(t.Context(), &connectorv1.ProbeRequest{Access: []*connectorv1.Access{
		{Class: "user", Container: container, Verbs: []string{"create", "modify", "disable"}, Attributes: []string{"title", "department"}}}})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, s := range r.GetSteps() {
		if name, ok := strings.CutPrefix(s.GetName(), "rights: "); ok {
			name, _, _ = strings.Cut(name, " ")
			if said[name] = s.GetFault().GetCause(); container == "" {
				said[name] = s.GetDetail()
			}
		}
	}
	return said
}

// An administrator has more rights than needed, an account without any has
// too few, and one that has just those of the list is told nothing.
func rightsCompared(t *testing.T, d domain) {
	ou := d.ou(t, "Rights")
	admin := d.admin(t)
	person := ldap.NewAddRequest("CN=somebody,"+ou, nil)
	person.Attribute("objectClass", []string{"user"})
	person.Attribute("sAMAccountName", []string{"somebody.rights"})
	if err := admin.Add(person); err != nil {
		t.Fatal(err)
	}
	const password = "Corr3ct.Horse.Battery"
	svc := "CN=svc-rights,CN=Users," + d.base
	account := ldap.NewAddRequest(svc, nil)
	account.Attribute("objectClass", []string{"user"})
	account.Attribute("sAMAccountName", []string{"svc-rights"})
	account.Attribute("unicodePwd", []string{utf16Quoted(password)})
	account.Attribute("userAccountControl", []string{"512"})
	if err := admin.Add(account); err != nil {
		t.Fatal(err)
	}

	if said := stepsOf(t, d, d.adminDN, d.password, ou); !strings.Contains(said["groups"], "Domain Admins") && !strings.Contains(said["groups"], "Administrators") ||
		!strings.Contains(said["user"], "more rights than it needs") || strings.Contains(said["user"], "may not") {
		t.Errorf("administrator: %q; want more rights than needed", said)
	}
	if said := stepsOf(t, d, svc, password, ""); !strings.Contains(said["user"], "not compared") {
		t.Errorf("objects of which nobody knows where they lie: %q; want it said that rights were not compared", said)
	}
	if said := stepsOf(t, d, svc, password, ou); said["groups"] != "" || !strings.Contains(said["user"], "may not create user objects, write department, write title, write userAccountControl") {
		t.Errorf("account without rights: %q; want what is missing", said)
	}
	grantRights(t, d, svc, ou)
	if said := stepsOf(t, d, svc, password, ou); said["groups"] != "" || said["user"] != "" {
		t.Errorf("account with the least rights: %q; want nothing said", said)
	}
}

// utf16Quoted is a password as the directory takes it.
func utf16Quoted(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// grantRights gives an account what stepsOf asks for.
func grantRights(t *testing.T, d domain, account, ou string) {
	t.Helper()
	if d.double != nil {
		if err := d.double.Grant(account, double.Right{Under: ou, Create: true, Write: []string{"title", "department", "userAccountControl"}}); err != nil {
			t.Fatal(err)
		}
		return
	}
	found, err := d.admin(t).Search(ldap.NewSearchRequest(account, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"objectSid"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	sid := schema.FormatSID(found.Entries[0].GetAttributeValue("objectSid"))
	const user = "bf967aba-0de6-11d0-a285-00aa003049e2"
	sddl := "(OA;CI;CC;" + user + ";;" + sid + ")"
	for _, attribute := range []string{"bf967a55-0de6-11d0-a285-00aa003049e2", "bf96794f-0de6-11d0-a285-00aa003049e2", "bf967a68-0de6-11d0-a285-00aa003049e2"} { // title, department, userAccountControl
		sddl += "(OA;CIIO;WP;" + attribute + ";" + user + ";" + sid + ")"
	}
	if out, err := d.samba.Tool(t.Context(), "dsacl", "set", "--action=allow", "--objectdn="+ou, "--sddl="+sddl); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
