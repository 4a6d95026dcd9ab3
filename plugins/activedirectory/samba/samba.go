// Package samba is a rig: it provisions and runs a real Active Directory
// domain controller, Samba from Debian's packages, for tests and for
// `make demo AD=samba`. It needs root, for Samba serves LDAP on its own port.
//
// Every [Domain] has an address of its own in 127.64.0.0/10, so that many run
// side by side, and a temp folder that goes with it. A domain is provisioned
// once (about five seconds) and kept as a template below the user's cache
// folder; each start copies the template, gives it an address and a
// certificate, and has the server up in about two seconds.
//
// How it may fail: packages missing ([ErrNotInstalled], which names them), not
// root, provisioning (its output is in the error), or a server that ends or
// does not answer in time (the tail of its log is in the error).
//
// Kerberos: the KDC listens on the same address. URLs hold the address, not a
// name, because nothing resolves the name; so a GSSAPI client must be told the
// service principal, [Domain.SPN], and use [Domain.Krb5Conf]. Go's gokrb5 does
// with those two. C programs get KRB5_CONFIG and need the host name in
// /etc/hosts.
package samba

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ErrNotInstalled says which packages the rig wants; any other error is a fault.
var ErrNotInstalled = errors.New("samba domain controller not installed: " +
	"apt-get install --no-install-recommends samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind krb5-user")

// Options say what domain to run. The zero value is what tests want.
type Options struct {
	Realm         string        // DNS name in upper case; "" means CORP.EXAMPLE.TEST
	AdminPassword string        // "" means one made with the template
	Address       string        // IP address; "" means a free one in 127.64.0.0/10
	Dir           string        // the domain's folder; "" means a temp folder removed by Stop
	CacheDir      string        // of templates; "" means drawbridge/samba below the user's cache folder
	Wait          time.Duration // for the server to answer; 0 means 60 s
	Log           *slog.Logger  // of the rig's own steps; nil means none
}

// A Domain is a running domain controller. Its fields are not to be changed.
type Domain struct {
	Address       string // IP address of LDAP (389, 636, 3268, 3269) and Kerberos (88, 464)
	LDAP          string // ldap://ADDRESS:389, for StartTLS
	LDAPS         string // ldaps://ADDRESS:636
	Host          string // dc1.corp.example.test; in the certificate beside the address
	CAFile        string // PEM of the CA that signed the server's certificate
	CA            *x509.CertPool
	BaseDN        string // DC=corp,DC=example,DC=test
	Realm         string // CORP.EXAMPLE.TEST
	NetBIOS       string // CORP
	AdminDN       string // CN=Administrator,CN=Users,…
	AdminUPN      string // Administrator@corp.example.test
	AdminPassword string
	SPN           string // ldap/dc1.corp.example.test
	Krb5Conf      string // path of a krb5.conf for this domain
	Dir           string // everything of this domain

	cmd     *exec.Cmd
	exited  chan struct{}
	tempDir bool
}

// Start runs a domain controller and returns once it answers over TLS. Ending
// ctx does not stop it; [Domain.Stop] does.
func Start(ctx context.Context, opt Options) (*Domain, error) {
	if !installed() {
		return nil, ErrNotInstalled
	}
	opt = withDefaults(opt)
	tmpl, err := openTemplate(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("samba template: %w", err)
	}
	d := &Domain{Dir: opt.Dir, exited: make(chan struct{})}
	if d.Dir == "" {
		if d.Dir, err = os.MkdirTemp("", "ad-samba-"); err != nil {
			return nil, err
		}
		d.tempDir = true
	}
	if err := d.prepare(tmpl, opt); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare samba in %s: %w", d.Dir, err), d.Stop())
	}
	if err := d.run(ctx, opt.Wait); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	opt.Log.InfoContext(ctx, "Domain controller up", "address", d.Address, "realm", d.Realm)
	return d, nil
}

// StartTest is [Start] for a test: it stops the domain when the test ends, and
// skips the test where Samba is not installed, unless TEST_REQUIRE names samba
// or CI is set: then a missing rig is a failure.
func StartTest(t testing.TB, opt Options) *Domain {
	t.Helper()
	d, err := Start(t.Context(), opt)
	if errors.Is(err, ErrNotInstalled) && !required() {
		t.Skipf("LEFT OUT: samba: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Errorf("stop samba: %v", err)
		}
	})
	return d
}

// Tool runs samba-tool on the domain, for example
//
//	d.Tool(ctx, "dsacl", "set", "--action=allow", "--objectdn="+ou, "--sddl=…")
//	d.Tool(ctx, "user", "create", "svc", "Passw0rd!")
//
// and returns its output. It works on the live database.
func (d *Domain) Tool(ctx context.Context, args ...string) (string, error) {
	return tool(ctx, append(args, "-s", filepath.Join(d.Dir, "etc", "smb.conf")))
}

// Keytab writes the Kerberos keys of an account, such as "Administrator", to
// path. They stay right until its password changes.
func (d *Domain) Keytab(ctx context.Context, account, path string) error {
	_, err := d.Tool(ctx, "domain", "exportkeytab", path, "--principal="+account)
	return err
}

// Stop ends the server with its children and removes a temp folder. Calling it
// again does nothing.
func (d *Domain) Stop() error {
	d.kill()
	if d.tempDir {
		return os.RemoveAll(d.Dir)
	}
	return nil
}

func withDefaults(opt Options) Options {
	if opt.Realm == "" {
		opt.Realm = "CORP.EXAMPLE.TEST"
	}
	opt.Realm = strings.ToUpper(opt.Realm)
	if opt.Wait == 0 {
		opt.Wait = time.Minute
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return opt
}

func installed() bool {
	for _, prog := range []string{"samba", "samba-tool"} {
		if _, err := lookPath(prog); err != nil {
			return false
		}
	}
	_, err := os.Stat("/usr/share/samba/setup/provision.ldif")
	return err == nil
}

// lookPath also finds what lies in sbin, which is not on everybody's path.
func lookPath(prog string) (string, error) {
	if p, err := exec.LookPath(prog); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/" + prog)
}

func required() bool {
	return os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "samba")
}

func tool(ctx context.Context, args []string) (string, error) {
	prog, err := lookPath("samba-tool")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, prog, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("samba-tool %s: %w\n%s", strings.Join(args[:min(2, len(args))], " "), err, out)
	}
	return string(out), nil
}
