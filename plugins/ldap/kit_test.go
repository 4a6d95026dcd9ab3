package ldap_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap"
)

// It keeps what every connector must.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := start(t, 1500, "")
	s.add(t, "cn=Kit,"+groups, "objectClass", "groupOfNames", "cn", "Kit", "member", "")
	s.add(t, "ou=leavers,"+base, "objectClass", "organizationalUnit", "ou", "leavers")
	admin := s.admin(t)
	var edits atomic.Int64
	connkit.Test(t, connkit.Config{
		Connector: "ldap", Settings: s.settings(), Secrets: s.secrets(),
		Class: "user", Attributes: []string{"uid", "cn", "title", "mail", "manager"},
		Create: &connkit.Create{
			Container: people, Name: "kit-{n}", Anchor: "employeeNumber", Enabled: true, Password: 20,
			Attributes: map[string]connkit.Values{"cn": {"Kit {n}"}, "sn": {"Kit"}, "employeeNumber": {"K{n}"}, "title": {"Clerk"}},
		},
		Group: &connkit.Group{Class: "group", Attribute: "cn", Value: "Kit", ShownIn: "memberOf"},
		Move:  "ou=leavers," + base,
		Edit: connkit.Hook{Func: func(context.Context) error {
			n := edits.Add(1)
			request := goldap.NewModifyRequest(fmt.Sprintf("uid=p%d,%s", n%1000, people), nil)
			request.Replace("title", []string{fmt.Sprintf("Edited %d", n)})
			return admin.Modify(request)
		}},
	})
}

// An admin finds each setting in the README.
func TestREADME_settings(t *testing.T) {
	t.Parallel()
	connkit.README(t, "README.md", ldap.Connector().SettingsSchema())
}
