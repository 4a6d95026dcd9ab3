package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/proto/release"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// A recorder notes which routes are asked.
type recorder struct {
	mu    sync.Mutex
	asked []string // method and path
	box   []byte
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked = append(r.asked, req.Method+" "+req.URL.Path)
	r.mu.Unlock()
	_, _ = io.Copy(io.Discard, req.Body)
	answer := any(map[string]any{"items": []any{}, "progress": map[string]any{"phase": "over"}, "state": "done", "url": "https://x.example"})
	switch {
	case req.URL.Path == "/v1/passwords":
		answer = map[string]any{"items": []any{map[string]any{"id": 1, "person": "x"}}}
	case strings.HasSuffix(req.URL.Path, "/open"):
		answer = map[string]any{"id": 1, "box": r.box}
	case strings.HasSuffix(req.URL.Path, "/run"):
		answer = map[string]any{"cycle": 1}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// lines are the arguments by which each command is tried that needs more than a name in each place.
func lines(dir string) map[string][]string {
	file, key := filepath.Join(dir, "systems.yaml"), filepath.Join(dir, "key")
	return map[string][]string{
		"token create": {"--site hq", "--api x"}, "token list": {"", "--api"}, "access revoke": {"x", "--subject x"}, "login": {}, "access link": {"x"}, "system test": {"x", "x --last"},
		"log": {"", "-f"}, "plan": {"-f " + file, "-f " + file + " --person x"}, "apply": {"-f " + file + " --yes"}, "system apply": {"-f " + file},
		"held approve": {"--all"}, "held reject": {"--all"}, "problem retry": {"--all"}, "recipient add": {"x age1x"}, "recipient keygen": {},
		"password show": {"x --identity " + key}, "undo": {"--job 1"}, "person preview": {"x --wait 10ms"}, "person split": {"x hr/x"}, "webhook create": {"x --url https://x.example"}, "system rollback": {"x 1"}, "run": {"x --wait"},
		"system show": {"x", "x --revision 1"}, "replay": {"--cycle 1"}, "person show": {"x", "x --cycle 1"}, "system diff": {"x"}, "import entra": {}, "test": {}, "api": {}, "system history": {"x"},
		"release add": {filepath.Join(dir, "x.release") + " " + filepath.Join(dir, "x")}, "cycle show": {"1 -f"}, "completion bash": {}, "completion zsh": {}, "completion fish": {}, "completion powershell": {}, "help": {},
	}
}

// leaves gives the commands that do something.
func leaves(c *cobra.Command) (list []*cobra.Command) {
	for _, sub := range c.Commands() {
		list = append(list, leaves(sub)...)
	}
	if c.RunE != nil && (!c.HasSubCommands() || c.Name() == "log" || c.Name() == "plan") {
		list = append(list, c)
	}
	return list
}

// Every route of the API has a command that asks it, besides "drawbridge api", which asks any.
func TestCommands_coverEveryRoute(t *testing.T) {
	dir := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	box, err := sealed.Seal(sealed.New("x"), []string{identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"systems.yaml": rehearsal.Documents, "key": identity.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := release.Sign(release.Manifest{Version: "1.0.0", Spool: release.Layout{Reads: 1, Writes: 1}, Data: 1, Files: []release.File{
		{Part: release.Agent, Platform: "linux/amd64", Size: 1, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte("x")))}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "x.release"), text, 0o600), os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	asked := &recorder{box: box}
	server := httptest.NewServer(asked)
	defer server.Close()
	given := lines(dir)
	t.Setenv("DRAWBRIDGE_SIGN_IN", filepath.Join(dir, "sign-in.json"))
	in := signedIn{URL: server.URL, Tokens: map[string]client.SignedIn{server.URL: {Token: "x", Expires: time.Now().Add(time.Hour)}}}
	if err := in.keep(); err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves(newRoot(&session{})) {
		path := strings.TrimPrefix(leaf.CommandPath(), "drawbridge ")
		variants, ok := given[path]
		if !ok {
			variants = []string{strings.Repeat("x ", places(leaf))}
		}
		for _, variant := range variants {
			out := &bytes.Buffer{}
			s := &session{in: strings.NewReader("yes\n"), out: out, errOut: out}
			root := newRoot(s)
			root.SetArgs(append(strings.Fields(path), strings.Fields(variant)...))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			t.Setenv("DRAWBRIDGE_URL", server.URL)
			t.Setenv("DRAWBRIDGE_TOKEN", "x")
			before := len(asked.asked)
			if err := root.ExecuteContext(ctx); len(asked.asked) == before {
				t.Errorf("drawbridge %s %s asked nothing: %v %s", path, variant, err, out)
			}
			cancel()
		}
	}
	for _, missing := range unasked(t, asked.asked) {
		t.Errorf("no command asks %s", missing)
	}
}

// places is how many arguments a command takes at least.
func places(c *cobra.Command) int {
	for n := range 4 {
		if c.Args == nil || c.Args(c, slices.Repeat([]string{"1"}, n)) == nil {
			return n
		}
	}
	return 0
}

// unasked gives the operations of the API's description that nothing has asked.
func unasked(t *testing.T, asked []string) (list []string) {
	t.Helper()
	text, err := api.Description("test")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\\\{[^}]*\\\}`)
	for path, methods := range doc.Paths {
		for method := range methods {
			method = strings.ToUpper(method)
			match := regexp.MustCompile("^" + method + " " + parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
			hit := slices.IndexFunc(asked, func(a string) bool {
				_, literal := doc.Paths[strings.SplitN(a, " ", 2)[1]] // /v1/jobs/export is not /v1/jobs/{id}
				return match.MatchString(a) && (!literal || !strings.Contains(path, "{"))
			})
			if hit < 0 {
				list = append(list, fmt.Sprint(method, " ", path))
			}
		}
	}
	slices.Sort(list)
	return list
}
