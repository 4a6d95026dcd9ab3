package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// A model is what the directory must hold in the end: one account for each
// worker that was ever hired, as the sample mapping says.
type model struct {
	file *stage.File
	rnd  *rand.Rand
	next int // number of the next worker to be hired
}

// hire adds workers.
func (m *model) hire(n int) {
	for range n {
		m.file.Put(workers.At(m.next))
		m.next++
	}
}

// live changes what an ordinary day changes: some are hired, promoted, moved,
// leave, and come back. The head of the company stays.
func (m *model) live() {
	m.hire(1 + m.rnd.IntN(6))
	for range 2 + m.rnd.IntN(12) {
		w := m.anybody()
		w.Title = "Title " + strconv.Itoa(m.rnd.IntN(1000))
		m.file.Put(w)
	}
	for range m.rnd.IntN(3) {
		w := m.anybody()
		departments := workers.Departments()
		w.Department = departments[m.rnd.IntN(len(departments))]
		m.file.Put(w)
	}
	for range m.rnd.IntN(3) {
		w := m.anybody()
		if w.Status == "A" {
			w.Status, w.TermDate = "T", time.Now().AddDate(0, 0, -3).Format(time.DateOnly)
		} else {
			w.Status, w.TermDate = "A", ""
		}
		m.file.Put(w)
	}
}

func (m *model) anybody() workers.Worker {
	return m.file.Get(workers.ID(1 + m.rnd.IntN(m.next-1)))
}

// meddle changes titles in the directory past Drawbridge, as people do.
func (m *model) meddle(d stage.Domain, n int) error {
	conn, err := d.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	entries, err := d.People("title")
	if err != nil {
		return err
	}
	for range min(n, len(entries)) {
		change := ldap.NewModifyRequest(entries[m.rnd.IntN(len(entries))].DN, nil)
		change.Replace("title", []string{"Changed by hand"})
		if err := conn.Modify(change); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
			return err // one that has moved meanwhile stays as it is
		}
	}
	return nil
}

// A finding is one way in which the directory is not what the model says.
type finding struct{ kind, text string } // kind: lost, doubled or wrong

// compare looks at every account.
func (m *model) compare(d stage.Domain) ([]finding, error) {
	entries, err := d.People("employeeID", "title", "department", "userAccountControl", "sAMAccountName", "manager")
	if err != nil {
		return nil, err
	}
	var found []finding
	complain := func(kind, format string, args ...any) {
		found = append(found, finding{kind, fmt.Sprintf(format, args...)})
	}
	accounts, names := map[string][]*ldap.Entry{}, map[string]string{}
	for _, e := range entries {
		id := e.GetAttributeValue("employeeID")
		accounts[id] = append(accounts[id], e)
		if sam := strings.ToLower(e.GetAttributeValue("sAMAccountName")); names[sam] != "" {
			complain("wrong", "%s and %s are both called %s", id, names[sam], sam)
		} else {
			names[sam] = id
		}
	}
	for _, w := range m.file.List() {
		list := accounts[w.EmployeeID]
		delete(accounts, w.EmployeeID)
		switch {
		case len(list) == 0 && w.Status == "T":
			// hired and gone before anybody looked: an account was never wanted
		case len(list) == 0:
			complain("lost", "%s has no account", w.EmployeeID)
		case len(list) > 1:
			complain("doubled", "%s has %d accounts: %s", w.EmployeeID, len(list), list[0].DN)
		default:
			for _, text := range differences(w, list[0], d.Base) {
				complain("wrong", "%s: %s", w.EmployeeID, text)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		complain("wrong", "%s has an account and is nobody", cmp.Or(id, "?"))
	}
	return found, nil
}

// differences are those of one account from what its worker should have.
func differences(w workers.Worker, e *ldap.Entry, base string) []string {
	var out []string
	_, where, _ := strings.Cut(e.DN, ",OU=")
	if w.Status == "T" {
		if stage.Enabled(e) {
			out = append(out, "has left, and the account is enabled")
		}
		if !strings.HasPrefix(strings.ToLower(where), "leavers,") {
			out = append(out, "has left, and the account is at "+e.DN)
		}
		return out
	}
	if !stage.Enabled(e) {
		out = append(out, "the account is disabled")
	}
	if want := w.Department + ",OU=Staff," + base; !strings.EqualFold(where, want) {
		out = append(out, fmt.Sprintf("is in OU=%s, not in OU=%s", where, want))
	}
	for attribute, want := range map[string]string{"title": w.Title, "department": w.Department} {
		if got := e.GetAttributeValue(attribute); got != want {
			out = append(out, fmt.Sprintf("%s is %q, not %q", attribute, got, want))
		}
	}
	return out
}
