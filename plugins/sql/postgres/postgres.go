// Package postgres is a rig: it runs a private PostgreSQL of the host's
// packages on a port of its own, with TLS, in a temporary folder. Its standby
// follows it and can be promoted, for tests of a fail-over.
//
// How it may fail: PostgreSQL is not installed ([ErrNotInstalled]), or as a
// [rig.Daemon] does.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
	"github.com/drawbridge-id/drawbridge/plugins/connkit/rig"
)

// ErrNotInstalled says which package the rig wants.
var ErrNotInstalled = errors.New("PostgreSQL not installed: apt-get install --no-install-recommends postgresql")

// A Server is a running PostgreSQL, or a stopped one that can be started again.
type Server struct {
	*rig.Daemon
	User     string // a superuser
	Password string
	CAFile   string // of its certificate, in PEM

	bin string
}

// Start runs a new server and returns once it answers; Remove ends it.
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
	rig.ForTest(t, "postgresql", err, ErrNotInstalled, func() error { return s.Remove() })
	return s
}

// URL returns how pgx connects to a database, over TLS that is not checked.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=require", s.User, s.Password, s.Address, database)
}

// Start starts a server that was stopped, on the same port.
func (s *Server) Start(ctx context.Context) error {
	ready := func(ctx context.Context) bool {
		return s.run(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", s.Port()) == nil
	}
	return s.Daemon.Start(ctx, time.Minute, ready, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", s.Port(), "-k", s.Dir)
}

// Standby returns a new server that follows this one and takes reads alone.
func (s *Server) Standby(ctx context.Context) (*Server, error) {
	b, err := empty()
	if err != nil {
		return nil, err
	}
	b.Password, b.CAFile = s.Password, s.CAFile
	if err := b.run(ctx, "pg_basebackup", "-h", s.Dir, "-p", s.Port(), "-U", s.User, "-D", b.data(), "-R", "-X", "stream", "-c", "fast"); err != nil {
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
	d, err := rig.New("PostgreSQL", "postgres")
	if err != nil {
		return nil, err
	}
	d.Family = true
	return &Server{Daemon: d, User: "postgres", Password: "rig-secret", bin: filepath.Dir(found[len(found)-1])}, nil
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) create(ctx context.Context) error {
	if _, _, err := ca.Write(s.Dir, "PostgreSQL rig", "127.0.0.1"); err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.Dir, "ca.pem")
	password := filepath.Join(s.Dir, "password")
	if err := os.WriteFile(password, []byte(s.Password), 0o600); err != nil {
		return err
	}
	if err := s.Own(s.CAFile, filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem"), password); err != nil {
		return err
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
	_, err = fmt.Fprintf(f, "listen_addresses='127.0.0.1'\nfsync=off\nfull_page_writes=off\nmax_connections=200\nwal_level=replica\nssl=on\nssl_cert_file='%[1]s/cert.pem'\nssl_key_file='%[1]s/key.pem'\n", s.Dir)
	return errors.Join(err, f.Close())
}

// run runs one of PostgreSQL's programs to its end.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	return s.Run(ctx, filepath.Join(s.bin, program), args...)
}
