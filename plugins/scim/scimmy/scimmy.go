// Package scimmy is a rig: it runs a SCIM server that other people wrote, the
// npm packages scimmy and scimmy-routers on Node, for the tests and benchmarks
// of the scim connector. `make rigs` installs them below build/, as
// package-lock.json pins them; server.mjs is the program.
//
// How it may fail: Node or the packages are not there ([ErrNotInstalled]), or
// the server ends or does not answer in time (its last words are in the error).
package scimmy

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
var ErrNotInstalled = errors.New("node or the npm packages scimmy and scimmy-routers are not installed: make rigs")

// Options say what server to run. The zero value is SCIMMY as it is.
type Options struct {
	Versions bool // objects have versions, which SCIMMY leaves to its users
}

// A Server is a running one.
type Server struct {
	URL   string // base address of the interface
	Token string // bearer token

	cmd   *exec.Cmd
	stdin io.Closer
	said  *bytes.Buffer
}

// Start runs a server and returns when it answers; [Server.Stop] ends it. It
// ends with this process, too.
func Start(ctx context.Context, opt Options) (*Server, error) {
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Dir(here)
	modules := filepath.Join(folder, "..", "..", "..", "build", "scimmy")
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, ErrNotInstalled
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "scimmy-routers")); err != nil {
		return nil, ErrNotInstalled
	}
	s := &Server{Token: "scimmy-token-4711", said: &bytes.Buffer{}}
	s.cmd = exec.Command(node, filepath.Join(folder, "server.mjs"))
	s.cmd.Env = append(os.Environ(), "SCIMMY_MODULES="+modules, "SCIMMY_TOKEN="+s.Token, "NODE_ENV=production")
	if opt.Versions {
		s.cmd.Env = append(s.cmd.Env, "SCIMMY_VERSIONS=yes")
	}
	s.cmd.Stderr = s.said
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.stdin = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	line := make(chan []byte, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- text
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
		return nil, fmt.Errorf("scimmy does not serve: %w: %s", err, s.said)
	}
	return s, nil
}

// StartTest is [Start] for a test: it stops the server when the test ends, and
// skips where the rig is not installed unless TEST_REQUIRE names scimmy or CI is
// set.
func StartTest(t testing.TB, opt Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), opt)
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "scimmy")
	if errors.Is(err, ErrNotInstalled) && !required {
		t.Skipf("LEFT OUT: scimmy: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()
}
