package e2e_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// marked is the version that the built agent says it is; copies say another of the same length.
const marked = "7.4100.1000"

// releases makes releases out of built agents, signed by a key of the test.
type releases struct {
	t    *testing.T
	dir  string
	key  ed25519.PrivateKey
	good []byte // an agent of version marked
}

func newReleases(t *testing.T) *releases {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &releases{t: t, dir: t.TempDir(), key: key}
	path := filepath.Join(bin, "agent-marked") // it stays for the next test
	if r.good, err = os.ReadFile(path); err == nil {
		return r
	}
	r.good = r.build("drawbridge-agent", "./agent/cmd/drawbridge-agent", "-X main.built="+marked)
	if err := os.WriteFile(path, r.good, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *releases) build(name, program, flags string) []byte {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	cmd := exec.CommandContext(r.t.Context(), "go", "build", "-ldflags", "-s -w "+flags, "-o", path, program)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// as is the good agent, which says that it is another version.
func (r *releases) as(version string) []byte {
	r.t.Helper()
	if len(version) != len(marked) || !bytes.Contains(r.good, []byte(marked)) {
		r.t.Fatalf("no agent can be made of version %s", version)
	}
	return bytes.ReplaceAll(r.good, []byte(marked), []byte(version))
}

// misbehaving is an agent that does wrong as three versions; see testdata/misbehaves.
func (r *releases) misbehaving(ends, layout, later string) []byte {
	r.t.Helper()
	real := filepath.Join(r.dir, "real-"+later)
	if err := os.WriteFile(real, r.as(later), 0o700); err != nil {
		r.t.Fatal(err)
	}
	return r.build("misbehaves", "./installer/e2e/testdata/misbehaves",
		fmt.Sprintf("-X main.ends=%s -X main.layout=%s -X main.later=%s -X main.agent=%s", ends, layout, later, real))
}

// add puts a release in, as an operator does.
func (r *releases) add(s *stage.Stage, version string, agent []byte, connectors ...byte) {
	r.t.Helper()
	m := release.Manifest{Version: version, Released: time.Now(), Spool: release.Layout{Reads: 1, Writes: 2}, Data: 1}
	args := []string{"release", "add", filepath.Join(r.dir, version+".release")}
	for part, text := range map[string][]byte{release.Agent: agent, release.Connectors: connectors} {
		if len(text) == 0 {
			continue
		}
		m.Files = append(m.Files, release.File{Part: part, Platform: runtime.GOOS + "/" + runtime.GOARCH,
			Size: int64(len(text)), SHA256: fmt.Sprintf("%x", sha256.Sum256(text))})
		path := filepath.Join(r.dir, part+"-"+version)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			r.t.Fatal(err)
		}
		args = append(args, path)
	}
	file, err := release.Sign(m, r.key)
	if err == nil {
		err = os.WriteFile(args[2], file, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.run(s, args...)
}

func (r *releases) run(s *stage.Stage, args ...string) {
	r.t.Helper()
	if out, err := s.CLI(r.t.Context(), args...); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
}

// trust has an agent follow ring canary by releases that the key signed.
func (r *releases) trust(config string) {
	r.t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		r.t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(r.key.Public().(ed25519.PublicKey))
	changed := strings.Replace(string(text), "    serves: [activedirectory", "    release: true\n    serves: [activedirectory", 1) +
		fmt.Sprintf("update: {keys: [%q], ring: canary, gate: 2m, settle: 1s}\n", public)
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// awaitUpdate waits until the agent tells a state of a version, and is connected by the version wanted.
func awaitUpdate(t *testing.T, s *stage.Stage, agent, state, version, running string) (a client.Agent) {
	t.Helper()
	eventually(t, 4*time.Minute, func() string {
		if _, err := s.Agent.Revive(); err != nil {
			return err.Error()
		}
		if err := s.API.Get(t.Context(), "/v1/agents/"+agent, nil, &a); err != nil {
			return err.Error()
		}
		switch {
		case a.Update == nil:
			return "it does not update itself"
		case a.Update.State != state || a.Update.Version != version:
			return fmt.Sprintf("its update is %+v; want %s of %s", *a.Update, state, version)
		case a.State != "connected" || running != "" && a.Version != running:
			return fmt.Sprintf("it is %s by version %s; want connected by %s", a.State, a.Version, running)
		}
		return ""
	})
	return a
}

// updating sets a stage whose agent updates itself to the releases, by its agent.yaml.
func updating(t *testing.T) (r *releases, s *stage.Stage, config string) {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	t.Parallel() // they wait for most of their time
	r, s = newReleases(t), set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(s.Dir, "agent.yaml")
	r.trust(config)
	restart(t, stopped(s.Agent))
	return r, s, config
}

// Pain 8: agent updates break things or cannot be controlled. A truncated
// binary, one that ends on start, one that changes the layout of the journal and
// ends, and one that ends long after it has passed every check are all taken
// back without anybody, and are not started again; work goes on by the version
// before, each job once. An update that is held, or signed by nobody whom the
// host trusts, does not happen; a good one does, with its connectors.
func TestPain08_badUpdatesRollBack(t *testing.T) {
	r, s, _ := updating(t)
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	agent := awaitAgents(t, s, 1)[0]
	base := agent.Version
	const people = 60
	s.File.Put(workers.List(people)...)
	export(t, s)
	crash := filepath.Join(s.Dir, "agent", "crash")

	const (
		truncated, ends, layout, later, good = "7.4100.1001", "7.4100.1002", "7.4100.1003", "7.4100.1004", "7.4100.1005"
	)
	r.add(s, truncated, r.good[:len(r.good)/2])
	misbehaves := r.misbehaving(ends, layout, later)
	r.add(s, ends, misbehaves)
	r.add(s, layout, misbehaves)
	for _, bad := range [][2]string{{truncated, ""}, {ends, "exit status 3"}, {layout, "exit status 3"}} {
		version, cause := bad[0], bad[1]
		retitleSome(t, s, 3, "Before "+version)
		r.run(s, "ring", "set", "canary", version)
		a := awaitUpdate(t, s, agent.ID, "failed", version, base)
		if !strings.Contains(a.Update.Cause, "it ended 3 times in its trial") || !strings.Contains(a.Update.Cause, cause) {
			t.Errorf("%s was taken back because %q; want three ends in its trial, %q", version, a.Update.Cause, cause)
		}
		awaitSettled(t, s)
		wantTitles(t, s, people)
	}
	if kept, _ := filepath.Glob(filepath.Join(s.Dir, "agent", "spool.db.before-*")); len(kept) != 1 {
		t.Errorf("journals put aside: %v; want the one whose layout was changed", kept)
	}
	var rings []client.RingState
	if err := s.API.Items(t.Context(), "/v1/rings", nil, &rings); err != nil || len(rings) != 1 || len(rings[0].TookBack) != 1 {
		t.Errorf("rings %+v, %v; want canary, which the agent holds up", rings, err)
	}

	// It passes every check, settles, and then ends again and again.
	r.add(s, later, misbehaves)
	r.run(s, "ring", "set", "canary", later)
	awaitUpdate(t, s, agent.ID, "current", later, later)
	if err := os.WriteFile(crash, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitUpdate(t, s, agent.ID, "failed", later, base)

	// What is signed by somebody else, and what is held, is not taken.
	trusted := r.key
	_, r.key, _ = ed25519.GenerateKey(nil)
	r.add(s, "7.4100.1009", r.as("7.4100.1009"))
	r.key = trusted
	r.run(s, "ring", "set", "canary", "7.4100.1009")
	awaitUpdate(t, s, agent.ID, "refused", "7.4100.1009", base)
	if out, err := s.AgentCLI(t.Context(), "update", "hold"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	connectors, err := os.ReadFile(filepath.Join(bin, "drawbridge-connectors"))
	if err != nil {
		t.Fatal(err)
	}
	r.add(s, good, r.as(good), connectors...)
	r.run(s, "ring", "set", "canary", good)
	awaitUpdate(t, s, agent.ID, "held", good, base)
	if out, err := s.AgentCLI(t.Context(), "update", "release"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	awaitUpdate(t, s, agent.ID, "current", good, good)
	retitleSome(t, s, 3, "After")
	awaitSettled(t, s)
	wantTitles(t, s, people)
	if got := executables(s.Agent.PID()); !strings.Contains(got, filepath.Join("versions", good, "drawbridge-connectors")) {
		t.Errorf("what runs below the service: %s; want the connectors of %s", got, good)
	}

	// And the admin of the host goes back.
	if out, err := s.AgentCLI(t.Context(), "update", "rollback"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a := awaitUpdate(t, s, agent.ID, "failed", good, base)
	if !strings.Contains(a.Update.Cause, "taken back by ") {
		t.Errorf("taken back because %q; want by whom", a.Update.Cause)
	}
	retitleSome(t, s, 3, "Back")
	awaitSettled(t, s)
	wantTitles(t, s, people)
}

func stopped(p *stage.Process) *stage.Process {
	p.Stop()
	return p
}

// executables names the files of what runs below a process.
func executables(pid int) (names string) {
	for _, child := range stage.Children(pid) {
		if name, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", child)); err == nil {
			names += name + "\n"
		}
		names += executables(child)
	}
	return names
}

// Pain 8: while two agents of a site are updated, coordinator, services and
// agents are killed at random. Both end up running, never both on trial at
// once, and every job is done, once.
func TestPain08_updateKilledAtRandom(t *testing.T) {
	r, s, _ := updating(t)
	second, err := s.Another(t.Context(), "second", newToken(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	r.trust(filepath.Join(s.Dir, "second", "agent.yaml"))
	restart(t, stopped(second))
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSecretOf(t.Context(), "second", stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}
	awaitAgents(t, s, 2)
	const people = 60
	s.File.Put(workers.List(people)...)
	export(t, s)

	const version = "7.4100.1001"
	r.add(s, version, r.as(version))
	retitleSome(t, s, 6, "During")
	r.run(s, "ring", "set", "canary", version)
	together := make(chan error, 1)
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { together <- watchTrials(watching, s) }()
	for range 9 {
		time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond)
		p := []*stage.Process{s.Coordinator, s.Agent, second}[rand.IntN(3)]
		if children := stage.Children(p.PID()); p != s.Coordinator && len(children) > 0 && rand.IntN(2) == 0 {
			stage.KillPID(children[0]) // the version that runs, and not the service
			continue
		}
		p.Kill()
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 4*time.Minute, func() string {
		for _, p := range []*stage.Process{s.Coordinator, s.Agent, second} {
			if _, err := p.Revive(); err != nil {
				return err.Error()
			}
		}
		var list []client.Agent
		if err := s.API.Items(t.Context(), "/v1/agents", nil, &list); err != nil {
			return err.Error()
		}
		for _, a := range list {
			if a.State != "connected" || a.Update == nil || a.Update.State != "current" && a.Update.State != "failed" && !heldUp(list, a) || a.Update.State == "current" && a.Version != version {
				return fmt.Sprintf("agent %s is %s by version %s, its update %+v", a.ID, a.State, a.Version, a.Update)
			}
		}
		return ""
	})
	stop()
	if err := <-together; err != nil {
		t.Error(err)
	}
	awaitSettled(t, s)
	wantTitles(t, s, people)
}

// heldUp tells whether an agent waits because the other one took the release back, which was killed so often.
func heldUp(list []client.Agent, a client.Agent) bool {
	for _, other := range list {
		if other.ID != a.ID && other.Update != nil && other.Update.State == "failed" {
			return a.Update.State == "ready"
		}
	}
	return false
}

// watchTrials looks, until ctx ends, that no two agents are on trial at once.
func watchTrials(ctx context.Context, s *stage.Stage) error {
	for ctx.Err() == nil {
		var list []client.Agent
		on := 0
		if err := s.API.Items(ctx, "/v1/agents", nil, &list); err == nil {
			for _, a := range list {
				if a.Update != nil && a.Update.State == "trial" {
					on++
				}
			}
		}
		if on > 1 {
			return errors.New("two agents of one site were on trial at once")
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return nil
}
