// Package oidcrig is a rig: it runs an OpenID Connect provider that other people
// wrote, the npm package oidc-provider on Node, for the tests of sign-in. `make
// rigs` installs it below build/, as package-lock.json pins it; server.mjs is
// the program. [Browser] walks through its pages as a person does.
//
// How it may fail: Node or the package is not there ([ErrNotInstalled]), or the
// server ends or does not answer in time (its last words are in the error).
package oidcrig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ErrNotInstalled says what the rig wants.
var ErrNotInstalled = errors.New("node or the npm package oidc-provider is not installed: make rigs")

// Options say what provider to run.
type Options struct {
	Issuer        string                    `json:"issuer"` // its address, where it is reached through something else; empty: its own
	Clients       []Client                  `json:"clients"`
	People        map[string]map[string]any `json:"people"`        // by sub, their claims
	ClaimsInToken bool                      `json:"claimsInToken"` // claims stand in the ID token; else userinfo alone has them
}

// A Client may have people sign in. One with the ID "brief" gets ID tokens that are good for a second.
type Client struct {
	ID     string   `json:"id"`
	Secret string   `json:"secret"` // empty: a public client
	Back   []string `json:"back"`   // addresses to come back to
}

// A Server is a running one.
type Server struct {
	Listen string // its own address, host:port

	cmd   *exec.Cmd
	stdin io.Closer
	said  *bytes.Buffer
}

// Start runs a provider and returns when it answers; [Server.Stop] ends it. It
// ends with this process, too.
func Start(ctx context.Context, opt Options) (*Server, error) {
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Dir(here)
	modules := filepath.Join(folder, "..", "..", "..", "build", "oidc")
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, ErrNotInstalled
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "oidc-provider")); err != nil {
		return nil, ErrNotInstalled
	}
	rig, err := json.Marshal(opt)
	if err != nil {
		return nil, err
	}
	s := &Server{said: &bytes.Buffer{}}
	s.cmd = exec.Command(node, filepath.Join(folder, "server.mjs"))
	s.cmd.Env = append(os.Environ(), "OIDC_MODULES="+modules, "OIDC_RIG="+string(rig))
	s.cmd.Stderr = s.said
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	line := make(chan []byte, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() { // what it warns of comes first
			if bytes.HasPrefix(lines.Bytes(), []byte("{")) {
				line <- bytes.Clone(lines.Bytes())
				_, _ = io.Copy(io.Discard, stdout)
				return
			}
		}
		line <- nil
	}()
	select {
	case text := <-line:
		err = json.Unmarshal(text, s)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(time.Minute):
		err = errors.New("no answer within a minute")
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("oidc-provider does not serve: %w: %s", err, s.said)
	}
	return s, nil
}

// StartTest is [Start] for a test: it stops the provider when the test ends, and
// skips where the rig is not installed unless TEST_REQUIRE names oidc-provider
// or CI is set.
func StartTest(t testing.TB, opt Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), opt)
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "oidc-provider")
	if errors.Is(err, ErrNotInstalled) && !required {
		t.Skipf("LEFT OUT: oidc-provider: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the provider.
func (s *Server) Stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()
}
