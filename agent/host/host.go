// Package host runs connectors: each as a process of its own, made from an
// executable that is pinned by its SHA-256, spoken to by gRPC over mutual TLS.
//
// A [Process] is one life, from start to kill. There is no restart inside:
// whoever holds a process that was lost kills it and starts another, because a
// go-plugin client cannot be used again. When to do so is agent/runner's.
//
//	Start ──► Describe ──► Open ──► Apply, Read, Find, Probe, Schema, Watch
//	  │                                 │
//	  └── on any error: Kill            └── lost: ErrLost for every call under way
//
// What may go wrong, and what becomes of it:
//
//   - The executable is another than the pinned one: [PinError], nothing is run.
//   - The process ends, or its answers stop making sense: every call under way
//     returns [ErrLost]. Its operation may have happened or not.
//   - The process freezes: while calls wait it is asked every 10 s for a sign
//     of life, and killed when none comes within another 10 s. A call that takes
//     too long although the process lives has it killed as well.
//   - It takes too much memory: the system refuses it more, by which it ends
//     (a resource limit on Linux, a job object on Windows).
//   - The agent dies: the operating system kills the process (parent-death
//     signal on Linux, a job object on Windows), and the connector ends by itself
//     when its connection closes. A process is never attached to again.
package host

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Protocol is the highest version of the connector contract that the agent speaks.
const Protocol = 1

// Errors to test for with [errors.Is].
var (
	// ErrLost says that the process is gone. What was under way may have happened.
	ErrLost = errors.New("connector process lost")
	// ErrUnknown says that no executable serves a connector of that name.
	ErrUnknown = errors.New("no such connector here")
)

// A PinError says that an executable is not the one that was pinned.
type PinError struct {
	Path, Want, Got string // the hashes in hexadecimal
}

func (e *PinError) Error() string {
	return fmt.Sprintf("%s is not the pinned executable and was not started: its SHA-256 is %s, agent.yaml says %s; "+
		"if it was updated on purpose, compare the new hash with the one published for the release and put it into agent.yaml, else find out who changed the file",
		e.Path, e.Got, e.Want)
}

// An Executable holds connectors.
type Executable struct {
	Path   string
	SHA256 string   // in hexadecimal
	Serves []string // names of the connectors in it
}

// Options adjust a host. The zero value is the one to use in production.
type Options struct {
	StartWait time.Duration // for a process to answer; 0 means 20 s
	CallWait  time.Duration // for one operation or look-up; 0 means 2 min
	ReadWait  time.Duration // for the next response of a read; 0 means 5 min
	PingEvery time.Duration // between signs of life, and for one; 0 means 10 s
	Memory    uint64        // bytes that a process may take; 0 means 2 GiB
}

// A Host starts connectors. It is safe for concurrent use.
type Host struct {
	log         *slog.Logger
	dir         string
	opt         Options
	executables map[string]Executable // by connector

	mu        sync.Mutex
	described map[string]*connectorv1.DescribeResponse
}

// The longest name of a socket below the host's folder, as go-plugin makes them,
// and what a socket's path may have, on Linux and on Windows: sun_path without its end.
const (
	longestSocket  = "/c4294967295/plugin4294967295"
	longestAddress = 107
)

// New returns a host of executables. The sockets of its processes are in dir,
// which is emptied; it should have a short path and belong to the agent alone.
func New(dir string, executables []Executable, opt Options, log *slog.Logger) (*Host, error) {
	opt.StartWait = cmp.Or(opt.StartWait, 20*time.Second)
	opt.CallWait = cmp.Or(opt.CallWait, 2*time.Minute)
	opt.ReadWait = cmp.Or(opt.ReadWait, 5*time.Minute)
	opt.PingEvery = cmp.Or(opt.PingEvery, 10*time.Second)
	opt.Memory = cmp.Or(opt.Memory, 2<<30)
	if over := len(dir) + len(longestSocket) - longestAddress; over > 0 {
		return nil, fmt.Errorf("the path of the data folder is %d bytes too long: connectors listen at sockets in %s, and an operating system takes %d bytes for a socket's path; give a shorter data in agent.yaml",
			over, dir, longestAddress)
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("prepare folder for connectors' sockets: %w", err)
	}
	if err := Contain(); err != nil {
		return nil, fmt.Errorf("bind connectors' lives to the agent's: %w", err)
	}
	h := &Host{log: log, dir: dir, opt: opt,
		executables: make(map[string]Executable), described: make(map[string]*connectorv1.DescribeResponse)}
	for _, e := range executables {
		for _, name := range e.Serves {
			h.executables[name] = e
		}
	}
	return h, nil
}

// Names returns the connectors that may be started, in ascending order.
func (h *Host) Names() []string { return slices.Sorted(maps.Keys(h.executables)) }

// Describe returns what a connector says of itself. The first call of each name
// starts a process for it and ends it again.
func (h *Host) Describe(ctx context.Context, name string) (*connectorv1.DescribeResponse, error) {
	h.mu.Lock()
	d := h.described[name]
	h.mu.Unlock()
	if d != nil {
		return d, nil
	}
	p, err := h.Start(ctx, name)
	if err != nil {
		return nil, err
	}
	p.Kill()
	return p.Description(), nil
}

// Installed describes every connector. One that cannot be described is left
// out and logged.
func (h *Host) Installed(ctx context.Context) []*connectorv1.DescribeResponse {
	var all []*connectorv1.DescribeResponse
	for _, name := range h.Names() {
		d, err := h.Describe(ctx, name)
		if err != nil {
			h.log.ErrorContext(ctx, "Connector cannot be used", "connector", name, "err", err)
			continue
		}
		all = append(all, d)
	}
	return all
}

// Start runs a process of the connector and asks what it is. The caller must
// [Process.Kill] it. ctx bounds the start, not the life. Errors: [ErrUnknown],
// *[PinError], [ErrLost].
func (h *Host) Start(ctx context.Context, name string) (*Process, error) {
	exe, ok := h.executables[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q; connectors named in agent.yaml: %s", ErrUnknown, name, cmp.Or(strings.Join(h.Names(), ", "), "none"))
	}
	pin, err := hex.DecodeString(exe.SHA256)
	if err != nil || len(pin) != sha256.Size {
		return nil, &PinError{Path: exe.Path, Want: exe.SHA256, Got: "not looked at, because that is no SHA-256"}
	}
	p, err := h.spawn(ctx, name, exe, pin)
	if err != nil {
		return nil, fmt.Errorf("start connector %q: %w", name, err)
	}
	if err := p.describe(ctx); err != nil {
		p.Kill()
		return nil, fmt.Errorf("start connector %q: %w", name, err)
	}
	h.mu.Lock()
	h.described[name] = p.description
	h.mu.Unlock()
	h.log.InfoContext(ctx, "Connector started", "connector", name, "version", p.description.GetVersion(), "pid", p.pid)
	return p, nil
}

// command is what is run. Its sockets are in a folder of its own below the host's.
func (h *Host) command(exe Executable, name string) (*exec.Cmd, string, error) {
	sockets, err := os.MkdirTemp(h.dir, "c")
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(exe.Path, name)
	cmd.Dir = filepath.Dir(exe.Path)
	cmd.Env = append(environment(os.Environ()), "PLUGIN_UNIX_SOCKET_DIR="+sockets)
	Isolate(cmd)
	return cmd, sockets, nil
}

// passed are the variables that a connector gets of the agent's environment.
var passed = []string{
	"PATH", "TZ", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5_CONFIG",
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "PROGRAMDATA",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
}

// environment leaves of the agent's what a connector may see: nothing that may
// be a secret, and so no proxy that is given with a password.
func environment(all []string) []string {
	var left []string
	for _, entry := range all {
		name, value, _ := strings.Cut(entry, "=")
		name = strings.ToUpper(name)
		if slices.Contains(passed, name) && !(strings.HasSuffix(name, "_PROXY") && strings.Contains(value, "@")) {
			left = append(left, entry)
		}
	}
	return left
}

// Sum returns the SHA-256 of a file, in hexadecimal.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
