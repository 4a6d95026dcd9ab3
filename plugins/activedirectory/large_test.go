package activedirectory_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
)

// A million users are read in bounded memory, with a reference of each. Samba
// would be filling for hours; the double passes the same suite. It is run by
// itself: make large.
func TestLarge(t *testing.T) {
	if os.Getenv("TEST_LARGE") == "" {
		t.Skip("a domain of a million users takes minutes to fill: make large")
	}
	const count = 1_000_000
	d := startDouble(t, double.Windows)
	ou := d.ou(t, "Large")
	began := time.Now()
	var filling errgroup.Group
	const connections = 8
	for first := range connections {
		admin := d.admin(t)
		filling.Go(func() error {
			for i := first; i < count; i += connections {
				if err := admin.Add(largeUser(ou, i, i/10-i/10%connections+first)); err != nil {
					return fmt.Errorf("user %d: %w", i, err)
				}
			}
			return nil
		})
	}
	if err := filling.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("filled in %v", time.Since(began).Round(time.Second))
	connkit.Test(t, connkit.Config{
		Connector: "activedirectory", Settings: d.settings(scope(ou)), Secrets: d.secrets(), Rules: []string{"memory"},
		Class: "user", Attributes: []string{"sAMAccountName", "title", "mail", "manager", "enabled"},
		Large: &connkit.Large{Objects: count},
	})
}

// largeUser is a user whose manager is an earlier one of the same connection.
func largeUser(ou string, i, manager int) *ldap.AddRequest {
	name := strconv.Itoa(i)
	add := ldap.NewAddRequest("CN=Person "+name+","+ou, nil)
	add.Attribute("objectClass", []string{"user"})
	add.Attribute("sAMAccountName", []string{"p" + name})
	add.Attribute("title", []string{"Clerk of rank " + strconv.Itoa(i%7)})
	add.Attribute("mail", []string{"p" + name + "@corp.example.test"})
	if manager >= 0 && manager < i {
		add.Attribute("manager", []string{"CN=Person " + strconv.Itoa(manager) + "," + ou})
	}
	return add
}
