// Command drawbridge is the operator's command line. It talks to the
// coordinator's API and to nothing else; README.md is its guide.
//
//	arguments ─► cobra command ─► api/client ─► coordinator
//	                 │
//	                 └─► table for people, or JSON with -o json
//
// What may go wrong is printed with what to do next, and ends the command with
// a code that scripts can branch on: see exitCode.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run carries out one command line and gives the exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	s := &session{in: in, out: out, errOut: errOut}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() == nil {
		s.explain(err)
	}
	if ctx.Err() != nil {
		return 130
	}
	return exitCode(err)
}
