// Command drawbridge-coordinator decides what accounts should exist and has
// agents make it so. `drawbridge-coordinator help` lists what it can be told;
// coordinator/README.md says how to operate it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/drawbridge-id/drawbridge/proto/heap"
)

// version is set by the build.
var version = "0.0.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" {
		heap.LeaveSmall(64<<20, 100)
	}
	if err := Run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "drawbridge-coordinator:", err)
		os.Exit(1)
	}
}
