package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Contractors and employees are of two HR systems; the directory tells of its
// addresses, which are written back to the one of the employees.
const twoSources = `system: contractors
site: hq
connector: csv
source:
  class: row
  key: id
  precedence: 20
  same_as: {emails.home: private_email}
  attributes:
    employeeNumber: id
    emails.home: private_email
    name.givenName: given
    name.familyName: family
    department: '"Contractors"'
    phoneNumbers.work: {value: phone, precedence: 5}
    startDate: date(starts)
    endDate: date(ends)
---
system: employees
site: hq
connector: sql
source:
  class: row
  key: id
  precedence: 10
  same_as: {emails.home: private_email}
  attributes:
    employeeNumber: id
    emails.home: private_email
    emails.work: {value: email, precedence: 200}
    name.givenName: given
    name.familyName: family
    department: department
    phoneNumbers.work: phone
    manager: boss
    startDate: date(starts)
    endDate: date(ends)
target:
  class: row
  attributes:
    email: emails.work
---
system: corp-ad
site: hq
connector: activedirectory
source:
  class: user
  people: join
  attributes:
    emails.work: mail
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=" + dn(department) + ",DC=corp,DC=example"'
  name: name.givenName + " " + name.familyName
  attributes:
    sAMAccountName: {value: 'firstUnique(lower(left(name.givenName, 1) + name.familyName))', apply: create}
    mail: {value: 'firstUnique(lower(name.givenName + "." + name.familyName) + "@corp.example")', apply: create}
    employeeID: employeeNumber
    department: department
    telephoneNumber: phoneNumbers.work
    manager: {person: manager}
`

// A company is a world with both sources.
type company struct {
	*rehearsal.World
	t testing.TB
}

func newCompany(t testing.TB) company {
	w := rehearsal.New(t)
	w.Apply(twoSources)
	return company{w, t}
}

// says gives a row of a source and takes it; its columns are pairs.
func (c company) says(system, id string, pairs ...string) {
	c.t.Helper()
	row := rehearsal.Object("row", id, system+" row "+id, append([]string{"id", id, "email", "", "starts", "2020-01-01", "ends", ""}, pairs...)...)
	row.Id = system + "/" + id
	c.Objects[row.Id] = row
	c.Read(system, proto.CloneOf(row))
}

var ada = []string{"given", "Ada", "family", "Lovelace", "private_email", "ada@home.example", "phone", "1"}

func (c company) ada(system, id string, pairs ...string) {
	c.says(system, id, slices.Concat(ada, pairs)...)
}

// accounts gives the objects of the directory, each as its address and the values of attributes.
func (c company) accounts(attributes ...string) (list []string) {
	for _, o := range c.Objects {
		if o.GetClass() != "user" {
			continue
		}
		line := []string{o.GetId(), o.GetAddress()}
		for _, a := range attributes {
			line = append(line, c.Value(o.GetAddress(), a))
		}
		list = append(list, strings.Join(line, " "))
	}
	slices.Sort(list)
	return list
}

func (c company) want(attributes []string, want ...string) {
	c.t.Helper()
	c.Settle()
	if diff := cmp.Diff(want, c.accounts(attributes...)); diff != "" {
		c.t.Errorf("accounts (-want +got):\n%s", diff)
	}
}

func (c company) people() (list []string) {
	c.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleAfter(rehearsal.Tenant, "", 1000)
		for _, r := range rows {
			list = append(list, r.Shown())
		}
		return err
	})
	slices.Sort(list)
	return list
}

func (c company) attribute(key, path string) string {
	var value string
	c.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleByKey(rehearsal.Tenant, []string{directory.Fold(key)})
		if err != nil || len(rows) != 1 {
			c.t.Fatalf("%d people with key %s, %v", len(rows), key, err)
		}
		a, err := directory.ParseAttributes(rows[0].Attributes)
		value = a.Text(path)
		return err
	})
	return value
}

func day(d int) string { return time.Now().AddDate(0, 0, d).UTC().Format(time.RFC3339) }

var ids = []string{"employeeID", "enabled"}

// A contractor who becomes an employee under a new number is one person and
// keeps the account, whichever system is heard of first.
func TestSources_contractorBecomesEmployee(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("contractors", "C77")
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Contractors,DC=corp,DC=example C77 true")
	c.ada("contractors", "C77", "ends", day(-1))
	c.ada("employees", "E5", "department", "Research", "starts", day(-1), "private_email", "ADA@home.example ")
	c.says("employees", "E6", "given", "Bert", "family", "Boss", "department", "Research", "boss", "c77")
	c.want([]string{"employeeID", "enabled", "manager"},
		"guid-0001 CN=Ada Lovelace,OU=Research,DC=corp,DC=example E5 true ",
		"guid-0002 CN=Bert Boss,OU=Research,DC=corp,DC=example E6 true guid-0001")
	if diff := cmp.Diff([]string{"E5", "E6"}, c.people()); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}

	c.says("employees", "E9", "given", "Cy", "family", "Young", "private_email", "cy@home.example", "department", "Research")
	c.says("contractors", "C9", "given", "Cy", "family", "Young", "private_email", "cy@home.example", "starts", "2019-01-01", "ends", "2019-06-01")
	c.Settle()
	if diff := cmp.Diff([]string{"E5", "E6", "E9"}, c.people()); diff != "" {
		t.Errorf("people after the other order (-want +got):\n%s", diff)
	}
}

// What the employment of now says counts until the next begins; the turn acts
// by itself, and nobody is locked out between two that touch.
func TestSources_theTurnOfEmployments(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	turn := time.Now().Add(4 * time.Second).Truncate(time.Second).Add(time.Second)
	c.ada("contractors", "C77", "ends", turn.UTC().Format(time.RFC3339))
	c.ada("employees", "E5", "department", "Research", "starts", turn.UTC().Format(time.RFC3339))
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Contractors,DC=corp,DC=example C77 true")
	time.Sleep(time.Until(turn) + 20*time.Millisecond)
	c.Write(func(tx *store.Tx) error { _, err := tx.RingAlarms(100); return err })
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Research,DC=corp,DC=example E5 true")
	for _, j := range jobs(t, c.World, store.JobFilter{}) {
		if strings.HasPrefix(j, "disable") {
			t.Error("the account was disabled between two employments that touch")
		}
	}
}

// To leave one source is not to leave; to leave the last one is.
func TestSources_leavingOneIsNotLeaving(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("contractors", "C77")
	c.ada("employees", "E5", "department", "Research")
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Research,DC=corp,DC=example E5 true")
	c.gone("employees", "employees/E5")
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Contractors,DC=corp,DC=example C77 true")
	c.gone("contractors", "contractors/C77")
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Contractors,DC=corp,DC=example C77 false")
	if got := c.attribute("C77", "name.givenName"); got != "Ada" {
		t.Errorf("of a leaver %q is known; want Ada", got)
	}
}

func (c company) gone(system, id string) {
	c.Write(func(tx *store.Tx) error { return c.Intake.Gone(tx, rehearsal.Tenant, system, []string{id}) })
}

// The lowest precedence counts, of an attribute before that of the source.
func TestSources_precedence(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("contractors", "C77", "phone", "77")
	c.ada("employees", "E5", "department", "Research", "phone", "5")
	c.Settle()
	if got := c.attribute("E5", "department") + " " + c.attribute("E5", "phoneNumbers.work"); got != "Research 77" {
		t.Errorf("department and phone are %q; want that of the employee, and the contractor's phone", got)
	}
}

// Where two people are known by the value nobody is picked; it is said who they
// are, and tried again with the next read.
func TestSources_ambiguous(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("contractors", "C1")
	c.says("contractors", "C2", "given", "Ada", "family", "Byron", "private_email", "other@home.example")
	c.Settle()
	c.says("contractors", "C2", "given", "Ada", "family", "Byron", "private_email", "ada@home.example")
	c.ada("employees", "E5", "department", "Research")
	c.Settle()
	if diff := cmp.Diff([]string{"C1", "C2"}, c.people()); diff != "" {
		t.Fatalf("people (-want +got):\n%s", diff)
	}
	reasons := func() (list []string) {
		c.Write(func(tx *store.Tx) error {
			rows, err := tx.Rejects(rehearsal.Tenant, "employees", 10)
			for _, r := range rows {
				list = append(list, r.Reason)
			}
			return err
		})
		return list
	}
	if got := reasons(); len(got) != 1 || !strings.Contains(got[0], "C1 Ada Lovelace, C2 Ada Byron") {
		t.Errorf("set aside: %q; want who they may be", got)
	}
	c.says("contractors", "C2", "given", "Ada", "family", "Byron", "private_email", "byron@home.example")
	c.EndRead("employees")
	c.Settle()
	if diff := cmp.Diff([]string{"C2", "E5"}, c.people()); diff != "" {
		t.Errorf("people once it is told apart (-want +got):\n%s", diff)
	}
	if got := reasons(); len(got) != 0 {
		t.Errorf("still set aside: %q", got)
	}
}

// A source that only adds makes nobody and employs nobody; what it says waits
// until its person is there.
func TestSources_joinOnly(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.Apply(`system: phones
site: hq
connector: csv
source:
  class: row
  people: join
  same_as: {emails.home: owner}
  attributes:
    phoneNumbers.mobile: number
`)
	c.says("phones", "p1", "owner", "ada@home.example", "number", "0170 1")
	c.Settle()
	if got := c.people(); len(got) != 0 {
		t.Fatalf("the telephones made %q", got)
	}
	c.ada("employees", "E5", "department", "Research")
	c.Settle()
	if got := c.attribute("E5", "phoneNumbers.mobile"); got != "0170 1" {
		t.Errorf("the number that waited is %q; want 0170 1", got)
	}
	c.says("phones", "p1", "owner", "ada@home.example", "number", "0170 2")
	c.Settle()
	if got := c.attribute("E5", "phoneNumbers.mobile"); got != "0170 2" {
		t.Errorf("the number is %q; want 0170 2", got)
	}
	c.gone("employees", "employees/E5")
	c.want(ids, "guid-0001 CN=Ada Lovelace,OU=Research,DC=corp,DC=example E5 false")
}

// The address that the directory got is written back to HR, once; nothing else
// is ever done to the row.
func TestWriteBack(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ada("employees", "E5", "department", "Research")
	email := func() string {
		for _, a := range c.Objects["employees/E5"].GetAttributes() {
			if a.GetName() == "email" {
				return strings.Join(a.GetValues(), ",")
			}
		}
		return ""
	}
	c.Settle()
	if got := email(); got != "ada.lovelace@corp.example" {
		t.Fatalf("HR has the address %q", got)
	}
	written := []string{"create done", "modify done"}
	if got := jobs(t, c.World, store.JobFilter{}); !slices.Equal(got, written) {
		t.Errorf("jobs: %q; want %q", got, written)
	}
	c.Read("employees", proto.CloneOf(c.Objects["employees/E5"])) // its own echo
	if n := c.Settle(); n != 0 {
		t.Errorf("the echo of what was written led to %d operations", n)
	}

	c.ada("employees", "E5", "department", "Research", "email", "typed@by.hand")
	c.Settle()
	if got := email(); got != "ada.lovelace@corp.example" {
		t.Errorf("after somebody overwrote it HR has %q", got)
	}
	c.ada("employees", "E5", "department", "Research", "email", "ada.lovelace@corp.example", "ends", day(-1))
	c.Settle()
	if o := c.Objects["employees/E5"]; o == nil {
		t.Error("the row of a leaver was deleted")
	}
	for _, j := range jobs(t, c.World, store.JobFilter{System: "employees"}) {
		if j != "modify done" {
			t.Errorf("the row of HR got the job %q", j)
		}
	}
}

// An account that was there before tells of its person as soon as it is theirs.
func TestWriteBack_fromJoinedAccount(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	o := rehearsal.Object("user", "old-1", "CN=Ada L,CN=Users,DC=corp,DC=example", "employeeID", "E5", "mail", "al@corp.example", "sAMAccountName", "al", "cn", "Ada L", "enabled", "true")
	c.Objects["old-1"] = o
	c.Read("corp-ad", proto.CloneOf(o))
	c.ada("employees", "E5", "department", "Research")
	c.Settle()
	var got []string
	for _, a := range c.Objects["employees/E5"].GetAttributes() {
		if a.GetName() == "email" {
			got = a.GetValues()
		}
	}
	if !slices.Equal(got, []string{"al@corp.example"}) {
		t.Errorf("HR has the address %q; want that of the account that was there", got)
	}
}
