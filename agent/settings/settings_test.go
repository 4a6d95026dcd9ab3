package settings_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/agent/settings"
)

const schema = `{"type": "object", "additionalProperties": false, "properties": {
	"servers": {"type": "array", "items": {"type": "string"}, "x-anchor": true},
	"bind": {"type": "string", "x-anchor": true},
	"ca": {"type": "string", "format": "path", "x-anchor": true},
	"files": {"type": "array", "items": {"type": "string"}, "format": "path"},
	"nested": {"type": "object", "properties": {"key": {"type": "string", "format": "path"}}},
	"password": {"type": "string", "writeOnly": true},
	"page": {"type": "integer"}}}`

func parse(t *testing.T) *settings.Schema {
	t.Helper()
	s, err := settings.ParseSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchema_Anchors(t *testing.T) {
	t.Parallel()
	s := parse(t)
	got, err := s.Anchors(`{"page": 5, "bind": "svc", "servers": ["ldaps://a", "ldaps://b"]}`)
	want := map[string]string{"bind": `"svc"`, "servers": `["ldaps://a","ldaps://b"]`}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Anchors = %v; -want +got\n%s", err, diff)
	}
	if got := s.Secrets(); len(got) != 1 || got[0] != "password" || !s.IsSecret("password") || s.IsSecret("bind") {
		t.Errorf("Secrets = %q; want password alone", got)
	}
}

// Whoever takes over the coordinator must not read files that the host's admin did not allow.
func TestSchema_CheckPaths(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	allowed, other := filepath.Join(root, "hr"), filepath.Join(root, "other")
	for _, dir := range []string{allowed, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(other, filepath.Join(allowed, "out")); err != nil {
		t.Skip(err)
	}
	s := parse(t)
	for path, ok := range map[string]bool{
		allowed + "/workers.csv": true, allowed: true, allowed + "/new/deep/file": true, "": true,
		other + "/x": false, allowed + "/../other/x": false, allowed + "/out/x": false, allowed + "x/y": false,
		"workers.csv": false, "/etc/shadow": false,
	} {
		quoted := strconv.Quote(path)
		for _, text := range []string{`{"ca": ` + quoted + `}`, `{"files": [` + quoted + `]}`, `{"nested": {"key": ` + quoted + `}}`} {
			if err := s.CheckPaths(text, []string{allowed}); (err == nil) != ok {
				t.Errorf("CheckPaths(%s) = %v; want ok %v", text, err, ok)
			}
		}
	}
	if err := s.CheckPaths(`{"ca": `+strconv.Quote(allowed)+`}`, nil); err == nil || !strings.Contains(err.Error(), "names no folders") {
		t.Errorf("CheckPaths without folders = %v; want it to say so", err)
	}
}
