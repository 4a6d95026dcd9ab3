package connkit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
)

func load(t *testing.T, text string) (connkit.Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "test.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := connkit.Load(path)
	return c, dir, err
}

// One value stands for a list of one, and a command is a text or words.
func TestLoad(t *testing.T) {
	t.Parallel()
	got, dir, err := load(t, `
connector: birds
settings: {url: "http://x", retries: 3}
secrets: {token: abcd}
class: bird
attributes: [name]
create: {name: "b {n}", anchor: id, attributes: {id: "{n}", mail: [a, b]}}
samples: {title: [Clerk, [Head, Chief]]}
prepare: "mkdir x && cd x"
edit: [touch, "{dir}/x"]
large: {objects: 5, memory_mib: 32, prepare: [true]}
limited: {pause: 2s}
`)
	want := connkit.Config{
		Connector: "birds", Settings: map[string]any{"url": "http://x", "retries": uint64(3)}, Secrets: map[string]string{"token": "abcd"},
		Class: "bird", Attributes: []string{"name"}, Test: dir,
		Create:  &connkit.Create{Name: "b {n}", Anchor: "id", Attributes: map[string]connkit.Values{"id": {"{n}"}, "mail": {"a", "b"}}},
		Samples: map[string][2]connkit.Values{"title": {{"Clerk"}, {"Head", "Chief"}}},
		Prepare: connkit.Hook{Command: []string{"/bin/sh", "-ec", "mkdir x && cd x"}}, Edit: connkit.Hook{Command: []string{"touch", "{dir}/x"}},
		Large:   &connkit.Large{Objects: 5, Memory: 32, Prepare: connkit.Hook{Command: []string{"true"}}},
		Limited: &connkit.Limited{Pause: 2 * time.Second},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Load() = %v, (-want +got):\n%s", err, diff)
	}
}

// Every fault is named at once, with the file.
func TestLoad_namesEveryFault(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "create: {name: x, anchor: id, attributes: {id: [a, b]}}\ngroup: {class: g}\n")
	for _, want := range []string{"test.yaml", "connector (", "class (", "attributes (", "{n} in create.name", "create.anchor", "group.id"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load() = %v; want %q in it", err, want)
		}
	}
}
