package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// A new user gets from the demonstration, as `make demo` runs it, to accounts
// in another Active Directory: by the link that it prints and the pages alone,
// in a real browser.
func TestDashboard_fromDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	node, chromium := needBrowser(t)
	other := set(t, "double") // whose domain is the one to add
	if err := other.Furnish(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "demo")
	link := demonstrate(t, ctx, dir)
	w := workers.At(0)
	plot, err := json.Marshal(map[string]any{
		"agent": filepath.Join(bin, "drawbridge-agent"), "config": filepath.Join(dir, "agent.yaml"), "name": "branch-ad",
		"shown": strings.ToUpper(w.LastName) + ", " + w.FirstName,
		"ad":    map[string]string{"server": other.Directory, "bind": other.Domain.Bind, "base": other.Domain.Base, "ca": other.Domain.CA, "password": other.Domain.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, "browser/demo.mjs")
	cmd.Dir = "../../coordinator/dashboard"
	cmd.Env = append(os.Environ(), "PLAY_LINK="+link, "PLAY_STAGE="+string(plot), "PLAY_PICTURES="+pictures(t), "PLAY_CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the journey: %v", err)
	}
	found := regexp.MustCompile(`approved: (\d+)`).FindStringSubmatch(string(out))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		there, err := other.Domain.Search("(employeeID=*)", "employeeID")
		if err == nil && len(found) == 2 && len(there) > 0 && found[1] == strconv.Itoa(len(there)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d accounts in the new directory, %v; want as many as were approved: %q", len(there), err, found)
		}
	}
}

// demonstrate runs the demonstration and returns the link that it prints at its end.
func demonstrate(t *testing.T, ctx context.Context, dir string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "demo"), "-workers", "200", "-bin", bin, "-dir", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out := &told{link: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Cancel()
		<-ended
	})
	select {
	case link := <-out.link:
		return link
	case err := <-ended:
		ended <- err
		t.Fatalf("the demonstration ended: %v\n%s", err, out)
	case <-ctx.Done():
		t.Fatalf("the demonstration prints no link: %s", out)
	}
	return ""
}

// told is what a program prints; the link in it is given once.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
	link chan string
}

var signInLink = regexp.MustCompile(`https?://\S+/auth/link\S+`)

func (o *told) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	if link := signInLink.FindString(o.text.String()); link != "" && strings.HasSuffix(o.text.String(), "\n") {
		select {
		case o.link <- link:
		default:
		}
	}
	return n, err
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
