package e2e_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
)

// The sample in the README of the ldap connector does what it says, from HR to
// a real OpenLDAP: hire, change, leave.
func TestLDAP_sampleOfTheREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	const base = "dc=example,dc=org"
	path := filepath.Join(t.TempDir(), "tree.ldif")
	tree := ""
	for _, ou := range []string{"people", "groups", "leavers"} {
		tree += fmt.Sprintf("dn: ou=%[1]s,%[2]s\nobjectClass: organizationalUnit\nou: %[1]s\n\n", ou, base)
	}
	tree += "dn: cn=Staff,ou=groups," + base + "\nobjectClass: groupOfNames\ncn: Staff\nmember:\n\n" +
		"dn: cn=policy," + base + "\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\n\n"
	if err := os.WriteFile(path, []byte(tree), 0o600); err != nil {
		t.Fatal(err)
	}
	o := openldap.StartTest(t, openldap.Options{Base: base, LDIF: path, Database: openldap.Standard})
	s := set(t, "double")
	hr, _, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	sample := sampleOf(t, filepath.Join("..", "..", "plugins", "ldap", "README.md"), "## A sample")
	sample = strings.NewReplacer(`["ldaps://ldap1.example.org", "ldaps://ldap2.example.org"]`, fmt.Sprintf("[%q]", o.LDAPS),
		"/etc/drawbridge/example-ca.pem", o.CAFile, "bind: uid=svc-drawbridge,ou=services,dc=example,dc=org", "bind: "+o.AdminDN).Replace(sample)
	for name, document := range map[string]string{"corp-ldap.yaml": sample, "hr.yaml": hr} {
		if err := s.Apply(t.Context(), name, document); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetSecret(t.Context(), "corp-ldap", "password", o.Password); err != nil {
		t.Fatal(err)
	}

	ana := worker("E2", "Ana", "Lopes", "Sales")
	ana.ManagerID = "E1"
	s.File.Put(worker("E1", "Jürgen", "Großmann", "R&D, Berlin"), ana)
	export(t, s)
	boss, hired := ldapEntry(t, o, "E1"), ldapEntry(t, o, "E2")
	if hired.DN != "uid=ana.lopes,ou=Sales,ou=people,"+base || hired.GetAttributeValue("manager") != boss.DN ||
		hired.GetAttributeValue("mail") != "ana.lopes@example.org" || !strings.HasPrefix(hired.GetAttributeValue("userPassword"), "{SSHA}") ||
		!strings.EqualFold(hired.GetAttributeValue("memberOf"), "cn=Staff,ou=groups,"+base) || hired.GetAttributeValue("pwdAccountLockedTime") != "" {
		t.Errorf("hired = %v", attributesOf(hired))
	}

	ana.Title, ana.Department = "Lead", "Legal"
	s.File.Put(ana)
	export(t, s)
	if e := ldapEntry(t, o, "E2"); e.GetAttributeValue("title") != "Lead" || e.DN != "uid=ana.lopes,ou=Legal,ou=people,"+base {
		t.Errorf("changed = %v", attributesOf(e))
	}

	ana.Status = "T"
	s.File.Put(ana)
	export(t, s)
	if e := ldapEntry(t, o, "E2"); e.DN != "uid=ana.lopes,ou=leavers,"+base || e.GetAttributeValue("pwdAccountLockedTime") != "000001010000Z" || e.GetAttributeValue("memberOf") != "" {
		t.Errorf("left = %v; want it locked, moved and in no group", attributesOf(e))
	}
}

// sampleOf is the first YAML below a heading of a file.
func sampleOf(t *testing.T, path, below string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n"+below+"\n")
	_, rest, ok := strings.Cut(section, "```yaml\n")
	sample, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatalf("%s has no sample", path)
	}
	return sample
}

func ldapEntry(t *testing.T, o *openldap.Server, employee string) *ldap.Entry {
	t.Helper()
	conn, err := ldap.DialURL(o.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: o.CA}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(o.AdminDN, o.Password); err != nil {
		t.Fatal(err)
	}
	r, err := conn.Search(ldap.NewSearchRequest(o.Base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(employeeNumber="+employee+")", []string{"*", "+"}, nil))
	if err != nil || len(r.Entries) != 1 {
		t.Fatalf("employeeNumber %s: %v, %v; want one entry", employee, r, err)
	}
	return r.Entries[0]
}

func attributesOf(e *ldap.Entry) string {
	text := e.DN
	for _, a := range e.Attributes {
		text += fmt.Sprintf(" %s=%q", a.Name, a.Values)
	}
	return text
}
