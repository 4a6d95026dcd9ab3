package stage

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"

	"github.com/go-ldap/ldap/v3"
)

// Dial opens an LDAP connection to the domain as its administrator, past
// Drawbridge: to look at what it did, and to do what other people do.
func (d Domain) Dial() (*ldap.Conn, error) {
	pem, err := os.ReadFile(d.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := ldap.DialURL(d.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool}))
	if err != nil {
		return nil, err
	}
	if err := conn.Bind(d.Bind, d.Password); err != nil {
		conn.Close()
		return nil, fmt.Errorf("bind to %s: %w", d.LDAPS, err)
	}
	return conn, nil
}

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
