package double_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/suite"
)

// start runs a double for one test.
func start(t testing.TB, opt double.Options) *double.Server {
	t.Helper()
	s, err := double.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close double: %v", err)
		}
	})
	return s
}

// The same suite runs against Samba in package samba: that keeps the double
// honest.
func TestDouble_behavesAsActiveDirectory(t *testing.T) {
	t.Parallel()
	for name, flavor := range map[string]double.Flavor{"windows": double.Windows, "samba": double.Samba} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, double.Options{Flavor: flavor})
			_, netBIOS := s.Name()
			suite.Run(t, suite.Target{
				LDAPS: s.LDAPS, LDAP: s.LDAP, CA: s.CA, BaseDN: s.BaseDN, AdminDN: s.AdminDN, AdminUPN: s.AdminUPN,
				AdminPassword: s.AdminPassword, NetBIOS: netBIOS, Windows: flavor == double.Windows,
			})
		})
	}
}
