// Package suite holds the behaviours of an Active Directory domain controller
// that provisioning leans on, each as one test with raw go-ldap. It runs
// against the double and against Samba alike: what the double answers is what
// a real domain controller answers, or the suite fails.
//
// Each behaviour ends in a short text of what was seen, "0" for success or
// "68 00000524" for a result code with the diagnostic code of its message, and
// that text is compared. Where the double plays Windows and Windows differs
// from Samba, the behaviour says so.
package suite

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

// A Target is the server under test.
type Target struct {
	LDAPS, LDAP   string
	CA            *x509.CertPool
	BaseDN        string
	AdminDN       string
	AdminUPN      string
	AdminPassword string
	NetBIOS       string
	Windows       bool // expects what Windows answers where it differs from Samba
}

// A behaviour is one thing a domain controller does.
type behaviour struct {
	name    string
	want    string
	windows string // "" means as want
	do      func(e *env) string
}

// Run tests every behaviour, each in an OU of its own.
func Run(t *testing.T, target Target) {
	t.Helper()
	for _, b := range slices.Concat(binds, adds, modifies, moves, searches, links, deltas, schemas) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			want := b.want
			if target.Windows && b.windows != "" {
				want = b.windows
			}
			if got := b.do(newEnv(t, target)); got != want {
				t.Errorf("%s: got %q; want %q", b.name, got, want)
			}
		})
	}
}

// An env is what one behaviour works with.
type env struct {
	t    *testing.T
	to   Target
	conn *ldap.Conn // bound as administrator over TLS
	ou   string     // its own container
	mark string     // unique; part of every name that must be unique in the domain
}

var serial atomic.Int64

func newEnv(t *testing.T, to Target) *env {
	e := &env{t: t, to: to, mark: "s" + strconv.FormatInt(serial.Add(1), 36)}
	e.conn = e.dial(to.LDAPS)
	e.must(e.conn.Bind(to.AdminDN, to.AdminPassword))
	e.ou = "OU=" + e.mark + "," + to.BaseDN
	e.must(e.add(e.ou, "organizationalUnit", nil))
	return e
}

func (e *env) dial(url string) *ldap.Conn {
	e.t.Helper()
	conn, err := ldap.DialURL(url, ldap.DialWithTLSConfig(&tls.Config{RootCAs: e.to.CA}))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

var diagnostic = regexp.MustCompile(`^[0-9A-Fa-f]{8}`)

// result writes an error as the suite compares it.
func result(err error) string {
	if err == nil {
		return "0"
	}
	var le *ldap.Error
	if !errors.As(err, &le) {
		return err.Error()
	}
	if code := diagnostic.FindString(le.Err.Error()); code != "" {
		return fmt.Sprintf("%d %s", le.ResultCode, strings.ToUpper(code))
	}
	return strconv.Itoa(int(le.ResultCode))
}

// code writes only the result code, where the diagnostics are not of one mind.
func code(err error) string {
	c, _, _ := strings.Cut(result(err), " ")
	return c
}

type attrs map[string][]string

var chains = map[string][]string{
	"user":               {"top", "person", "organizationalPerson", "user"},
	"group":              {"top", "group"},
	"organizationalUnit": {"top", "organizationalUnit"},
}

func (e *env) add(dn, class string, a attrs) error {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", chains[class])
	for name, vals := range a {
		req.Attribute(name, vals)
	}
	return e.conn.Add(req)
}

// user makes a disabled user CN=<name> in the behaviour's OU and returns its DN.
func (e *env) user(name string, a attrs) string {
	e.t.Helper()
	dn := "CN=" + name + "," + e.ou
	all := attrs{"sAMAccountName": {e.sam(name)}, "userAccountControl": {"514"}}
	for k, v := range a {
		all[k] = v
	}
	e.must(e.add(dn, "user", all))
	return dn
}

// sam is a logon name unique in the domain.
func (e *env) sam(name string) string {
	name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
	return (e.mark + name)[:min(20, len(e.mark+name))]
}

func (e *env) group(name string, members ...string) string {
	e.t.Helper()
	dn := "CN=" + name + "," + e.ou
	a := attrs{"sAMAccountName": {e.sam(name)}}
	if len(members) > 0 {
		a["member"] = members
	}
	e.must(e.add(dn, "group", a))
	return dn
}

func (e *env) modify(dn string, change func(*ldap.ModifyRequest), controls ...ldap.Control) error {
	req := ldap.NewModifyRequest(dn, controls)
	change(req)
	return e.conn.Modify(req)
}

// get reads one entry; nil means there is none.
func (e *env) get(dn string, names ...string) *ldap.Entry {
	e.t.Helper()
	res, err := e.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", names, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	e.must(err)
	return res.Entries[0]
}

// value is the first value of an attribute, or "".
func (e *env) value(dn, name string) string {
	e.t.Helper()
	if entry := e.get(dn, name); entry != nil {
		return entry.GetAttributeValue(name)
	}
	return "no entry"
}

// find lists the RDN values below the OU that a filter finds, in order.
func (e *env) find(filter string, controls ...ldap.Control) string {
	e.t.Helper()
	res, err := e.conn.Search(ldap.NewSearchRequest(e.ou, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"name"}, controls))
	if err != nil {
		return result(err)
	}
	var names []string
	for _, en := range res.Entries {
		names = append(names, en.GetAttributeValue("name"))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// quoted is the form of unicodePwd.
func quoted(pw string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(`"` + pw + `"`)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// permissive is the control that makes membership changes idempotent.
var permissive = ldap.NewControlString("1.2.840.113556.1.4.1413", true, "")
