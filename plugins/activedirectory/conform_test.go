package activedirectory_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
)

// It keeps what every connector must.
func TestConform(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	ou := d.ou(t, "Conform")
	c := d.open(t)
	for _, name := range []string{"ann", "bea", "cem"} {
		c.done(create(ou, name, name, "title", "Clerk"))
	}
	connkit.Conform(t, connkit.Case{
		Connector: activedirectory.Connector(), Settings: d.settings(scope(ou)), Secrets: d.secrets(),
		Class: "user", Attributes: []string{"sAMAccountName", "title", "manager"},
		Create: create(ou, "Dan", "dan"), Change: change("title", nil, []string{"Head"}),
	})
}
