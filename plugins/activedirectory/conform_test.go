package activedirectory_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
)

func TestMain(m *testing.M) { connkit.Main(m, activedirectory.Connector()) }

// It keeps what every connector must, on the double in both of its flavors and
// on a real domain controller.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) domain{
		"windows-double": func(t testing.TB) domain { return startDouble(t, double.Windows) },
		"samba-double":   func(t testing.TB) domain { return startDouble(t, double.Samba) },
		"samba":          startSamba,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			ou := d.ou(t, "Conform")
			c := d.open(t)
			for _, name := range []string{"ann", "bea", "cem"} {
				c.done(create(ou, name, name, "title", "Clerk"))
			}
			c.done(group(ou, "crew"))
			connkit.Test(t, connkit.Config{
				Connector: "activedirectory", Settings: d.settings(scope(ou)), Secrets: d.secrets(),
				Class: "user", Attributes: []string{"sAMAccountName", "title", "manager", "enabled"},
				Create: &connkit.Create{Container: ou, Name: "Kit {n}", Anchor: "employeeID", Password: 20, Enabled: true,
					Attributes: map[string]connkit.Values{"sAMAccountName": {"k{n}"}, "employeeID": {"{n}"},
						"userPrincipalName": {"k{n}@corp.example.test"}, "givenName": {"Zoë"}, "sn": {"O'Brien"}}},
				Samples: map[string][2]connkit.Values{
					"title": {{"Clerk"}, {"Head"}}, "department": {{"Sales"}, {"Research & Development"}},
					"proxyAddresses": {{"SMTP:a@corp.example.test", "smtp:b@corp.example.test"}, {"SMTP:c@corp.example.test"}},
				},
				Leave: []string{"userPrincipalName", "userAccountControl", "unicodePwd", "dBCSPwd", "nTSecurityDescriptor", "primaryGroupID", "objectClass"},
				Group: &connkit.Group{Class: "group", Attribute: "sAMAccountName", Value: "crew", ShownIn: "memberOf"},
				Move:  d.ou(t, "Moved,OU=Conform"),
			})
		})
	}
}
