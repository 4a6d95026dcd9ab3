package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
)

// A window over midnight belongs to the day it begins on.
func TestWindow_overMidnight(t *testing.T) {
	t.Parallel()
	w := config.Window{Zone: "Europe/Zurich", Days: []string{"sat"}, From: "22:00", To: "05:00"}
	for at, want := range map[string]bool{
		"2026-11-28T21:59": false, "2026-11-28T22:00": true, "2026-11-29T04:59": true, "2026-11-29T05:00": false, // Saturday to Sunday
		"2026-11-29T22:30": false, "2026-11-28T04:00": false,
	} {
		zone, err := time.LoadLocation(w.Zone)
		if err != nil {
			t.Fatal(err)
		}
		instant, err := time.ParseInLocation("2006-01-02T15:04", at, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Open(instant.UTC()); got != want {
			t.Errorf("open at %s: %t; want %t", at, got, want)
		}
	}
	day := config.Window{Zone: "UTC", From: "09:00", To: "17:00"}
	if noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC); !day.Open(noon) || day.Open(noon.Add(6*time.Hour)) || !(config.Window{}).Open(noon) {
		t.Error("a window by day must be open at noon and not at six, and none is always")
	}
}

// What update says is checked like everything else; without keys it would do nothing.
func TestParse_update(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("agent.yaml", []byte(`coordinator: c:1
data: /d
update:
  ring: Canary
  hold: maybe
  gate: soon
  window: {zone: Mars/Olympus, days: [someday], from: "25:00", to: "05:00"}
`))
	for _, want := range []string{"update.keys is missing", `update.ring "Canary"`, "update.hold must be true or false", `update.gate "soon"`,
		`update.window.zone "Mars/Olympus"`, `update.window.days[0] "someday"`, `update.window.from "25:00"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("faults:\n%v\nwant %s among them", err, want)
		}
	}
}
