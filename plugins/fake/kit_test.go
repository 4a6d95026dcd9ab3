package fake_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/fake"
)

func TestMain(m *testing.M) {
	if fake.ServeRogue(os.Args) {
		return
	}
	connkit.Main(m, fake.New())
}

// sound is what the kit tries the directory with when nothing goes wrong.
func sound(t *testing.T) connkit.Config {
	return connkit.Config{
		Connector: "fake",
		Settings:  map[string]any{"state": filepath.Join(t.TempDir(), "state"), "users": 1200, "groups": 1},
		Secrets:   map[string]string{"password": "correct horse battery"},
		Class:     "user", Attributes: []string{"login", "displayName", "title"},
		Create: &connkit.Create{Container: "staff", Name: "Kit {n}", Anchor: "employeeNumber",
			Attributes: map[string]connkit.Values{"login": {"kit{n}"}, "employeeNumber": {"{n}"}, "surname": {"O'Brien"}}},
		Samples: map[string][2]connkit.Values{"manager": {{"user-1"}, {"user-2"}}, "title": {{"Clerk"}, {"Head"}}},
		Move:    "left",
		Group:   &connkit.Group{Class: "group", Attribute: "login", Value: "g1", ShownIn: "memberOf"},
		Large:   &connkit.Large{Settings: map[string]any{"crowd": 1_000_000}},
		Limited: &connkit.Limited{Pause: 2 * time.Second, Settings: map[string]any{"script": []map[string]any{
			{"on": "write", "call": 1, "times": 2, "do": "unavailable", "for": "2s"}}}},
	}
}

// The directory keeps every rule when it is not told to break one, and the kit
// notices each that a rogue breaks: this is the test of the kit.
func TestConformance(t *testing.T) {
	t.Parallel()
	report := connkit.Test(t, sound(t))
	if n := report.Count(connkit.NotApplicable); n > 0 {
		t.Errorf("%d rules do not apply; the directory can do everything", n)
	}
	for _, r := range report.Results {
		t.Run("rogue "+r.Rule, func(t *testing.T) {
			t.Parallel()
			noticed(t, r.Rule)
		})
	}
}

// What is not tried is never left out in silence.
func TestRules_thatDoNotApplySayWhy(t *testing.T) {
	t.Parallel()
	c := sound(t)
	c.Rules = []string{"create", "delta", "move", "membership", "memory", "slow down", "watch"}
	c.Create, c.Group, c.Large, c.Limited = nil, nil, nil, nil
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Executable = self
	report, err := connkit.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if n := report.Count(connkit.NotApplicable); n != len(c.Rules) || !report.Passes {
		t.Errorf("%d rules do not apply, passes = %v; want %d, true: %+v", n, report.Passes, len(c.Rules), report.Results)
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, why := range []string{"test.yaml has no create", "test.yaml has no large", "test.yaml has no limited", "the kit cannot change anything in the system"} {
		if !strings.Contains(text.String(), "does not apply: "+why) {
			t.Errorf("the report does not say %q:\n%s", why, text.String())
		}
	}
}

// noticed fails unless the kit finds the rule broken by its rogue.
func noticed(t *testing.T, rule string) {
	c := sound(t)
	c.Connector = fake.RoguePrefix + strings.ReplaceAll(rule, " ", "-")
	c.Rules = []string{rule}
	c.Dir = t.TempDir()
	c.Settings = maps.Clone(c.Settings)
	switch rule {
	case "cancel read": // it must last
		c.Settings["crowd"] = 200_000
	case "cancel write":
		c.Settings["latency"] = "30ms"
	case "kill": // it forgets all with its process
		delete(c.Settings, "state")
	case "faults": // some must be seen
		c.Rules = append(c.Rules, "not found")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Executable = self
	report, err := connkit.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(report.Results, func(r connkit.Result) bool { return r.Rule == rule })
	if at < 0 || report.Results[at].Verdict != connkit.Failed || report.Passes {
		t.Fatalf("the rogue that breaks it gets %+v; want it failed", report.Results)
	}
	if r := report.Results[at]; len(r.Found) == 0 || r.Why == "" || r.Cure == "" {
		t.Errorf("result = %+v; want what was found, why it matters and how to cure it", r)
	}
	t.Log(strings.Join(report.Results[at].Found, "\n"))
}
