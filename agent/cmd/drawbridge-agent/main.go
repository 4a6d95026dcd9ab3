// Command drawbridge-agent is the agent: it runs on a host of the domain,
// connects outward to the coordinator, and carries out its jobs.
//
// The exit status says what kind of end it was; see the constants below.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
	stop()
	os.Exit(Status(err))
}
