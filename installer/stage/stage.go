// Package stage sets up a whole Drawbridge on one machine out of its built
// programs: a directory to write to (the double of Active Directory, or a real
// Samba domain), a coordinator, an agent with its connectors, and an HR file.
// The demonstration, the benchmarks and the end-to-end tests play on it.
//
//	workers.csv ─► csv ─┐                                        ┌─► activedirectory ─► directory
//	                    └─► agent ─── one gRPC stream ─── coordinator ◄─── HTTP API ◄─── the stage
//
// Everything is below one folder; every address is on the loopback; every
// program dies with the one that set the stage. What it does is what an admin
// would do, by the same commands.
package stage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// Names of the two systems on every stage.
const (
	Site = "hq"
	HR   = "hr"
	AD   = "corp-ad"
)

// Options say what to set up.
type Options struct {
	Bin    string   // Required. Folder of the built programs
	Dir    string   // Required. Folder for everything; made if absent
	Domain string   // "double" (the default) or "samba"
	Args   []string // Optional. Further arguments of the domain's program
	Store  string   // Optional. Address of a PostgreSQL database, for coordinators that share it; else a file
	// Connectors are Optional: programs below Bin that the agent has besides the
	// built-in ones, and which they serve.
	Connectors map[string]string
	// Between is Optional. It gives the address, on the same host, that is dialled
	// instead of the one given: what stands between two parts of the stage.
	Between func(address string) (string, error)
}

// A Stage is a running Drawbridge. Its processes may be killed and started
// again at will.
type Stage struct {
	Dir         string
	Domain      Domain
	Controller  *Process // of the domain
	Coordinator *Process
	Agent       *Process
	File        *File // the HR system
	API         *client.Client
	URL         string // of the API
	Link        string // address that the agent dials
	Directory   string // URL of the domain that the connector is given

	bin     string
	store   string            // address of the database, where it is not a file
	servers []*Server         // but the first
	also    map[string]string // programs and what they serve
}

// Build builds the programs into a folder, from the source that the caller is
// part of, and what else the arguments of go build name.
func Build(ctx context.Context, bin string, also ...string) error {
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", bin + "/",
		"./agent/cmd/drawbridge-agent", "./coordinator/cmd/drawbridge-coordinator", "./coordinator/cmd/drawbridge",
		"./plugins/cmd/drawbridge-connectors", "./plugins/activedirectory/double/cmd/ad-double", "./plugins/activedirectory/samba/cmd/ad-samba"}, also...)...)
	cmd.Dir = filepath.Join(filepath.Dir(here), "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// Start sets everything up but the systems, which Apply configures.
func Start(ctx context.Context, opt Options) (_ *Stage, err error) {
	s := &Stage{Dir: opt.Dir, bin: opt.Bin, store: opt.Store, also: opt.Connectors}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, dir := range []string{s.Dir, s.path("hr")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := s.startDomain(ctx, opt); err != nil {
		return nil, err
	}
	if err := s.startCoordinator(ctx); err != nil {
		return nil, err
	}
	if opt.Between != nil {
		if err := s.stand(opt.Between); err != nil {
			return nil, err
		}
	}
	if err := s.enroll(ctx); err != nil {
		return nil, err
	}
	s.File = &File{Path: s.path("hr", "workers.csv")}
	s.Agent = s.process("agent", "drawbridge-agent", "run", "--config", s.config())
	return s, s.Agent.Start()
}

// stand has the agent and its connector dial what stands between.
func (s *Stage) stand(between func(string) (string, error)) error {
	link, err := between(s.Link)
	if err != nil {
		return err
	}
	directory, err := between(strings.TrimPrefix(s.Domain.LDAPS, "ldaps://"))
	if err != nil {
		return err
	}
	s.Link, s.Directory = link, "ldaps://"+directory
	return nil
}

// StartDomain starts a domain alone, without a Drawbridge.
func StartDomain(ctx context.Context, opt Options) (*Stage, error) {
	s := &Stage{Dir: opt.Dir, bin: opt.Bin}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.startDomain(ctx, opt); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close stops every program.
func (s *Stage) Close() {
	all := []*Process{s.Agent, s.Coordinator, s.Controller}
	for _, server := range s.servers {
		all = append(all, server.Process)
	}
	for _, p := range all {
		if p != nil {
			p.Stop()
		}
	}
}

func (s *Stage) startDomain(ctx context.Context, opt Options) error {
	program := "ad-" + cmp.Or(opt.Domain, "double")
	args := append([]string{"--dir", s.path("domain")}, opt.Args...)
	s.Controller = s.process("domain", program, args...)
	if err := s.Controller.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	line, err := s.Controller.firstLine(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, &s.Domain); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, line)
	}
	s.Directory = s.Domain.LDAPS
	return nil
}

func (s *Stage) startCoordinator(ctx context.Context) error {
	first, err := s.server("coordinator", filepath.Join(s.bin, "drawbridge-coordinator"))
	if err != nil {
		return err
	}
	s.Coordinator, s.Link, s.URL = first.Process, first.Link, "http://"+first.API
	if err := s.Coordinator.Start(); err != nil {
		return err
	}
	return s.login(ctx)
}

// login waits for the coordinator and takes the token that it leaves for the
// admin of its own host.
func (s *Stage) login(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if token, err := os.ReadFile(s.path("coordinator", "admin-token")); err == nil {
			s.API = &client.Client{URL: s.URL, Token: strings.TrimSpace(string(token)), HTTP: &http.Client{}}
			if _, err := s.Status(ctx); err == nil {
				return nil
			}
		}
		if s.Coordinator.PID() == 0 {
			return fmt.Errorf("the coordinator ended at once: %s", s.Coordinator.Log())
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the coordinator: %w\n%s", err, s.Coordinator.Log())
		}
	}
}

// enroll gives the agent its configuration and its certificate.
func (s *Stage) enroll(ctx context.Context) error {
	var token client.JoinToken
	out, err := s.CLI(ctx, "token", "create", "--site", Site, "-o", "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &token); err != nil {
		return fmt.Errorf("token create: %w: %s", err, out)
	}
	return s.enrollAt(ctx, s.config(), s.path("agent"), token.Token)
}

// EnrollAnother enrols one more agent, with everything of its own in dir. It is
// not started.
func (s *Stage) EnrollAnother(ctx context.Context, dir, token string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return s.enrollAt(ctx, filepath.Join(dir, "agent.yaml"), filepath.Join(dir, "data"), token)
}

// Another enrols and starts one more agent of the site, which is not stopped by
// [Stage.Close] but dies with the stage's process.
func (s *Stage) Another(ctx context.Context, name, token string) (*Process, error) {
	if err := s.EnrollAnother(ctx, s.path(name), token); err != nil {
		return nil, err
	}
	p := s.process(name, "drawbridge-agent", "run", "--config", s.path(name, "agent.yaml"))
	return p, p.Start()
}

func (s *Stage) enrollAt(ctx context.Context, config, data, token string) error {
	connectors := map[string]string{"drawbridge-connectors": "activedirectory, csv, ldap, scim, sql"}
	maps.Copy(connectors, s.also)
	text := fmt.Sprintf("coordinator: %s\ndata: %s\nfolders: [%s, %s]\nconnectors:\n", s.Link, data, s.path("hr"), s.path("domain"))
	for program, serves := range connectors {
		path := filepath.Join(s.bin, program)
		executable, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text += fmt.Sprintf("  - path: %s\n    sha256: %x\n    serves: [%s]\n", path, sha256.Sum256(executable), serves)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	_, err := s.run(ctx, nil, "drawbridge-agent", "enroll", "--config", config, "--token", token)
	return err
}

// Apply configures systems from documents, as `drawbridge system apply` does.
func (s *Stage) Apply(ctx context.Context, name, documents string) error {
	path := s.path(name)
	if err := os.WriteFile(path, []byte(documents), 0o600); err != nil {
		return err
	}
	_, err := s.CLI(ctx, "system", "apply", "-f", path)
	return err
}

// SetSecret gives the agent a secret on its own host, as soon as the agent has
// heard of the system.
func (s *Stage) SetSecret(ctx context.Context, system, name, value string) error {
	return s.setSecret(ctx, s.config(), system, name, value)
}

// SetSecretOf is SetSecret for an agent that Another has started.
func (s *Stage) SetSecretOf(ctx context.Context, agent, system, name, value string) error {
	return s.setSecret(ctx, s.path(agent, "agent.yaml"), system, name, value)
}

func (s *Stage) setSecret(ctx context.Context, config, system, name, value string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := s.run(ctx, []byte(value+"\n"), "drawbridge-agent", "secret", "set", system, name, "--config", config)
		if err == nil || !strings.Contains(err.Error(), "not known on this host") {
			return err
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

// CLI runs the command line and returns what it prints.
func (s *Stage) CLI(ctx context.Context, args ...string) ([]byte, error) {
	return s.run(ctx, nil, "drawbridge", args...)
}

// AgentCLI runs a command of the agent on its host and returns what it prints.
func (s *Stage) AgentCLI(ctx context.Context, args ...string) ([]byte, error) {
	return s.run(ctx, nil, "drawbridge-agent", append(args, "--config", s.config())...)
}

// Status asks the coordinator how things are.
func (s *Stage) Status(ctx context.Context) (client.Status, error) {
	var status client.Status
	err := s.API.Get(ctx, "/v1/status", nil, &status)
	return status, err
}

// run runs a program to its end; an error holds what it said.
func (s *Stage) run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Env = append(os.Environ(), s.env()...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.Bytes(), nil
}

func (s *Stage) env() []string {
	env := []string{"DRAWBRIDGE_URL=" + s.URL}
	if s.API != nil {
		env = append(env, "DRAWBRIDGE_TOKEN="+s.API.Token)
	}
	return env
}

func (s *Stage) process(name, program string, args ...string) *Process {
	return newProcess(s.Dir, name, nil, append([]string{filepath.Join(s.bin, program)}, args...)...)
}

func (s *Stage) config() string { return s.path("agent.yaml") }

func (s *Stage) path(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}
