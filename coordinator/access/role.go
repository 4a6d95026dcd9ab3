package access

import (
	"fmt"
	"slices"
	"strings"
)

// A Role is what somebody is trusted with.
type Role string

// The roles. Each of the first four has what those before it have; an auditor
// sees what a viewer sees, and the audit.
const (
	Viewer        Role = "viewer"        // sees everything but the audit
	HelpDesk      Role = "helpdesk"      // acts for one person at a time: preview, retry, hand over a password
	Operator      Role = "operator"      // approves, pauses, runs
	Administrator Role = "administrator" // configures, enrols, gives access
	Auditor       Role = "auditor"       // reads and exports the audit
)

var roles = [...]Role{Viewer, Auditor, HelpDesk, Operator, Administrator}

// Roles gives all roles, the least first.
func Roles() []Role { return slices.Clone(roles[:]) }

var ladder = [...]Role{Viewer, HelpDesk, Operator, Administrator}

// includes tells whether who has r may do what least may.
func (r Role) includes(least Role) bool {
	if r == least {
		return true
	}
	if r == Auditor {
		return least == Viewer
	}
	if least == Auditor {
		return r == Administrator
	}
	have, want := slices.Index(ladder[:], r), slices.Index(ladder[:], least)
	return want >= 0 && have > want
}

// ParseRoles reads roles with commas between them; there must be one, and only roles that there are.
func ParseRoles(text string) ([]Role, error) {
	var list []Role
	for _, name := range strings.Split(text, ",") {
		r := Role(strings.TrimSpace(name))
		if !slices.Contains(roles[:], r) {
			return nil, fmt.Errorf("there is no role %q: use %s", r, joined(roles[:]))
		}
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list, nil
}

func joined(list []Role) string { return strings.Join(namesOf(list), ",") }

func namesOf(list []Role) []string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = string(r)
	}
	return names
}

// rolesOf reads what the store has; a role that there is no more is nobody's.
func rolesOf(text string) (list []Role) {
	for _, name := range strings.Split(text, ",") {
		if r := Role(name); slices.Contains(roles[:], r) {
			list = append(list, r)
		}
	}
	return list
}
