package stage

import (
	"strconv"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/seed"
)

// A Domain is the directory that is written to. Its Dial connects as the
// administrator, past Drawbridge: to look at what it did, and to do what other
// people do.
type Domain struct{ seed.Address }

// People returns the entries of all users that have an employeeID.
func (d Domain) People(attributes ...string) ([]*ldap.Entry, error) {
	return d.Search("(&(objectClass=user)(employeeID=*))", attributes...)
}

// Search returns the entries below the base that match the filter.
func (d Domain) Search(filter string, attributes ...string) ([]*ldap.Entry, error) {
	conn, err := d.Dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(d.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		filter, attributes, nil), 1000)
	if err != nil {
		return nil, err
	}
	return found.Entries, nil
}

// Enabled tells whether the account of the entry may be used.
func Enabled(e *ldap.Entry) bool {
	flags, err := strconv.Atoi(e.GetAttributeValue("userAccountControl"))
	return err == nil && flags&2 == 0
}
