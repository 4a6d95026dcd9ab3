package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"drawbridge-agent": func() {
			os.Exit(Status(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())))
		},
		// exits STATUS COMMAND… succeeds if the command exits so.
		"exits": func() { exits(os.Args[1], os.Args[2:]) },
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("DRAWBRIDGE_AGENT_CONFIG", e.Getenv("WORK")+"/agent.yaml")
		return nil
	}, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"replace": func(ts *testscript.TestScript, _ bool, args []string) { // OLD NEW FILE
			text := strings.ReplaceAll(ts.ReadFile(args[2]), args[0], args[1])
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
		},
	}})
}
