// Command drawbridge-connectors is the executable of the built-in connectors.
// An agent starts it as `drawbridge-connectors NAME`; a person who starts it
// is told what it holds.
package main

import (
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/csv"
	"github.com/drawbridge-id/drawbridge/plugins/ldap"
	"github.com/drawbridge-id/drawbridge/plugins/scim"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sql"
)

func main() { sdk.Serve(connectors()...) }

func connectors() []sdk.Connector {
	return []sdk.Connector{activedirectory.Connector(), csv.New(), ldap.Connector(), scim.New(), sql.New()}
}
