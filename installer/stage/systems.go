package stage

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// Documents gives the two sample documents of coordinator/mapping, which are
// its reference, with this stage's addresses in them.
func (s *Stage) Documents() (hr, ad string, err error) {
	_, here, _, _ := runtime.Caller(0)
	samples := filepath.Join(filepath.Dir(here), "..", "..", "coordinator", "mapping", "testdata")
	adapt := strings.NewReplacer(
		"/srv/hr/workers.csv", s.path("hr", "workers.csv"),
		`["ldaps://dc1.corp.example"]`, fmt.Sprintf("[%q]\n  ca: %q", s.Directory, s.Domain.CA),
		"bind: svc-drawbridge@corp.example", fmt.Sprintf("bind: %q", s.Domain.Bind),
		"DC=corp,DC=example", s.Domain.Base,
	)
	texts := make([]string, 2)
	for i, name := range []string{"hr.yaml", "corp-ad.yaml"} {
		text, err := os.ReadFile(filepath.Join(samples, name))
		if err != nil {
			return "", "", err
		}
		texts[i] = adapt.Replace(string(text))
	}
	return texts[0], texts[1], nil
}

// Configure applies both sample documents and gives the agent the password of
// the bind account, as an admin would.
func (s *Stage) Configure(ctx context.Context) error {
	hr, ad, err := s.Documents()
	if err != nil {
		return err
	}
	if err := s.Apply(ctx, "corp-ad.yaml", ad); err != nil {
		return err
	}
	if err := s.Apply(ctx, "hr.yaml", hr); err != nil {
		return err
	}
	return s.SetSecret(ctx, AD, "password", s.Domain.Password)
}

// Furnish makes in the domain what a company has before Drawbridge comes: the
// upper organizational units and the groups that the sample mapping names.
func (s *Stage) Furnish() error {
	conn, err := s.Domain.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, ou := range []string{"Staff", "Leavers", "Groups"} {
		add := ldap.NewAddRequest("OU="+ou+","+s.Domain.Base, nil)
		add.Attribute("objectClass", []string{"top", "organizationalUnit"})
		if err := conn.Add(add); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
			return fmt.Errorf("make OU %s: %w", ou, err)
		}
	}
	groups := []string{"Staff"}
	for _, department := range workers.Departments() {
		groups = append(groups, department+" staff")
	}
	for _, group := range groups {
		add := ldap.NewAddRequest("CN="+group+",OU=Groups,"+s.Domain.Base, nil)
		add.Attribute("objectClass", []string{"top", "group"})
		add.Attribute("sAMAccountName", []string{group})
		if err := conn.Add(add); err != nil {
			return fmt.Errorf("make group %s: %w", group, err)
		}
	}
	return nil
}

// An Existing account was there before Drawbridge came.
type Existing struct {
	Name, SAM, EmployeeID string
}

// Seed makes accounts in the container for users, enabled and with a password.
func (s *Stage) Seed(accounts ...Existing) error {
	conn, err := s.Domain.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, a := range accounts {
		add := ldap.NewAddRequest("CN="+ldap.EscapeDN(a.Name)+",CN=Users,"+s.Domain.Base, nil)
		add.Attribute("objectClass", []string{"top", "person", "organizationalPerson", "user"})
		add.Attribute("sAMAccountName", []string{a.SAM})
		add.Attribute("employeeID", []string{a.EmployeeID})
		add.Attribute("userAccountControl", []string{"512"})
		add.Attribute("unicodePwd", []string{Quoted("Qx9-Vintage-4711")})
		if err := conn.Add(add); err != nil {
			return fmt.Errorf("make account %s: %w", a.Name, err)
		}
	}
	return nil
}

// Quoted is a password as Active Directory takes it: UTF-16LE within quotes.
func Quoted(password string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}
