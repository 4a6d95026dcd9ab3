package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

// The employees' HR: people, their dated assignments, and departments.
const hrTables = `
CREATE TABLE departments (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (id text PRIMARY KEY, given text, family text, private_email text, manager text, hired date, ended date, email text);
CREATE TABLE assignments (person text REFERENCES people, since date, until date, title text, department text REFERENCES departments);
INSERT INTO departments VALUES ('S', 'Sales'), ('L', 'Legal'), ('F', 'Finance'), ('E', 'Engineering');
`

const hrDatabase = `system: hr
site: hq
connector: sql
settings:
  kind: postgresql
  server: %q
  database: postgres
  user: %q
  ca: %q
  time_zone: UTC
  classes:
    worker:
      query: >-
        SELECT p.*, a.since, a.until, a.title, d.name AS department
        FROM people p JOIN assignments a ON a.person = p.id JOIN departments d ON d.code = a.department
      key: id
      effective: {from: since, to: until, ended: true}
source:
  class: worker
  key: id
  precedence: 10
  same_as: {emails.home: private_email}
  attributes:
    employeeNumber: id
    emails.home: private_email
    name.givenName: given
    name.familyName: family
    displayName: join(" ", given, family)
    title: title
    department: department
    manager: manager
    startDate: date(hired)
    endDate: dateEnd(ended)
`

const contractors = `system: contractors
site: hq
connector: csv
settings: {path: %q, key: number}
source:
  class: row
  key: number
  precedence: 20
  same_as: {emails.home: private_email}
  attributes:
    employeeNumber: number
    emails.home: private_email
    name.givenName: given
    name.familyName: family
    displayName: join(" ", given, family)
    department: department
    startDate: date(starts)
    endDate: dateEnd(ends)
`

// The directory tells of the addresses that it gave.
const tellsOfMail = `source:
  class: user
  people: join
  attributes:
    emails.work: mail
target:
`

// A database is the employees' HR.
type database struct {
	*postgres.Server
	t *testing.T
}

func (d database) exec(statement string, args ...any) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.URL("postgres"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(d.t.Context()))
	if _, err := conn.Exec(d.t.Context(), statement, args...); err != nil {
		d.t.Fatal(err)
	}
}

func (d database) hire(id, given, family, home, department string) {
	d.t.Helper()
	d.exec("INSERT INTO people VALUES ($1, $2, $3, $4, NULL, '2020-01-01')", id, given, family, home)
	d.exec("INSERT INTO assignments VALUES ($1, '2020-01-01', NULL, 'Analyst', $2)", id, department)
}

// look reads systems and waits until everything that follows is done.
func look(t *testing.T, s *stage.Stage, systems ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	since := time.Now()
	for _, system := range systems {
		if out, err := s.CLI(ctx, "run", system); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := s.Settle(ctx, since); err != nil {
		t.Fatal(err)
	}
}

// twoHRs sets a stage with the employees' database, the contractors' file, and the directory.
func twoHRs(t *testing.T) (*stage.Stage, database, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	d := database{postgres.StartTest(t), t}
	d.exec(hrTables)
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "hr", "contractors.csv")
	write(t, file)
	_, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"corp-ad.yaml": strings.Replace(ad, "target:\n", tellsOfMail, 1), "contractors.yaml": fmt.Sprintf(contractors, file),
		"hr.yaml": fmt.Sprintf(hrDatabase, d.Address, d.User, d.CAFile),
	} {
		if err := s.Apply(t.Context(), name, text); err != nil {
			t.Fatal(err)
		}
	}
	for system, password := range map[string]string{stage.AD: s.Domain.Password, "hr": d.Password} {
		if err := s.SetSecret(t.Context(), system, "password", password); err != nil {
			t.Fatal(err)
		}
	}
	return s, d, file
}

func write(t *testing.T, file string, rows ...string) {
	t.Helper()
	text := "number,given,family,private_email,department,starts,ends\n" + strings.Join(rows, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A contractor of one HR system becomes an employee of another, under another
// number: one person, one account, the same one.
func TestSources_contractorBecomesEmployee(t *testing.T) {
	s, d, file := twoHRs(t)
	write(t, file, "C77,Ada,Lovelace,ada@home.example,Sales,2020-01-01,")
	d.hire("E1", "Bert", "Boss", "bert@home.example", "L")
	look(t, s, "contractors", "hr")
	before := account(t, s, "C77")
	if before == nil || !stage.Enabled(before) {
		t.Fatalf("the contractor's account is %v; want it enabled", before)
	}
	d.hire("E5", "Ada", "Lovelace", "Ada@home.example", "L")
	write(t, file, "C77,Ada,Lovelace,ada@home.example,Sales,2020-01-01,"+time.Now().AddDate(0, 0, -1).Format(time.DateOnly))
	look(t, s, "contractors", "hr")
	after := account(t, s, "E5")
	if after == nil || !stage.Enabled(after) || after.GetAttributeValue("objectGUID") != before.GetAttributeValue("objectGUID") ||
		after.GetAttributeValue("department") != "Legal" || after.GetAttributeValue("mail") != "ada.lovelace@corp.example" {
		t.Errorf("the employee's account is %v; want that of before, enabled, of Legal", after)
	}
	if o := account(t, s, "C77"); o != nil {
		t.Errorf("the contractor's number still has the account %s", o.DN)
	}
	out, err := s.CLI(t.Context(), "person", "list")
	if err != nil || strings.Count(string(out), "Ada Lovelace") != 1 || !strings.Contains(string(out), "E5") {
		t.Errorf("people, %v:\n%s\nwant Ada once, as E5", err, out)
	}
	out, err = s.CLI(t.Context(), "person", "show", "c77")
	if err != nil || !strings.Contains(string(out), "E5") || !strings.Contains(string(out), "not taken") {
		t.Errorf("person show c77, %v:\n%s\nwant the person, with what was not taken", err, out)
	}
}

// HR's tables feed the directory, an LDAP server and an application, with
// groups by department in each, and the address that the directory gave in the
// application: hire, change, leave, come back.
func TestSources_databaseToEverywhere(t *testing.T) {
	s, d, _ := twoHRs(t)
	n := 100
	if text := os.Getenv("DRAWBRIDGE_E2E_WORKERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const base = "dc=example,dc=org"
	departments := []string{"Sales", "Legal", "Finance", "Engineering"}
	tree := filepath.Join(t.TempDir(), "tree.ldif")
	text := ""
	for _, ou := range []string{"people", "groups", "leavers"} {
		text += fmt.Sprintf("dn: ou=%[1]s,%[2]s\nobjectClass: organizationalUnit\nou: %[1]s\n\n", ou, base)
	}
	app := &application{scimmy.StartTest(t, scimmy.Options{})}
	for _, department := range departments {
		text += fmt.Sprintf("dn: cn=%[1]s,ou=groups,%[2]s\nobjectClass: groupOfNames\ncn: %[1]s\nmember:\n\n", department, base)
		app.post(t, "/Groups", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q}`, department))
	}
	text += "dn: cn=policy," + base + "\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\n\n"
	if err := os.WriteFile(tree, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := openldap.StartTest(t, openldap.Options{Base: base, LDIF: tree, Database: openldap.Standard})
	openLDAP := strings.NewReplacer(`["ldaps://ldap1.example.org", "ldaps://ldap2.example.org"]`, fmt.Sprintf("[%q]", o.LDAPS),
		"/etc/drawbridge/example-ca.pem", o.CAFile, "bind: uid=svc-drawbridge,ou=services,dc=example,dc=org", "bind: "+o.AdminDN, `['"Staff"']`, "[department]").
		Replace(sampleOf(t, filepath.Join("..", "..", "plugins", "ldap", "README.md")))
	scim := fmt.Sprintf(`system: app
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
`, app.URL)
	for name, document := range map[string]string{"corp-ldap.yaml": openLDAP, "app.yaml": scim} {
		if err := s.Apply(t.Context(), name, document); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetSecret(t.Context(), "corp-ldap", "password", o.Password); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSecret(t.Context(), "app", "token", app.Token); err != nil {
		t.Fatal(err)
	}
	d.exec(fmt.Sprintf(`INSERT INTO people SELECT 'E' || i, 'Given' || i, 'Family' || i, 'w' || i || '@home.example', 'E1', '2020-01-01' FROM generate_series(1, %d) i`, n))
	d.exec(`INSERT INTO assignments SELECT id, hired, NULL, 'Analyst', substr('SLFE', 1 + mod(substr(id, 2)::int, 4), 1) FROM people`)
	began := time.Now()
	look(t, s, "hr")
	t.Logf("%d workers are in three systems after %v", n, time.Since(began).Round(time.Second))

	// E2 is of Finance, E3 of Engineering.
	everywhere := func(id, department string) {
		t.Helper()
		if e := account(t, s, id); e == nil || !stage.Enabled(e) || !slices.ContainsFunc(e.GetAttributeValues("memberOf"), func(dn string) bool { return strings.HasPrefix(dn, "CN="+department+" staff,") }) {
			t.Errorf("in the directory %s is %v; want it enabled and in %s staff", id, e, department)
		}
		if e := ldapEntry(t, o, id); !strings.EqualFold(strings.Join(e.GetAttributeValues("memberOf"), ";"), "cn="+department+",ou=groups,"+base) {
			t.Errorf("in OpenLDAP %s is in %q; want %s alone", id, e.GetAttributeValues("memberOf"), department)
		}
		if u := app.user(t, id); at(u, "groups.0.display") != department || at(u, "active") != "true" || at(u, "emails.0.value") != account(t, s, id).GetAttributeValue("mail") {
			t.Errorf("in the application %s is %v; want it active, in %s, with the directory's address", id, u, department)
		}
	}
	for id, department := range map[string]string{"E2": "Finance", "E3": "Engineering", fmt.Sprint("E", n): departments[n%4]} {
		everywhere(id, department)
	}

	d.exec(`UPDATE assignments SET until = current_date - 1 WHERE person = 'E2'`)
	d.exec(`INSERT INTO assignments VALUES ('E2', current_date, NULL, 'Lead', 'S')`)
	d.exec(`UPDATE people SET ended = current_date - 1 WHERE id = 'E3'`)
	look(t, s, "hr")
	everywhere("E2", "Sales")
	if e := account(t, s, "E3"); e == nil || stage.Enabled(e) || len(e.GetAttributeValues("memberOf")) > 0 {
		t.Errorf("in the directory the leaver is %v; want it disabled and in no group", e)
	}
	if e := ldapEntry(t, o, "E3"); e.GetAttributeValue("pwdAccountLockedTime") == "" || e.GetAttributeValue("memberOf") != "" {
		t.Errorf("in OpenLDAP the leaver is %v; want it locked and in no group", attributesOf(e))
	}
	if u := app.user(t, "E3"); at(u, "active") != "false" || at(u, "groups.0.display") != "" {
		t.Errorf("in the application the leaver is %v; want it inactive and in no group", u)
	}

	d.exec(`UPDATE people SET ended = NULL WHERE id = 'E3'`)
	look(t, s, "hr")
	everywhere("E3", "Engineering")
}
