// Command drawbridge-fake is the connector of plugins/fake as an executable,
// for tests: `drawbridge-fake fake`, or `drawbridge-fake rogue-RULE`, which
// breaks a rule of the contract.
package main

import (
	"os"

	"github.com/drawbridge-id/drawbridge/plugins/fake"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

func main() {
	if fake.ServeRogue(os.Args) {
		return
	}
	sdk.Serve(fake.New())
}
