// Package postgres is a rig: it runs a private PostgreSQL of the host's
// packages on a port of its own, with TLS, in a temporary folder. Its standby
// follows it and can be promoted, for tests of a fail-over.
//
// How it may fail: PostgreSQL is not installed ([ErrNotInstalled]), or a server
// that ends or does not answer in time (the tail of its log is in the error).
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
)

// ErrNotInstalled says which package the rig wants.
var ErrNotInstalled = errors.New("PostgreSQL not installed: apt-get install --no-install-recommends postgresql")

// wait is how long a server may take to answer.
const wait = 60 * time.Second

// A Server is a running PostgreSQL, or a stopped one that can be started again.
type Server struct {
	Address  string // 127.0.0.1:PORT
	User     string // a superuser
	Password string
	CAFile   string // of its certificate, in PEM

	bin, dir string
	cmd      *exec.Cmd
	exited   chan struct{}
}

// Start runs a new server and returns once it answers; [Server.Remove] ends it.
func Start(ctx context.Context) (*Server, error) {
	s, err := empty()
	if err != nil {
		return nil, err
	}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare PostgreSQL: %w", err), s.Remove())
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

// StartTest is [Start] for a test: it removes the server when the test ends, and
// skips where it is missing unless TEST_REQUIRE names postgresql or CI is set.
func StartTest(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.Context())
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "postgresql")
	if errors.Is(err, ErrNotInstalled) && !required {
		t.Skipf("LEFT OUT: postgresql: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Errorf("remove PostgreSQL: %v", err)
		}
	})
	return s
}

// URL returns how pgx connects to a database, over TLS that is not checked.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=require", s.User, s.Password, s.Address, database)
}

// Start starts a server that was stopped, on the same port.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	_, port, _ := strings.Cut(s.Address, ":")
	s.cmd, s.exited = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", port, "-k", s.dir), make(chan struct{})
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	if err := start(s.cmd, s.exited); err != nil {
		s.cmd = nil
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		if s.run(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", port) == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("PostgreSQL ended:\n%s", s.tail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", context.Cause(ctx), s.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the server at once, as a crash does; what it holds stays.
func (s *Server) Stop() error {
	if s.cmd != nil {
		_ = stop(s.cmd) // it may have ended by itself
		<-s.exited
		s.cmd = nil
	}
	return nil
}

// Remove ends the server and removes its folder.
func (s *Server) Remove() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }

// Standby returns a new server that follows this one and takes reads alone.
func (s *Server) Standby(ctx context.Context) (*Server, error) {
	b, err := empty()
	if err != nil {
		return nil, err
	}
	b.Password, b.CAFile = s.Password, s.CAFile
	_, port, _ := strings.Cut(s.Address, ":")
	if err := b.run(ctx, "pg_basebackup", "-h", s.dir, "-p", port, "-U", s.User, "-D", b.data(), "-R", "-X", "stream", "-c", "fast"); err != nil {
		return nil, errors.Join(err, b.Remove())
	}
	if err := b.Start(ctx); err != nil {
		return nil, errors.Join(err, b.Remove())
	}
	return b, nil
}

// Promote makes a standby a server of its own, which takes writes.
func (s *Server) Promote(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "-D", s.data(), "promote", "-w")
}

func empty() (*Server, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, ErrNotInstalled
	}
	slices.Sort(found)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Address: listener.Addr().String(), User: "postgres", Password: "rig-secret", bin: filepath.Dir(found[len(found)-1])}
	listener.Close()
	if s.dir, err = os.MkdirTemp("", "postgres-"); err != nil {
		return nil, err
	}
	return s, own(s.dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) create(ctx context.Context) error {
	if _, _, err := ca.Write(s.dir, "PostgreSQL rig", "127.0.0.1"); err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(s.Password), 0o600); err != nil {
		return err
	}
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem", "password"} {
		if err := own(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	if err := s.run(ctx, "initdb", "-D", s.data(), "-U", s.User, "-E", "UTF8", "--locale=C.UTF-8", "-N",
		"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+password); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	// A rig may lose what it holds when the machine fails, not when it is killed.
	_, err = fmt.Fprintf(f, "listen_addresses='127.0.0.1'\nfsync=off\nfull_page_writes=off\nmax_connections=200\nwal_level=replica\nssl=on\nssl_cert_file='%[1]s/cert.pem'\nssl_key_file='%[1]s/key.pem'\n", s.dir)
	return errors.Join(err, f.Close())
}

// run runs one of PostgreSQL's programs to its end.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	as(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

func (s *Server) tail() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text[max(0, len(text)-2000):])
}
