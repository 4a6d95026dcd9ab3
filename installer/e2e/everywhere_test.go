package e2e_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
	"github.com/drawbridge-id/drawbridge/plugins/sql/mariadb"
)

// An application that is provisioned by SCIM. It shows the address that the
// directory gave.
const applicationBySCIM = `system: app
site: hq
connector: scim
settings: {url: %q}
target:
  class: user
  match: {externalId: employeeNumber}
  name: {attribute: id, value: employeeNumber}
  attributes:
    userName: employeeNumber
    externalId: employeeNumber
    displayName: displayName
    'emails[type eq "work"].value': emails.work
  groups: [department]
  lifecycle: {leave: {groups: strip}}
`

// An application that is provisioned by its tables; its document is the sample
// under "Writing" of the sql connector's README.
const applicationTables = `
CREATE TABLE accounts (id integer PRIMARY KEY AUTO_INCREMENT, number varchar(20) NOT NULL UNIQUE, login varchar(100) NOT NULL UNIQUE, name varchar(200), mail varchar(200), status char(1) NOT NULL DEFAULT 'A');
CREATE TABLE crews (id integer PRIMARY KEY AUTO_INCREMENT, name varchar(50) UNIQUE);
CREATE TABLE members (account integer NOT NULL, crew integer NOT NULL, PRIMARY KEY (account, crew), FOREIGN KEY (account) REFERENCES accounts (id), FOREIGN KEY (crew) REFERENCES crews (id));
INSERT INTO crews (name) VALUES ('Sales'), ('Legal'), ('Finance'), ('Engineering')`

func applicationByTables(t *testing.T, m *mariadb.Server) string {
	t.Helper()
	return strings.NewReplacer("system: app", "system: shop", "app-db.example.com", fmt.Sprintf("%q\n  ca: %q", m.Address, m.CAFile), "database: app", "database: "+m.Database, "user: drawbridge", "user: "+m.User).
		Replace(sampleOf(t, filepath.Join("..", "..", "plugins", "sql", "README.md"), "## Writing"))
}

// everything is HR's tables and what follows them.
type everything struct {
	*stage.Stage
	hr   database
	ldap *openldap.Server
	app  *application
	shop *sql.DB
}

const treeBase = "dc=example,dc=org"

func departments() []string { return []string{"Sales", "Legal", "Finance", "Engineering"} }

func setEverything(t *testing.T) everything {
	t.Helper()
	s, d, _ := twoHRs(t, "samba")
	e := everything{Stage: s, hr: d, app: &application{scimmy.StartTest(t, scimmy.Options{})}}
	documents := map[string]string{"app.yaml": fmt.Sprintf(applicationBySCIM, e.app.URL), "corp-ldap.yaml": e.startLDAP(t)}
	m := mariadb.StartTest(t)
	var err error
	if e.shop, err = sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s?multiStatements=true", m.User, m.Password, m.Address, m.Database)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.shop.Close() })
	if _, err := e.shop.Exec(applicationTables); err != nil {
		t.Fatal(err)
	}
	documents["shop.yaml"] = applicationByTables(t, m)
	for name, document := range documents {
		if err := s.Apply(t.Context(), name, document); err != nil {
			t.Fatal(err)
		}
	}
	for _, secret := range [][3]string{{"corp-ldap", "password", e.ldap.Password}, {"app", "token", e.app.Token}, {"shop", "password", m.Password}} {
		if err := s.SetSecret(t.Context(), secret[0], secret[1], secret[2]); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// startLDAP starts OpenLDAP with a group for each department, makes the same
// groups in the application, and returns the document of the LDAP server: the
// sample of the connector's README.
func (e *everything) startLDAP(t *testing.T) string {
	t.Helper()
	tree, text := filepath.Join(t.TempDir(), "tree.ldif"), ""
	for _, ou := range []string{"people", "groups", "leavers"} {
		text += fmt.Sprintf("dn: ou=%[1]s,%[2]s\nobjectClass: organizationalUnit\nou: %[1]s\n\n", ou, treeBase)
	}
	for _, department := range departments() {
		text += fmt.Sprintf("dn: cn=%[1]s,ou=groups,%[2]s\nobjectClass: groupOfNames\ncn: %[1]s\nmember:\n\n", department, treeBase)
		e.app.post(t, "/Groups", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q}`, department))
	}
	text += "dn: cn=policy," + treeBase + "\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\n\n"
	if err := os.WriteFile(tree, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e.ldap = openldap.StartTest(t, openldap.Options{Base: treeBase, LDIF: tree, Database: openldap.Standard})
	return strings.NewReplacer(`["ldaps://ldap1.example.org", "ldaps://ldap2.example.org"]`, fmt.Sprintf("[%q]", e.ldap.LDAPS),
		"/etc/drawbridge/example-ca.pem", e.ldap.CAFile, "bind: uid=svc-drawbridge,ou=services,dc=example,dc=org", "bind: "+e.ldap.AdminDN, `['"Staff"']`, "[department]").
		Replace(sampleOf(t, filepath.Join("..", "..", "plugins", "ldap", "README.md"), "## A sample"))
}

// works checks that a worker has an account of the department in each system,
// and HR the address that the directory gave.
func (e everything) works(t *testing.T, id, department string) {
	t.Helper()
	entry := account(t, e.Stage, id)
	if entry == nil || !stage.Enabled(entry) || !slices.ContainsFunc(entry.GetAttributeValues("memberOf"), func(dn string) bool { return strings.HasPrefix(dn, "CN="+department+" staff,") }) {
		t.Errorf("in the directory %s is %v; want it enabled and in %s staff", id, entry, department)
		return
	}
	mail := entry.GetAttributeValue("mail")
	if o := ldapEntry(t, e.ldap, id); !strings.EqualFold(strings.Join(o.GetAttributeValues("memberOf"), ";"), "cn="+department+",ou=groups,"+treeBase) || o.GetAttributeValue("pwdAccountLockedTime") != "" {
		t.Errorf("in OpenLDAP %s is %v; want it in %s alone, and not locked", id, attributesOf(o), department)
	}
	if u := e.app.user(t, id); at(u, "groups.0.display") != department || at(u, "active") != "true" || at(u, "emails.0.value") != mail {
		t.Errorf("in the application by SCIM %s is %v; want it active, in %s, with the directory's address", id, u, department)
	}
	if got, want := e.row(t, id), "A "+mail+" "+department; got != want {
		t.Errorf("in the application's tables %s is %q; want %q", id, got, want)
	}
	if got := e.hr.email(id); got != mail || mail == "" {
		t.Errorf("HR has the address %q of %s; want %q, which the directory gave", got, id, mail)
	}
}

// left checks that a leaver is locked out and in no group anywhere.
func (e everything) left(t *testing.T, id string) {
	t.Helper()
	if o := account(t, e.Stage, id); o == nil || stage.Enabled(o) || len(o.GetAttributeValues("memberOf")) > 0 {
		t.Errorf("in the directory the leaver is %v; want it disabled and in no group", o)
	}
	if o := ldapEntry(t, e.ldap, id); o.GetAttributeValue("pwdAccountLockedTime") == "" || o.GetAttributeValue("memberOf") != "" {
		t.Errorf("in OpenLDAP the leaver is %v; want it locked and in no group", attributesOf(o))
	}
	if u := e.app.user(t, id); at(u, "active") != "false" || at(u, "groups.0.display") != "" {
		t.Errorf("in the application by SCIM the leaver is %v; want it inactive and in no group", u)
	}
	if got := e.row(t, id); !strings.HasPrefix(got, "L ") || !strings.HasSuffix(got, " ") {
		t.Errorf("in the application's tables the leaver is %q; want L and no crew", got)
	}
}

// row is the worker's account in the application's tables: status, address and crews.
func (e everything) row(t *testing.T, id string) (line string) {
	t.Helper()
	var n int
	err := e.shop.QueryRow(`SELECT count(DISTINCT a.id), coalesce(max(concat(status, ' ', coalesce(mail, ''))), ''), coalesce(group_concat(c.name), '')
		FROM accounts a LEFT JOIN members m ON m.account = a.id LEFT JOIN crews c ON c.id = m.crew WHERE a.number = ?`, id).Scan(&n, &line, new(string))
	if err != nil || n > 1 {
		t.Fatalf("%d accounts of %s, %v", n, id, err)
	}
	var crews string
	if err := e.shop.QueryRow("SELECT coalesce(group_concat(c.name), '') FROM accounts a JOIN members m ON m.account = a.id JOIN crews c ON c.id = m.crew WHERE a.number = ?", id).Scan(&crews); err != nil {
		t.Fatal(err)
	}
	return line + " " + crews
}

// HR's tables feed the directory, an LDAP server and two applications, one by
// SCIM and one by its tables, with groups by department in each; the address
// that the directory gave goes to the applications and back to HR. Hire,
// change, leave, come back. DRAWBRIDGE_E2E_WORKERS is how many workers there are.
func TestSources_databaseToEverywhere(t *testing.T) {
	e := setEverything(t)
	n := headcount(t, 80)
	e.hr.exec(fmt.Sprintf(`INSERT INTO people SELECT 'E' || i, 'Given' || i, 'Family' || i, 'w' || i || '@home.example', 'E1', '2020-01-01' FROM generate_series(1, %d) i`, n))
	e.hr.exec(`INSERT INTO assignments SELECT id, hired, NULL, 'Analyst', substr('SLFE', 1 + mod(substr(id, 2)::int, 4), 1) FROM people`)
	began := time.Now()
	look(t, e.Stage, "hr")
	t.Logf("%d workers are in four systems, and their addresses in HR, after %v", n, time.Since(began).Round(time.Second))
	last := fmt.Sprint("E", n)
	for id, department := range map[string]string{"E2": "Finance", "E3": "Engineering", last: departments()[n%4]} {
		e.works(t, id, department)
	}

	// A hire, a change of department from today, one from a day to come, and a leaver.
	e.hr.hire("H1", "Hedda", "Hire", "hedda@home.example", "L")
	e.hr.exec(`UPDATE assignments SET until = current_date - 1 WHERE person = 'E2'`)
	e.hr.exec(`INSERT INTO assignments VALUES ('E2', current_date, NULL, 'Lead', 'S'), ('E4', current_date + 40, NULL, 'Lead', 'L')`)
	e.hr.exec(`UPDATE people SET ended = current_date - 1 WHERE id = 'E3'`)
	was := account(t, e.Stage, "E3").GetAttributeValue("objectGUID")
	look(t, e.Stage, "hr")
	e.works(t, "H1", "Legal")
	e.works(t, "E2", "Sales")
	e.works(t, "E4", "Sales")
	e.left(t, "E3")

	// The leaver comes back to another department: the same accounts.
	e.hr.exec(`UPDATE people SET ended = NULL WHERE id = 'E3'`)
	e.hr.exec(`UPDATE assignments SET until = current_date - 1 WHERE person = 'E3'`)
	e.hr.exec(`INSERT INTO assignments VALUES ('E3', current_date, NULL, 'Analyst', 'F')`)
	look(t, e.Stage, "hr")
	e.works(t, "E3", "Finance")
	if now := account(t, e.Stage, "E3").GetAttributeValue("objectGUID"); now != was {
		t.Errorf("who comes back has the account %x; want the one of before, %x", now, was)
	}
	var accounts int
	if err := e.shop.QueryRow("SELECT count(*) FROM accounts").Scan(&accounts); err != nil || accounts != n+1 {
		t.Errorf("the application's table has %d accounts, %v; want %d", accounts, err, n+1)
	}
}
