// Package rig is what rigs of real servers share: a [Daemon] is one server's
// process on a port of its own, with a folder that goes with it. The rigs
// themselves know their server: plugins/sql/mariadb, plugins/sql/postgres,
// plugins/ldap/openldap.
//
// How it may fail: a server that ends or does not answer in time; the tail of
// its log is in the error.
package rig

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
)

// A Daemon is a server that runs, or one that was stopped and can be started
// again. It is for one goroutine.
type Daemon struct {
	Address string // 127.0.0.1:PORT
	Dir     string // its folder
	Family  bool   // it is several processes, of which the first ends the others at SIGQUIT

	name   string // for people
	user   string // whose process it is where the rig is root; "": root's
	cmd    *exec.Cmd
	exited chan struct{}
}

// New returns a daemon that is not started, with an empty folder and a port
// that was free. The server's name is for people; user is whom it runs as where
// the rig is root, because it refuses root, or "".
func New(name, user string) (*Daemon, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	d := &Daemon{Address: address, name: name, user: user}
	if d.Dir, err = os.MkdirTemp("", strings.ToLower(name)+"-"); err != nil {
		return nil, err
	}
	return d, errors.Join(os.Mkdir(d.temporary(), 0o700), d.Own(d.Dir, d.temporary()))
}

// temporary is a folder for the server's temporary files: MariaDB, when it
// starts, removes those of its kind that it finds, its neighbours' too.
func (d *Daemon) temporary() string { return filepath.Join(d.Dir, "tmp") }

func (d *Daemon) environment() []string { return append(os.Environ(), "TMPDIR="+d.temporary()) }

// FreeAddress returns an address of this host at which nothing listens.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Port is that of the address.
func (d *Daemon) Port() string {
	_, port, _ := strings.Cut(d.Address, ":")
	return port
}

// Own gives paths to the user that the server runs as.
func (d *Daemon) Own(paths ...string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, d.own(path))
	}
	return errors.Join(errs...)
}

// Run runs one of the server's programs to its end, as the server's user.
func (d *Daemon) Run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = d.Dir, d.environment()
	d.as(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, out)
	}
	return nil
}

// Start starts the server and returns once ready says that it answers, or
// after wait.
func (d *Daemon) Start(ctx context.Context, wait time.Duration, ready func(context.Context) bool, program string, args ...string) error {
	log, err := os.OpenFile(filepath.Join(d.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	d.cmd, d.exited = exec.Command(program, args...), make(chan struct{})
	d.cmd.Dir, d.cmd.Env, d.cmd.Stdout, d.cmd.Stderr = d.Dir, d.environment(), log, log
	if err := d.start(); err != nil {
		d.cmd = nil
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
	defer cancel()
	for !ready(ctx) {
		select {
		case <-d.exited:
			return fmt.Errorf("%s ended:\n%s", d.name, d.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", d.name, context.Cause(ctx), d.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Answers tells whether somebody listens at address.
func Answers(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said
	return true
}

// Stop ends the server at once, as a crash does; what it holds stays.
func (d *Daemon) Stop() error {
	if d.cmd != nil {
		_ = d.stop() // it may have ended by itself
		<-d.exited
		d.cmd = nil
	}
	return nil
}

// Remove ends the server and removes its folder.
func (d *Daemon) Remove() error { return errors.Join(d.Stop(), os.RemoveAll(d.Dir)) }

func (d *Daemon) tail() string {
	text, _ := os.ReadFile(filepath.Join(d.Dir, "log"))
	return string(text[max(0, len(text)-2000):])
}

// ForTest skips a test whose server is not installed, unless TEST_REQUIRE names
// the rig or CI is set, ends it on any other error of the rig's start, and has
// the server removed with it.
func ForTest(t testing.TB, name string, err, notInstalled error, remove func() error) {
	t.Helper()
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), name)
	if errors.Is(err, notInstalled) && !required {
		t.Skipf("LEFT OUT: %s: %v", name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Errorf("remove %s: %v", name, err)
		}
	})
}
