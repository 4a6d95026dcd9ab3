// Command drawbridge-fake is the connector of plugins/fake as an executable,
// for tests: `drawbridge-fake fake`; `drawbridge-fake rogue-RULE`, which breaks
// a rule of the contract; or `drawbridge-fake moody`, which does what a file says.
package main

import (
	"os"

	"github.com/drawbridge-id/drawbridge/plugins/fake"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

func main() {
	if fake.ServeRogue(os.Args) || fake.ServeMoody(os.Args) {
		return
	}
	sdk.Serve(fake.New())
}
