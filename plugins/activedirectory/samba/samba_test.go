package samba_test

import (
	"crypto/tls"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/suite"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/samba"
)

// Two domains must run side by side: packages are tested in parallel.
func TestStart_twoDomains(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := samba.StartTest(t, samba.Options{})
			conn, err := ldap.DialURL(d.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: d.CA}))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Bind(d.AdminDN, d.AdminPassword); err != nil {
				t.Fatalf("bind as %s: %v", d.AdminDN, err)
			}
		})
	}
}

// The suite of the double runs against the real thing: where this passes and
// the double's run passes, the double is honest.
func TestSamba_behavesAsTheSuiteSays(t *testing.T) {
	t.Parallel()
	d := samba.StartTest(t, samba.Options{})
	suite.Run(t, suite.Target{
		LDAPS: d.LDAPS, LDAP: d.LDAP, CA: d.CA, BaseDN: d.BaseDN, AdminDN: d.AdminDN, AdminUPN: d.AdminUPN,
		AdminPassword: d.AdminPassword, NetBIOS: d.NetBIOS,
	})
}
