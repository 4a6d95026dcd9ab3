// Package mariadb is a rig: it runs a private MariaDB of the host's packages on
// a port of its own, with TLS, in a temporary folder.
//
// How it may fail: MariaDB is not installed ([ErrNotInstalled]), or as a
// [rig.Daemon] does.
package mariadb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
	"github.com/drawbridge-id/drawbridge/plugins/connkit/rig"
)

// ErrNotInstalled says which package the rig wants.
var ErrNotInstalled = errors.New("MariaDB not installed: apt-get install --no-install-recommends mariadb-server")

// A Server is a running MariaDB, or a stopped one that can be started again.
type Server struct {
	*rig.Daemon
	User     string // with every right
	Password string
	Database string // an empty one
	CAFile   string // of its certificate, in PEM
}

const program = "/usr/sbin/mariadbd"

// Start runs a new server and returns once it answers; Remove ends it.
func Start(ctx context.Context) (*Server, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if _, stat := os.Stat(program); err != nil || stat != nil {
		return nil, ErrNotInstalled
	}
	d, err := rig.New("MariaDB", "mysql")
	if err != nil {
		return nil, err
	}
	s := &Server{Daemon: d, User: "rig", Password: "rig-secret", Database: "rig"}
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
	rig.ForTest(t, "mariadb", err, ErrNotInstalled, func() error { return s.Remove() })
	return s
}

// Start starts a server that was stopped, on the same port.
func (s *Server) Start(ctx context.Context) error {
	dir := s.Dir
	return s.Daemon.Start(ctx, time.Minute, func(ctx context.Context) bool { return rig.Answers(ctx, s.Address) },
		program, "--no-defaults", "--datadir="+dir+"/data", "--port="+s.Port(), "--bind-address=127.0.0.1",
		"--socket="+dir+"/socket", "--pid-file="+dir+"/pid", "--init-file="+dir+"/init.sql", "--ssl-ca="+dir+"/ca.pem",
		"--ssl-cert="+dir+"/cert.pem", "--ssl-key="+dir+"/key.pem", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve")
}

func (s *Server) create(ctx context.Context, install string) error {
	if _, _, err := ca.Write(s.Dir, "MariaDB rig", "127.0.0.1"); err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.Dir, "ca.pem")
	sql := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4;\nCREATE OR REPLACE USER '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%[2]s'@'%%' WITH GRANT OPTION;\n", s.Database, s.User, s.Password)
	init := filepath.Join(s.Dir, "init.sql")
	if err := os.WriteFile(init, []byte(sql), 0o600); err != nil {
		return err
	}
	if err := s.Own(s.CAFile, filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem"), init); err != nil {
		return err
	}
	return s.Run(ctx, install, "--no-defaults", "--datadir="+s.Dir+"/data", "--auth-root-authentication-method=normal", "--skip-test-db")
}
