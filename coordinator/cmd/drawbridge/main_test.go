package main

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var update = flag.Bool("update", false, "write what is printed into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"drawbridge": main})
}

// Every script talks to a coordinator of its own, whose agents and systems are played.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			w := rehearsal.New(env.T().(testing.TB))
			env.Values["world"] = w
			env.Setenv("DRAWBRIDGE_URL", w.Serve())
			env.Setenv("DRAWBRIDGE_TOKEN", w.Token(rehearsal.Tenant, "tester"))
			env.Setenv("STRANGER", w.Token("other", "stranger"))
			env.Setenv("TZ", "UTC")
			return os.WriteFile(env.Getenv("WORK")+"/systems.yaml", []byte(rehearsal.Documents), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// hire 40: forty workers, and everything that follows from them.
			"hire": func(ts *testscript.TestScript, _ bool, _ []string) {
				w := worldOf(ts)
				w.Apply(rehearsal.Documents)
				w.Read("hr", rehearsal.Workers(40)...)
				w.Settle()
			},
			// ada: one worker, planned; carried out with "ada done".
			"ada": func(ts *testscript.TestScript, _ bool, args []string) {
				w := worldOf(ts)
				w.Apply(rehearsal.Documents)
				w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "manager_id", "E1002"))
				w.Plan()
				if len(args) > 0 {
					w.Settle()
				}
			},
			// readers NAME...: who may open the passwords of new accounts.
			"readers": func(ts *testscript.TestScript, _ bool, args []string) {
				worldOf(ts).Apply(strings.Replace(rehearsal.Documents, "  lifecycle:",
					"  password: {recipients: ["+strings.Join(args, ", ")+"]}\n  lifecycle:", 1))
				worldOf(ts).Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "manager_id", "E1002"))
				worldOf(ts).Settle()
			},
			// grant NAME FILE: a recipient whose public key is in a file.
			"grant": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(ts.Exec("drawbridge", "recipient", "add", args[0], strings.TrimSpace(ts.ReadFile(args[1]))))
			},
			// refuse: the directory takes no change of a title.
			"refuse": func(ts *testscript.TestScript, _ bool, _ []string) {
				w := worldOf(ts)
				w.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
					if op.GetModify() == nil {
						return 0, nil
					}
					return connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "title has 200 characters, the directory takes 128", Attribute: "title",
						Object: "CN=Ada Lovelace", NextStep: "shorten it in the source", Raw: "0000200B: CONSTRAINT_ATT_TYPE"}
				}
				w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess"))
				w.Settle()
			},
			// fire N: the first N workers are not active any more.
			"fire": func(ts *testscript.TestScript, _ bool, _ []string) {
				w := worldOf(ts)
				w.Read("hr", rehearsal.Workers(8, "status", "T")...)
				w.Settle()
			},
			// all COLUMN VALUE: a whole read, in which a column of 20 workers has another value.
			"all": func(ts *testscript.TestScript, _ bool, args []string) {
				w := worldOf(ts)
				ts.Logf("%s", w.ReadWhole("hr", rehearsal.Workers(20, args...)...).Reason)
				w.Settle()
			},
			// row KEY GIVEN FAMILY [COLUMN VALUE]...: the HR system tells of one worker, and that is planned.
			"row": func(ts *testscript.TestScript, _ bool, args []string) {
				worldOf(ts).Read("hr", rehearsal.Worker(args[0], args[1], args[2], args[3:]...))
				worldOf(ts).Plan()
			},
			// byhand ATTRIBUTE VALUE: somebody changes every account at the directory, and it is read.
			"byhand": func(ts *testscript.TestScript, _ bool, args []string) {
				w := worldOf(ts)
				for _, o := range w.Objects {
					for _, a := range o.GetAttributes() {
						if a.GetName() == args[0] {
							a.Values = []string{args[1]}
						}
					}
					w.Read("corp-ad", o)
				}
				w.Plan()
			},
			// settle: what can be done is done.
			"settle": func(ts *testscript.TestScript, _ bool, _ []string) {
				w := worldOf(ts)
				if _, err := w.Schedule.Step(context.Background()); err != nil {
					ts.Fatalf("%v", err)
				}
				w.Settle()
			},
		},
	})
}

func worldOf(ts *testscript.TestScript) *rehearsal.World { return ts.Value("world").(*rehearsal.World) }
