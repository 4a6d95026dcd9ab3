// Package connkit tells whether a connector keeps the contract of
// proto/connector/v1. It starts the connector's executable as an agent does and
// speaks to it, so that the language it is written in does not matter.
//
//	test.yaml ─► Config ─► Run ──go-plugin, mutual TLS──► the executable ──► a system
//	                        │                                                of its own
//	                        └─► Report: for each rule what was found, why the
//	                            rule is there and how to cure it
//
// The rules are the list in rules.go; each is one function, and a rule that
// does not apply (no such capability, nothing in test.yaml to try it with) is in
// the report with the reason. What a connector says in passing (its log, its
// faults) is watched all the time and judged at the end.
//
// The system must be one for tests: the kit creates objects, changes them and
// deletes them again. It changes no object that it has not made.
//
// A connector written in Go runs the kit in its own test:
//
//	func TestMain(m *testing.M) { connkit.Main(m, scim.New()) } // the test binary is the executable
//
//	func TestConformance(t *testing.T) {
//		t.Parallel()
//		connkit.Test(t, connkit.Config{
//			Connector: "scim", Settings: map[string]any{"url": peer.URL}, Secrets: map[string]string{"token": "…"},
//			Class: "User", Attributes: []string{"userName", "title"},
//			Create: &connkit.Create{
//				Name: "{n}", Anchor: "externalId",
//				Attributes: map[string]connkit.Values{"userName": {"kit-{n}"}, "externalId": {"{n}"}},
//			},
//		})
//	}
//
// Any other runs `drawbridge-agent connector test EXECUTABLE --config test.yaml`.
//
// [Serve], [Open] and [Read] serve a connector within a test of its own,
// without a process, for what the kit cannot know.
package connkit

import (
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Main is the TestMain of a package whose tests call [Test]: the kit starts the
// test binary once more, and there it serves the connectors.
func Main(m *testing.M, connectors ...sdk.Connector) {
	if os.Getenv(sdk.Handshake().MagicCookieKey) == sdk.Handshake().MagicCookieValue {
		sdk.Serve(connectors...)
	}
	os.Exit(m.Run())
}

// Test runs the kit against the connector that [Main] serves, or against
// c.Executable where that is set. Each rule is a subtest; one that does not
// apply is skipped with the reason.
func Test(t *testing.T, c Config) *Report {
	t.Helper()
	if c.Executable == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c.Executable = self
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	report, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		t.Run(r.Rule, func(t *testing.T) {
			switch r.Verdict {
			case Failed:
				t.Errorf("%s\n  found: %s\n  why:   %s\n  cure:  %s", r.What, strings.Join(r.Found, "\n         "), r.Why, r.Cure)
			case NotApplicable:
				t.Skip(r.Reason)
			}
			for _, note := range r.Notes {
				t.Log(note)
			}
		})
	}
	return report
}

// README fails the test unless the connector's README has the headings that
// every connector's has, and the table of its settings as [sdk.SettingsTable] makes it. In Go, the schema is that of
// [sdk.Connector.SettingsSchema].
func README(t *testing.T, path, settingsSchema string) {
	t.Helper()
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := sdk.SettingsTable(settingsSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range []string{"A sample", "Settings", "Rights needed", "Limits"} {
		if !strings.Contains(string(readme), "\n## "+heading+"\n") {
			t.Errorf("%s has no heading %q, under which people look in every connector's page", path, heading)
		}
	}
	if !strings.Contains(string(readme), table) {
		t.Errorf("%s does not show the settings as the connector describes them; put this table there:\n\n%s", path, table)
	}
}
