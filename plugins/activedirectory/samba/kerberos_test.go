package samba_test

import (
	"crypto/tls"
	"path/filepath"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/samba"
)

// The rig's Kerberos works without any name being resolved: krb5.conf names the
// KDC's address and the principal is given.
func TestKeytab_bindsByGSSAPI(t *testing.T) {
	t.Parallel()
	d := samba.StartTest(t, samba.Options{})
	keytab := filepath.Join(t.TempDir(), "admin.keytab")
	if err := d.Keytab(t.Context(), "Administrator", keytab); err != nil {
		t.Fatal(err)
	}
	krb, err := gssapi.NewClientWithKeytab("Administrator", d.Realm, keytab, d.Krb5Conf, client.DisablePAFXFAST(true))
	if err != nil {
		t.Fatal(err)
	}
	defer krb.Close()
	conn, err := ldap.DialURL(d.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: d.CA}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.GSSAPIBind(krb, d.SPN, ""); err != nil {
		t.Fatalf("GSSAPI bind as Administrator to %s: %v", d.SPN, err)
	}
	if _, err := conn.Search(ldap.NewSearchRequest(d.BaseDN, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil)); err != nil {
		t.Errorf("search after the bind: %v", err)
	}
}
