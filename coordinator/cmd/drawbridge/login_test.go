package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/access/oidcrig"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// A screen is written to by a command and read by a test.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Somebody signs in at the browser, lets the command line in, uses it, and ends that.
func TestLogin_throughTheBrowser(t *testing.T) { // not parallel: it sets the environment
	w := rehearsal.New(t)
	api := w.API()
	server := httptest.NewServer(api.Access.Handler(api.Handler()))
	defer server.Close()
	t.Setenv("DRAWBRIDGE_SIGN_IN", filepath.Join(t.TempDir(), "sign-in.json"))
	t.Setenv("DRAWBRIDGE_URL", "")
	t.Setenv("DRAWBRIDGE_TOKEN", "")
	t.Setenv("DRAWBRIDGE_TOKEN_FILE", "")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run := func(want int, args ...string) string {
		t.Helper()
		var out screen
		if code := Run(ctx, args, strings.NewReader(""), &out, &out); code != want {
			t.Fatalf("drawbridge %v = %d: %s; want %d", args, code, &out, want)
		}
		return out.String()
	}

	var said screen
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"login", "--no-browser", "--url", server.URL}, strings.NewReader(""), &said, &said)
	}()
	address := regexp.MustCompile(`http://\S+/auth/cli\S+`)
	for !address.MatchString(said.String()) {
		if ctx.Err() != nil {
			t.Fatalf("no address is shown: %s", &said)
		}
		time.Sleep(time.Millisecond)
	}
	ask, err := url.Parse(address.FindString(said.String()))
	if err != nil {
		t.Fatal(err)
	}
	link, err := api.Access.AdminLink(ctx, rehearsal.Tenant, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	browser := oidcrig.NewBrowser()
	post := func(path string, form url.Values) string {
		t.Helper()
		p, err := browser.Post(server.URL+path, form)
		if err != nil || p.Location == "" {
			t.Fatalf("%s = %v, %v", path, p, err)
		}
		return p.Location
	}
	post("/auth/link", url.Values{"token": {link[strings.Index(link, "=")+1:]}})
	back := post("/auth/cli", ask.Query())
	if p, err := browser.Get(strings.Replace(back, "state=", "state=x", 1)); err != nil || p.Status == 200 {
		t.Errorf("a code of another login = %v, %v; want it refused", p, err)
	}
	if p, err := browser.Get(back); err != nil || !strings.Contains(p.Text, "signed in") {
		t.Fatalf("back to the command line = %v, %v", p, err)
	}
	if code := <-ended; code != 0 || !strings.Contains(said.String(), "Signed in as local admin until") {
		t.Fatalf("login = %d: %s", code, &said)
	}

	if text := run(0, "access", "me"); !strings.Contains(text, "local admin (administrator)") {
		t.Errorf("access me = %s", text)
	}
	if text := run(0, "logout"); !strings.Contains(text, "Signed out of "+server.URL) {
		t.Errorf("logout = %s", text)
	}
	if text := run(0, "audit", "list", "--url", server.URL, "--token", w.Token(rehearsal.Tenant, "tester")); !strings.Contains(text, "sign-out-me") || !strings.Contains(text, "command line") {
		t.Errorf("audit = %s; want the sign-in and its end", text)
	}
	run(0, "logout", "--url", server.URL)
}
