package config_test

import (
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/google/go-cmp/cmp"
)

const sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestParse(t *testing.T) {
	t.Parallel()
	root := ""
	if runtime.GOOS == "windows" {
		root = "C:"
	}
	got, err := config.Parse("agent.yaml", []byte(`
coordinator: drawbridge.example.com:8443
data: `+root+`/var/lib/elsewhere
connectors:
  - path: `+root+`/usr/lib/drawbridge/drawbridge-connectors
    sha256: `+sum+`
    serves: [activedirectory, csv]
folders: [`+root+`/srv/hr]
concurrency: {corp-ad: 4}
log: {level: debug, format: json}
`))
	want := &config.Config{
		Coordinator: "drawbridge.example.com:8443",
		Data:        root + "/var/lib/elsewhere",
		Connectors: []config.Connector{{
			Path: root + "/usr/lib/drawbridge/drawbridge-connectors", SHA256: sum, Serves: []string{"activedirectory", "csv"},
		}},
		Folders:     []string{root + "/srv/hr"},
		Concurrency: map[string]int{"corp-ad": 4},
		Log:         config.Log{Level: "debug", Format: "json"},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse: -want +got\n%s", diff)
	}
	if got.Log.SlogLevel() != slog.LevelDebug {
		t.Errorf("SlogLevel() = %v; want debug", got.Log.SlogLevel())
	}
}

// The admin mends the file once, not once for each fault.
func TestParse_faultsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("agent.yaml", []byte(`coordinater: drawbridge.example.com
data: state
connectors:
  - path: bin/connectors
    sha265: 12
    serves: [Csv, csv, csv]
  - serves: csv
log:
  level: loud
  level: info
  format: [text]
zzz: 1
concurrency:
  corp-ad: 65
  hr: many
  corp-ad: 4
`))
	want := []string{
		`agent.yaml:1:1: unknown key "coordinater"; did you mean "coordinator"?`,
		`agent.yaml:1:1: coordinator is missing: the coordinator's name and port, such as drawbridge.example.com:8443`,
		`agent.yaml:2:7: data "state" is not an absolute path`,
		`agent.yaml:4:5: connectors[0].sha256 is missing: print it with `,
		`agent.yaml:4:11: connectors[0].path "bin/connectors" is not an absolute path`,
		`agent.yaml:5:5: unknown key "connectors[0].sha265"; did you mean "sha256"?`,
		`agent.yaml:6:14: connectors[0].serves[0] "Csv" is no connector's name: `,
		`agent.yaml:6:24: connectors[0].serves[2] "csv" is already served by bin/connectors`,
		`agent.yaml:7:5: connectors[1].path is missing: `,
		`agent.yaml:7:5: connectors[1].sha256 is missing: `,
		`agent.yaml:7:13: connectors[1].serves must be a list, not "csv"`,
		`agent.yaml:9:10: log.level "loud" is none of debug, info, warn, error`,
		`agent.yaml:10:3: key "level" is there twice, first in line 9`,
		`agent.yaml:11:11: log.format must be text, not a list`,
		`agent.yaml:12:1: unknown key "zzz"; known here: coordinator, data, proxy, connectors, folders, concurrency, guardrail, update, traces, metrics, log`,
		`agent.yaml:14:12: concurrency.corp-ad 65 is not a number from 1 to 64; leave the system out to have the agent find the best`,
		`agent.yaml:15:7: concurrency.hr must be a whole number, not "many"`,
		`agent.yaml:16:3: key "corp-ad" is there twice, first in line 14`,
	}
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("Parse = %v; want Faults", err)
	}
	for i, f := range faults {
		if i >= len(want) || !strings.HasPrefix(f.Error(), want[i]) {
			t.Errorf("fault %d = %s; want %s", i, f, append(want, "none")[min(i, len(want))])
		}
	}
	if len(faults) < len(want) {
		t.Errorf("%d faults; want %d:\n%s", len(faults), len(want), err)
	}
}

func TestParse_noYAML(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"coordinator: [a\ndata: b": "agent.yaml:",
		"just text":                "agent.yaml:1:1: the file must be keys with values",
		"":                         "agent.yaml: coordinator is missing",
		"a: 1\n---\nb: 2":          "agent.yaml:1:1: unknown key",
	} {
		if _, err := config.Parse("agent.yaml", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Parse(%q) = %v; want %s…", text, err, want)
		}
	}
}

// Whatever is in the file, the answer is a configuration or faults.
func FuzzParse(f *testing.F) {
	f.Add("coordinator: a:1\nlog: {level: info}\nconnectors:\n- serves: [x]\n")
	f.Add("coordinator: a:1\nconcurrency: {a: 1, b: x}\n")
	f.Add("a: &x [*x]\n? b\n: |\n  c\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("agent.yaml", []byte(text))
		if (c == nil) == (err == nil) {
			t.Errorf("Parse(%q) = %v, %v", text, c, err)
		}
	})
}
