package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A screen is written to by a running coordinator and read by a test.
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

func noEnv(string) string { return "" }

// start runs a coordinator until the returned function is called, and gives the address of its API.
func start(t *testing.T, args ...string) (api string, stdout *screen, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdout = &screen{}
	stderr, ended := &screen{}, make(chan error, 1)
	go func() { ended <- Run(ctx, args, stdout, stderr, noEnv) }()
	deadline := time.Now().Add(20 * time.Second)
	for api == "" {
		if time.Now().After(deadline) {
			t.Fatalf("the coordinator did not start: %s", stderr)
		}
		select {
		case err := <-ended:
			t.Fatalf("the coordinator ended: %v\n%s", err, stderr)
		case <-time.After(5 * time.Millisecond):
		}
		for _, line := range strings.Split(stderr.String(), "\n") {
			var entry struct{ Msg, API string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "Coordinator started" {
				api = entry.API
			}
		}
	}
	return api, stdout, func() {
		t.Helper()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run = %v after it was stopped; want nil", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run did not return")
		}
	}
}

// The first start makes everything and says how to go on; the token it leaves is good, also after the second.
func TestRun_firstStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"run", "--data", dir, "--link", "127.0.0.1:0", "--api", "127.0.0.1:0", "--log-format", "json"}
	var token string
	for round := range 2 {
		api, stdout, stop := start(t, args...)
		text, err := os.ReadFile(filepath.Join(dir, "admin-token"))
		if err != nil {
			t.Fatal(err)
		}
		if round == 1 && string(text) != token {
			t.Error("the second start made another token")
		}
		token = string(text)
		if said := strings.Contains(stdout.String(), "drawbridge token create"); said != (round == 0) {
			t.Errorf("start %d printed %q; want how to go on at the first only", round, stdout)
		}
		for bearer, want := range map[string]int{strings.TrimSpace(token): http.StatusOK, "dba_none": http.StatusUnauthorized} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+api+"/v1/status", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+bearer)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("status with a token that begins %.8s = %d; want %d", bearer, resp.StatusCode, want)
			}
		}
		stop()
	}
}

// With api-tls the API shows a certificate of the coordinator's own authority, for the names given.
func TestRun_apiTLS(t *testing.T) {
	t.Parallel()
	api, _, stop := start(t, "--data", t.TempDir(), "--link", "127.0.0.1:0", "--api", "127.0.0.1:0", "--log-format", "json", "--api-tls", "true", "--names", "id.example,10.1.2.3")
	defer stop()
	conn, err := tls.Dial("tcp", api, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate is looked at below
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	leaf := conn.ConnectionState().PeerCertificates[0]
	for _, name := range []string{"id.example", "10.1.2.3", "localhost"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if leaf.Issuer.CommonName != "Drawbridge authority" {
		t.Errorf("the certificate was issued by %q", leaf.Issuer.CommonName)
	}
}

// The later of default, file, environment and flag holds.
func TestParse_order(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "coordinator.yaml")
	if err := os.WriteFile(file, []byte("data: /file\nlink: :1\napi: :2\nnames: [a, b]\ncertificate_life: 48h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string {
		return map[string]string{"DRAWBRIDGE_CONFIG": file, "DRAWBRIDGE_LINK": ":3", "DRAWBRIDGE_API": ":4"}[name]
	}
	c, err := parse([]string{"--api", ":5"}, &screen{}, env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/file" || c.Link != ":3" || c.API != ":5" || c.Tenant != "default" || len(c.Names) != 2 || c.CertificateLife != 48*time.Hour {
		t.Errorf("settings = %+v; want data of the file, link of the environment, api of the flag, tenant by default", c)
	}
}

// Everything wrong is said at once, each with what to write instead.
func TestParse_faults(t *testing.T) {
	t.Parallel()
	_, err := parse([]string{"--link", "8443", "--log-level", "loud", "--certificate-life", "1s"}, &screen{}, noEnv)
	if err == nil {
		t.Fatal("parse = nil; want errors")
	}
	for _, want := range []string{`link: "8443" is no address`, `log_level: "loud"`, "certificate_life: 1s is"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v; want %s in it", err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "coordinator.yaml")
	if err := os.WriteFile(file, []byte("link: :1\nlynk: :2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parse([]string{"--config", file}, &screen{}, noEnv); err == nil || !strings.Contains(err.Error(), "lynk") || !strings.Contains(err.Error(), "2") {
		t.Errorf("error of an unknown key = %v; want the key and its line", err)
	}
	if err := Run(t.Context(), []string{"serve"}, &screen{}, &screen{}, noEnv); err == nil || !strings.Contains(err.Error(), "serve") {
		t.Errorf("Run of an unknown verb = %v; want it named", err)
	}
}

// Who gets in stands in the same file; what is wrong with it is said with its place.
func TestParse_signIn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "coordinator.yaml")
	text := `public_url: https://id.corp.example
session_idle: 30m
require_reason: [approve-held]
sign_in:
  - name: corp
    issuer: https://login.corp.example
    client_id: x
    claim: roles
    roles: {administrator: [Admin], viewer: ["*"]}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse([]string{"--config", file, "--session-life", "8h", "--trusted-proxies", "10.0.0.0/8,::1"}, &screen{}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	got := c.options().Access
	if len(got.SignIn) != 1 || got.SignIn[0].Roles["administrator"][0] != "Admin" || got.SessionIdle != 30*time.Minute || got.SessionLife != 8*time.Hour || len(got.TrustedProxies) != 2 {
		t.Errorf("access = %+v; want what file and flags say", got)
	}
	for wrong, want := range map[string]string{"clame: roles": "clame", "roles: {root: [x]}": `no role "root"`} {
		if err := os.WriteFile(file, []byte(strings.Replace(strings.Replace(text, "claim: roles", wrong, 1), "    roles: {administrator", "    # {", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := parse([]string{"--config", file}, &screen{}, noEnv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s = %v; want %s named", wrong, err, want)
		}
	}
}

// admin-link has the coordinator that runs make another link, over its own TLS, too.
func TestRun_adminLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	api, stdout, stop := start(t, "--data", dir, "--link", "127.0.0.1:0", "--api", "127.0.0.1:0", "--log-format", "json", "--api-tls", "true")
	defer stop()
	var out screen
	if err := Run(t.Context(), []string{"admin-link", "--data", dir, "--api", api, "--api-tls", "true"}, &out, &screen{}, noEnv); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{stdout.String(), out.String()} {
		if !strings.Contains(text, "https://"+api+"/auth/link?token=") && !strings.Contains(text, "https://localhost:") {
			t.Errorf("printed %s; want a link", text)
		}
	}
	if err := Run(t.Context(), []string{"admin-link", "--data", t.TempDir(), "--api", api}, &out, &screen{}, noEnv); err == nil || !strings.Contains(err.Error(), "on the coordinator's host") {
		t.Errorf("admin-link elsewhere = %v; want where to run it", err)
	}
}

// An address that is taken is said, and nothing is left behind that would hinder the next start.
func TestRun_addressTaken(t *testing.T) {
	t.Parallel()
	api, _, stop := start(t, "--data", t.TempDir(), "--link", "127.0.0.1:0", "--api", "127.0.0.1:0", "--log-format", "json")
	defer stop()
	dir := t.TempDir()
	err := Run(t.Context(), []string{"--data", dir, "--link", "127.0.0.1:0", "--api", api}, &screen{}, &screen{}, noEnv)
	if err == nil || !strings.Contains(err.Error(), "listen for the API") {
		t.Errorf("Run on an address that is taken = %v; want it said", err)
	}
	_, _, again := start(t, "--data", dir, "--link", "127.0.0.1:0", "--api", "127.0.0.1:0", "--log-format", "json")
	again()
}
