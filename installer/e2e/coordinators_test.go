package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
)

// Two coordinators on one PostgreSQL, behind a balancer, and two agents, all at
// work: a coordinator is killed; both coordinators and both agents are restarted
// one after the other; the store is brought to the schema of a later release
// while coordinators of this one serve, one of which gives way to the later one.
// Each time nothing is lost, nothing done twice, and nothing fails.
func TestSeveralCoordinators(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	next := laterRelease(t)
	s, links, first, second := severalCoordinators(t)
	agents := []*stage.Process{s.Agent, another(t, s, "second")}
	awaitAgents(t, s, len(agents))
	slow(t, s)

	const people = 120
	s.File.Put(workers.List(people)...)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	awaitPeople(t, s, people/10)
	first.Kill()
	awaitAgents(t, s, len(agents))
	awaitDone(t, s, people, "a coordinator was killed")

	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	awaitServing(t, first)
	retitleSome(t, s, 60, "rolling")
	look := users(t, s)
	awaitTitled(t, s, "rolling")
	for _, c := range []*stage.Server{first, second} {
		c.Stop()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		awaitServing(t, c)
	}
	for _, p := range agents {
		p.Stop()
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		awaitAgents(t, s, len(agents))
	}
	awaitDone(t, s, people, "everything was restarted in turn")
	look()

	retitleSome(t, s, 60, "migrated")
	awaitTitled(t, s, "migrated")
	later := next()
	if out, err := exec.Command(later, "migrate", "--store-file", s.StoreFile()).CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	third, err := s.AnotherCoordinator("third", later)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Start(); err != nil {
		t.Fatal(err)
	}
	links.add(third.Link)
	awaitServing(t, third)
	first.Stop()
	awaitAgents(t, s, len(agents))
	awaitDone(t, s, people, "the store was migrated under a coordinator of the release before")

	refused(t, s)
}

// severalCoordinators sets a stage with two coordinators, on one database, the agent's link and
// the API behind balancers, and both systems configured.
func severalCoordinators(t *testing.T) (s *stage.Stage, links *balancer, first, second *stage.Server) {
	t.Helper()
	database := postgres.StartTest(t)
	link := ""
	s, err := stage.Start(t.Context(), stage.Options{
		Bin: bin, Dir: filepath.Join(t.TempDir(), "stage"), Args: []string{"--control", "127.0.0.1:0"}, Store: database.URL("postgres"),
		Between: func(address string) (string, error) {
			if links != nil { // the domain's is left as it is
				return address, nil
			}
			link = address
			links = balance(t, nil, address)
			return links.address(), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	if second, err = s.AnotherCoordinator("second-coordinator", ""); err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	awaitServing(t, second)
	links.add(second.Link)
	first = &stage.Server{Process: s.Coordinator, Link: link, API: strings.TrimPrefix(s.URL, "http://")}
	s.URL = "http://" + balance(t, isReady, second.API, first.API).address()
	s.API.URL = s.URL
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, links, first, second
}

// another starts one more agent, with the secret that it needs.
func another(t *testing.T, s *stage.Stage, name string) *stage.Process {
	t.Helper()
	p, err := s.Another(t.Context(), name, newToken(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := s.SetSecretOf(t.Context(), name, stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}
	return p
}

// laterRelease builds, beside the test, a coordinator whose store has one step
// more than this one's; the function returned waits for it.
func laterRelease(t *testing.T) func() string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	step, overlay, program := filepath.Join(dir, "9999_later.sql"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "drawbridge-coordinator")
	replaced := map[string]string{}
	for _, folder := range []string{"migrations", "migrations/postgres"} {
		replaced[filepath.Join(root, "coordinator", "store", folder, "9999_later.sql")] = step
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		step:    "-- +goose Up\nALTER TABLE agent ADD COLUMN later BIGINT NOT NULL DEFAULT 0;\n\n-- +goose Down\nALTER TABLE agent DROP COLUMN later;\n",
		overlay: string(text),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	built := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() {
		cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-ldflags", "-X main.version=99.0.0", "-o", program, "./coordinator/cmd/drawbridge-coordinator")
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build a later release: %w\n%s", err, out)
		}
		built <- err
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return func() string {
		t.Helper()
		if err := <-built; err != nil {
			t.Fatal(err)
		}
		return program
	}
}

// awaitServing waits until a coordinator can be asked.
func awaitServing(t *testing.T, server *stage.Server) {
	t.Helper()
	eventually(t, 2*time.Minute, func() string {
		if server.PID() == 0 {
			t.Fatalf("a coordinator ended at once: %s", server.Log())
		}
		if !isReady(server.API) {
			return "a coordinator is not ready"
		}
		return ""
	})
}

// isReady says whether the coordinator at an address is, and is not about to stop.
func isReady(api string) bool {
	response, err := http.Get("http://" + api + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// awaitTitled waits until the first account has a title of the last file: its changes are under way.
func awaitTitled(t *testing.T, s *stage.Stage, word string) {
	t.Helper()
	if _, err := s.CLI(t.Context(), "run", stage.HR); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, func() string {
		_, _ = s.CLI(t.Context(), "held", "approve", "--system", stage.AD, "--class", "modify") // where there is any
		found, err := s.Domain.Search("(title=" + word + "*)")
		if err != nil || len(found) == 0 {
			return fmt.Sprintf("no title begins with %q, %v", word, err)
		}
		return ""
	})
}

// awaitDone waits until everything is done, and wants just what the file says, and nothing that failed.
func awaitDone(t *testing.T, s *stage.Stage, people int, after string) {
	t.Helper()
	awaitSettled(t, s)
	wantTitles(t, s, people)
	failed, err := s.Jobs(t.Context(), url.Values{"state": {"failed"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range failed {
		if j.System != stage.AD { // the HR file was not there at first
			continue
		}
		t.Errorf("after %s job %d (%s) has failed: %s %+v", after, j.ID, j.Text, j.Outcome, j.Fault)
	}
	if status, err := s.Status(t.Context()); err != nil || status.Problems != 0 {
		t.Errorf("after %s there are %d problems, %v; want none", after, status.Problems, err)
	}
}

// users has somebody look at the home page all the time until the function
// returned is called: what is not answered when asked again is an error.
func users(t *testing.T, s *stage.Stage) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	asked, again := 0, 0
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			_, err := s.Status(ctx)
			asked++
			if err != nil && ctx.Err() == nil {
				again++
				if _, err = s.Status(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("a user was not answered twice: %v", err)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		looking.Wait()
		t.Logf("users asked %d times while everything was restarted, %d of them twice", asked, again)
	})
	t.Cleanup(stop)
	return stop
}

// refused wants a coordinator of this release, started on a store of a later one, to say what is the matter.
func refused(t *testing.T, s *stage.Stage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, verb := range []string{"run", "migrate"} {
		out, err := exec.CommandContext(ctx, filepath.Join(bin, "drawbridge-coordinator"), verb, "--data", t.TempDir(), "--store-file", s.StoreFile(),
			"--link", "127.0.0.1:0", "--api", "127.0.0.1:0").CombinedOutput()
		for _, want := range []string{"store written by a newer release", "schema 9999", "start the newer release"} {
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%s of this release on a store of a later one: %v, %q; want it refused with %q", verb, err, out, want)
			}
		}
	}
}
