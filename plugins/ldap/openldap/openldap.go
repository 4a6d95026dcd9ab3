// Package openldap is a rig: it runs a private slapd, as the real peer of the
// ldap connector ([Standard]), and for benchmarks that need a fast server
// written in C. Besides the usual schema it has one that looks like Active
// Directory's to a reader (user, sAMAccountName, objectGUID and so on). It is no
// domain controller: there is no DirSync and no computed attribute; those are
// in packages double and samba.
//
// How it may fail: slapd not installed ([ErrNotInstalled]), or as a
// [rig.Daemon] does.
package openldap

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
	"github.com/drawbridge-id/drawbridge/plugins/connkit/rig"
)

// Password of the administrator. It stands in no message by chance.
const Password = "rig-admin-5361"

// ErrNotInstalled says which package the rig wants.
var ErrNotInstalled = errors.New("slapd not installed: apt-get install --no-install-recommends slapd ldap-utils")

// Options say what server to run. The zero value is good.
type Options struct {
	Base string        // "" means DC=corp,DC=example,DC=test
	LDIF string        // file to load before the start, with slapadd; "" means only the base
	Wait time.Duration // for the server to answer; 0 means 30 s

	// Database are lines of slapd.conf for the database, such as [Standard];
	// "" means memberof for groups with the names of Active Directory. The
	// modules of its overlays are loaded.
	Database string
}

// A Server is a running slapd.
type Server struct {
	LDAP     string // ldap://127.0.0.1:PORT
	LDAPS    string // ldaps://127.0.0.1:PORT
	CAFile   string
	CA       *x509.CertPool
	Base     string
	AdminDN  string
	Password string
	Lines    string // for the database

	// Certificate and Key are paths of what the server shows; a client may sign
	// in with them, too, by SASL EXTERNAL.
	Certificate, Key string

	daemon *rig.Daemon
	dir    string
}

// Start runs a server and returns once it answers; [Server.Stop] ends it.
func Start(ctx context.Context, opt Options) (*Server, error) {
	slapd, err := lookPath("slapd")
	if err != nil {
		return nil, ErrNotInstalled
	}
	if opt.Base == "" {
		opt.Base = "DC=corp,DC=example,DC=test"
	}
	if opt.Wait == 0 {
		opt.Wait = 30 * time.Second
	}
	s := &Server{Base: opt.Base, AdminDN: "cn=admin," + opt.Base, Password: Password}
	if s.daemon, err = rig.New("OpenLDAP", ""); err != nil {
		return nil, err
	}
	s.dir = s.daemon.Dir
	if err := s.prepare(ctx, opt); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare slapd: %w", err), s.Stop())
	}
	if err := s.run(ctx, slapd, opt.Wait); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// StartTest is [Start] for a test: it stops the server when the test ends, and
// skips where slapd is missing unless TEST_REQUIRE names openldap or CI is set.
func StartTest(t testing.TB, opt Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), opt)
	rig.ForTest(t, "openldap", err, ErrNotInstalled, func() error { return s.Stop() })
	return s
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error { return s.daemon.Remove() }

func (s *Server) prepare(ctx context.Context, opt Options) error {
	authority, _, err := ca.Write(s.dir, "OpenLDAP rig", "127.0.0.1")
	if err != nil {
		return err
	}
	s.CA, s.CAFile = authority.Pool(), filepath.Join(s.dir, "ca.pem")
	s.Certificate, s.Key = filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		return err
	}
	if opt.Database == "" {
		opt.Database = overlays
	}
	modules := ""
	for line := range strings.Lines(opt.Database) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "overlay "); ok && !strings.Contains(modules, name) {
			modules += "moduleload " + name + "\n"
		}
	}
	s.Lines = opt.Database
	conf := strings.NewReplacer("DATABASE", opt.Database, "MODULES", modules).Replace(config)
	conf = strings.NewReplacer("DIR", s.dir, "BASE", opt.Base, "ADMIN", s.AdminDN, "SECRET", s.Password).Replace(conf)
	if err := os.WriteFile(filepath.Join(s.dir, "slapd.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	first, _, _ := strings.Cut(opt.Base, ",")
	_, label, _ := strings.Cut(first, "=")
	first = "dn: " + opt.Base + "\nobjectClass: top\nobjectClass: dcObject\nobjectClass: organization\no: " + label + "\ndc: " + label + "\n\n"
	ldif := io.Reader(strings.NewReader(first))
	if opt.LDIF != "" {
		more, err := os.Open(opt.LDIF)
		if err != nil {
			return err
		}
		defer more.Close()
		ldif = io.MultiReader(ldif, more)
	}
	slapadd, err := lookPath("slapadd")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, slapadd, "-q", "-f", filepath.Join(s.dir, "slapd.conf"))
	cmd.Stdin = ldif
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("slapadd: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) run(ctx context.Context, slapd string, wait time.Duration) error {
	plain, err := rig.FreeAddress()
	if err != nil {
		return err
	}
	s.LDAP, s.LDAPS = "ldap://"+plain, "ldaps://"+s.daemon.Address
	return s.daemon.Start(ctx, wait, func(ctx context.Context) bool { return rig.Answers(ctx, s.daemon.Address) },
		slapd, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.LDAP+" "+s.LDAPS)
}

func lookPath(prog string) (string, error) {
	if p, err := exec.LookPath(prog); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/" + prog)
}
