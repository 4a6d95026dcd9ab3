package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

// The employees' HR: people, their dated assignments, and departments.
const hrTables = `
CREATE TABLE departments (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (id text PRIMARY KEY, given text, family text, private_email text, manager text, hired date, ended date, email text, updated timestamptz DEFAULT clock_timestamp());
CREATE TABLE assignments (person text REFERENCES people, since date, until date, title text, department text REFERENCES departments, updated timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated = clock_timestamp(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE UPDATE ON assignments FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO departments VALUES ('S', 'Sales'), ('L', 'Legal'), ('F', 'Finance'), ('E', 'Engineering');
`

// hrDatabase is the sample of the sql connector's README, for a server.
func hrDatabase(t *testing.T, d *postgres.Server) string {
	return strings.NewReplacer("hr-db.example.com", fmt.Sprintf("%q\n  ca: %q", d.Address, d.CAFile), "database: hr", "database: postgres", "user: drawbridge", fmt.Sprintf("user: %q", d.User),
		"Europe/Berlin", "UTC").Replace(sampleOf(t, filepath.Join("..", "..", "plugins", "sql", "README.md"), "## A sample"))
}

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

// email is what HR has as the address that the directory gave.
func (d database) email(id string) (mail string) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.URL("postgres"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(d.t.Context()))
	if err := conn.QueryRow(d.t.Context(), "SELECT coalesce(email, '') FROM people WHERE id = $1", id).Scan(&mail); err != nil {
		d.t.Fatal(err)
	}
	return mail
}

func (d database) hire(id, given, family, home, department string) {
	d.t.Helper()
	d.exec("INSERT INTO people VALUES ($1, $2, $3, $4, NULL, '2020-01-01')", id, given, family, home)
	d.exec("INSERT INTO assignments VALUES ($1, '2020-01-01', NULL, 'Analyst', $2)", id, department)
}

// headcount is how many workers DRAWBRIDGE_E2E_WORKERS asks for, or usual.
func headcount(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("DRAWBRIDGE_E2E_WORKERS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// patience is how long everything that follows a read may take.
func patience(t *testing.T) time.Duration {
	return 4*time.Minute + time.Duration(headcount(t, 0))*time.Second/4
}

// look reads systems and waits until everything that follows is done.
func look(t *testing.T, s *stage.Stage, systems ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience(t))
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

// twoHRs sets a stage with the employees' database, the contractors' file, and
// the directory: the double, or samba.
func twoHRs(t *testing.T, domain string) (*stage.Stage, database, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	if domain == "samba" {
		needSamba(t)
	}
	d := database{postgres.StartTest(t), t}
	d.exec(hrTables)
	s := set(t, domain)
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
		"hr.yaml": hrDatabase(t, d.Server),
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
	s, d, file := twoHRs(t, "double")
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
	if mail := d.email("E5"); mail != "ada.lovelace@corp.example" {
		t.Errorf("HR has the address %q of the employee; want the one of the account", mail)
	}
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
