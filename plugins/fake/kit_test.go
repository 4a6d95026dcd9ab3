package fake_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/fake"
)

func TestMain(m *testing.M) { connkit.Main(m, fake.New()) }

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

// The directory keeps every rule when it is not told to break one.
func TestConformance(t *testing.T) {
	t.Parallel()
	report := connkit.Test(t, sound(t))
	if n := report.Count(connkit.NotApplicable); n > 0 {
		t.Errorf("%d rules do not apply; the directory can do everything", n)
	}
}
