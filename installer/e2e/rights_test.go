package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/seed"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
)

const servicePassword = "Least.Rights-4711"

// The agent's account in the domain has the rights that `drawbridge-agent rights`
// prints, and no other. With these the whole life of people is played; beyond
// them the domain refuses the account, and the guardrail refuses the mapping.
func TestPain14_leastRights(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	t.Parallel() // they wait for most of their time
	needSamba(t)
	s := set(t, "samba")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	base, admin := s.Domain.Base, s.Domain.Address
	guardrail := fmt.Sprintf(`mode: enforce
systems:
  corp-ad:
    verbs: [create, modify, move, enable, disable, membership, password]
    classes: [user]
    bases: ["OU=Staff,%[1]s", "OU=Leavers,%[1]s"]
    destinations: ["OU=Staff,%[1]s", "OU=Leavers,%[1]s"]
    groups: ["below OU=Groups,%[1]s"]
`, base)
	if err := os.WriteFile(filepath.Join(s.Dir, "guardrail.yaml"), []byte(guardrail), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := s.Domain.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	service := "CN=svc-drawbridge,CN=Users," + base
	s.Domain.Bind, s.Domain.Password = service, servicePassword
	add := ldap.NewAddRequest(service, nil)
	for name, value := range map[string]string{"objectClass": "user", "sAMAccountName": "svc-drawbridge", "userAccountControl": "512", "unicodePwd": stage.Quoted(s.Domain.Password)} {
		add.Attribute(name, []string{value})
	}
	if err := conn.Add(add); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Domain.Address = admin // for looking
	for i := range crowd {
		s.File.Put(workers.At(i))
	}
	export(t, s)
	problems, err := s.CLI(t.Context(), "problem", "list")
	if account(t, s, workers.ID(0)) != nil || !strings.Contains(string(problems), `lacks "Create organizationalUnit objects" on OU=Staff,`+base) {
		t.Fatalf("before any right is given: problem list = %s, %v; want no account, and the right named that is missing", problems, err)
	}

	script, err := s.AgentCLI(t.Context(), "rights", "corp-ad", "--account", `CORP\svc-drawbridge`)
	if err != nil {
		t.Fatal(err)
	}
	grant(t, s, conn, service, string(script))
	if out, err := s.CLI(t.Context(), "problem", "retry", "--all"); err != nil {
		t.Fatalf("problem retry: %v: %s", err, out)
	}
	export(t, s)
	for i := range crowd {
		if account(t, s, workers.ID(i)) == nil {
			t.Errorf("no account has employeeID %s", workers.ID(i))
		}
	}
	life(t, s)
	if problems, err := s.CLI(t.Context(), "problem", "list"); err != nil || strings.Contains(string(problems), "E0") {
		t.Errorf("problem list = %s, %v; want none", problems, err)
	}

	weak, err := stage.Domain{Address: weakly(admin, service)}.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer weak.Close()
	for dn, attribute := range map[string]string{
		"CN=Domain Admins,CN=Users," + base: "member", "CN=Administrator,CN=Users," + base: "description", service: "description",
		"OU=Staff," + base: "description", "CN=Staff,OU=Groups," + base: "description",
	} {
		change := ldap.NewModifyRequest(dn, nil)
		change.Replace(attribute, []string{service})
		if err := weak.Modify(change); !ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
			t.Errorf("%s of %s by the agent's account: %v; want it refused", attribute, dn, err)
		}
	}
}

// life is what can become of somebody: hired, changed, married, moved, gone and back.
func life(t *testing.T, s *stage.Stage) {
	s.File.Put(worker("E2", "Ana", "Lopes", "Sales"))
	export(t, s)
	want(t, s, "E2", map[string]string{"dn": "CN=Ana Lopes,OU=Sales,OU=Staff", "enabled": "true", "groups": "Sales staff, Staff"})
	marriage(t, s)
	w := s.File.Get("E2")
	w.Department, w.Title = "Production", "Head of it"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E2", map[string]string{"dn": "CN=Ana Silva,OU=Production,OU=Staff", "title": "Head of it", "groups": "Production staff, Staff"})
	w.Status, w.TermDate = "T", "2024-01-31"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E2", map[string]string{"dn": "CN=Ana Silva,OU=Leavers", "enabled": "false", "groups": ""})
	w.Status, w.TermDate = "A", ""
	s.File.Put(w)
	export(t, s)
	want(t, s, "E2", map[string]string{"dn": "CN=Ana Silva,OU=Production,OU=Staff", "enabled": "true", "groups": "Production staff, Staff"})
}

// weakly gives the address of the domain with the account of the agent.
func weakly(a seed.Address, service string) seed.Address {
	a.Bind, a.Password = service, servicePassword
	return a
}

// dsacls is a line as `drawbridge-agent rights` prints it: container, inheritance, right, object, class.
var dsacls = regexp.MustCompile(`^dsacls "([^"]+)"(?: /I:([ST]))? /G "[^":]+:([A-Z]+);([^";]+)(?:;([^"]+))?"$`)

// grant does with Samba's tool what the lines have Windows' do.
func grant(t *testing.T, s *stage.Stage, conn *ldap.Conn, account, script string) {
	t.Helper()
	sid := schema.FormatSID(read(t, conn, account, "(objectClass=*)", "objectSid"))
	guid := func(name string) string {
		if name == "Reset Password" {
			return "00299570-246d-11d0-a768-00aa006e0529" // MS-ADTS 5.1.3.2.1
		}
		return schema.FormatGUID(read(t, conn, "CN=Schema,CN=Configuration,"+s.Domain.Base, "(lDAPDisplayName="+ldap.EscapeFilter(name)+")", "schemaIDGUID"))
	}
	aces := map[string]string{} // by container
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "rem ") {
			continue
		}
		m := dsacls.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q is no line of dsacls that this test knows", line)
		}
		flags, right, class := map[string]string{"S": "CIIO", "T": "CI", "": ""}[m[2]], strings.Replace(m[3], "CA", "CR", 1), ""
		if m[5] != "" {
			class = guid(m[5])
		}
		aces[m[1]] += fmt.Sprintf("(OA;%s;%s;%s;%s;%s)", flags, right, guid(m[4]), class, sid)
	}
	if len(aces) == 0 {
		t.Fatal("no right was printed")
	}
	for container, sddl := range aces {
		out, err := exec.CommandContext(t.Context(), "samba-tool", "dsacl", "set", "--action=allow", "--objectdn="+container, "--sddl="+sddl,
			"-s", filepath.Join(s.Dir, "domain", "etc", "smb.conf")).CombinedOutput()
		if err != nil {
			t.Fatalf("%s of %s: %v\n%s", sddl, container, err, out)
		}
	}
}

// read gives the first value of an attribute of the one entry that is found.
func read(t *testing.T, conn *ldap.Conn, base, filter, attribute string) string {
	t.Helper()
	found, err := conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{attribute}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatalf("%s below %s: %d entries, %v", filter, base, len(found.Entries), err)
	}
	return found.Entries[0].GetAttributeValue(attribute)
}
