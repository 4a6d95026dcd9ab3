// Package mariadb is a rig: it runs a private MariaDB of the host's packages on
// a port of its own, with TLS, in a temporary folder.
//
// How it may fail: MariaDB is not installed ([ErrNotInstalled]), or a server
// that ends or does not answer in time (the tail of its log is in the error).
package mariadb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
)

// ErrNotInstalled says which package the rig wants.
var ErrNotInstalled = errors.New("MariaDB not installed: apt-get install --no-install-recommends mariadb-server")

// wait is how long a server may take to answer.
const wait = 60 * time.Second

// A Server is a running MariaDB, or a stopped one that can be started again.
type Server struct {
	Address  string // 127.0.0.1:PORT
	User     string // with every right
	Password string
	Database string // an empty one
	CAFile   string // of its certificate, in PEM

	dir    string
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start runs a new server and returns once it answers; [Server.Remove] ends it.
func Start(ctx context.Context) (*Server, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if _, stat := os.Stat(program); err != nil || stat != nil {
		return nil, ErrNotInstalled
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Address: listener.Addr().String(), User: "rig", Password: "rig-secret", Database: "rig"}
	listener.Close()
	if s.dir, err = os.MkdirTemp("", "mariadb-"); err != nil {
		return nil, err
	}
	if err := s.create(ctx, install); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare MariaDB: %w", err), s.Remove())
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

// StartTest is [Start] for a test: it removes the server when the test ends, and
// skips where it is missing unless TEST_REQUIRE names mariadb or CI is set.
func StartTest(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.Context())
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "mariadb")
	if errors.Is(err, ErrNotInstalled) && !required {
		t.Skipf("LEFT OUT: mariadb: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Errorf("remove MariaDB: %v", err)
		}
	})
	return s
}

const program = "/usr/sbin/mariadbd"

// Start starts a server that was stopped, on the same port.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	_, port, _ := strings.Cut(s.Address, ":")
	s.cmd = exec.Command(program, "--no-defaults", "--datadir="+s.dir+"/data", "--port="+port, "--bind-address=127.0.0.1",
		"--socket="+s.dir+"/socket", "--pid-file="+s.dir+"/pid", "--init-file="+s.dir+"/init.sql", "--ssl-ca="+s.dir+"/ca.pem",
		"--ssl-cert="+s.dir+"/cert.pem", "--ssl-key="+s.dir+"/key.pem", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve")
	s.cmd.Dir, s.cmd.Env = s.dir, s.environment()
	s.cmd.Stdout, s.cmd.Stderr, s.exited = log, log, make(chan struct{})
	if err := start(s.cmd, s.exited); err != nil {
		s.cmd = nil
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		if conn, err := net.Dial("tcp", s.Address); err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("MariaDB ended:\n%s", s.tail())
		case <-ctx.Done():
			return fmt.Errorf("MariaDB does not answer: %w\n%s", context.Cause(ctx), s.tail())
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

func (s *Server) create(ctx context.Context, install string) error {
	if _, _, err := ca.Write(s.dir, "MariaDB rig", "127.0.0.1"); err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	sql := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4;\nCREATE OR REPLACE USER '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%[2]s'@'%%' WITH GRANT OPTION;\n", s.Database, s.User, s.Password)
	if err := os.WriteFile(filepath.Join(s.dir, "init.sql"), []byte(sql), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.dir, "tmp"), 0o700); err != nil {
		return err
	}
	for _, name := range []string{"", "tmp", "ca.pem", "cert.pem", "key.pem", "init.sql"} {
		if err := own(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+s.dir+"/data", "--auth-root-authentication-method=normal", "--skip-test-db")
	cmd.Dir, cmd.Env = s.dir, s.environment()
	as(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

// environment gives the server temporary tables of its own: one that starts
// removes every "#sql*" file that it finds, those of its neighbours too.
func (s *Server) environment() []string { return append(os.Environ(), "TMPDIR="+s.dir+"/tmp") }

func (s *Server) tail() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text[max(0, len(text)-2000):])
}
