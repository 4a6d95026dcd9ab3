// Command drawbridge-fake is the connector of plugins/fake as an executable,
// for tests: `drawbridge-fake fake`.
package main

import (
	"github.com/drawbridge-id/drawbridge/plugins/fake"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

func main() { sdk.Serve(fake.New()) }
