package openldap_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
)

func TestStart_servesWhatWasLoaded(t *testing.T) {
	t.Parallel()
	ldif := filepath.Join(t.TempDir(), "users.ldif")
	if err := os.WriteFile(ldif, []byte(`dn: OU=Staff,DC=corp,DC=example,DC=test
objectClass: organizationalUnit
ou: Staff

dn: CN=Ann,OU=Staff,DC=corp,DC=example,DC=test
objectClass: user
cn: Ann
sn: Archer
sAMAccountName: ann
userAccountControl: 514
objectGUID:: AAECAwQFBgcICQoLDA0ODw==

dn: CN=All,OU=Staff,DC=corp,DC=example,DC=test
objectClass: group
cn: All
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openldap.StartTest(t, openldap.Options{LDIF: ldif})
	conn, err := ldap.DialURL(s.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: s.CA}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(s.AdminDN, s.Password); err != nil {
		t.Fatal(err)
	}
	join := ldap.NewModifyRequest("CN=All,OU=Staff,"+s.Base, nil)
	join.Add("member", []string{"CN=Ann,OU=Staff," + s.Base})
	if err := conn.Modify(join); err != nil {
		t.Fatal(err)
	}
	res, err := conn.Search(ldap.NewSearchRequest(s.Base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(sAMAccountName=ANN)", []string{"*", "memberOf"}, nil))
	if err != nil || len(res.Entries) != 1 {
		t.Fatalf("search: %v, %v; want one entry", res, err)
	}
	if got := len(res.Entries[0].GetRawAttributeValue("objectGUID")); got != 16 {
		t.Errorf("objectGUID of %d bytes; want 16", got)
	}
	if got := res.Entries[0].GetAttributeValue("memberOf"); got == "" {
		t.Error("memberOf is empty after the join")
	}
}
