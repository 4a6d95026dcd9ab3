package main

import (
	"context"
	"os"
	"os/exec"
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
		cache, err := exec.Command("go", "env", "GOCACHE").Output() // for the script that builds programs
		e.Setenv("GOCACHE", strings.TrimSpace(string(cache)))
		return err
	}, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"pins": func(ts *testscript.TestScript, _ bool, args []string) { // KEY FILE: has agent.yaml trust the key that `release key` printed
			_, pin, _ := strings.Cut(ts.ReadFile(args[0]), "update:")
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte("coordinator: drawbridge.example.com:8443\nupdate:"+pin), 0o600))
		},
		"replace": func(ts *testscript.TestScript, _ bool, args []string) { // OLD NEW FILE
			text := strings.ReplaceAll(ts.ReadFile(args[2]), args[0], args[1])
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
		},
	}})
}
