package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// Pain 16: of two agents of a site, both at work, one is killed in the middle of its
// writes: the other finishes those within 30 s, each once. Then one is frozen in
// the middle, as a host that is suspended; the other finishes, and goes on to
// what comes after; and when the frozen one wakes it writes nothing late.
func TestPain16_twoAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	s := set(t, "double", "--control", "127.0.0.1:0")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	first := awaitAgents(t, s, 1)[0].ID
	second, err := s.Another(t.Context(), "second", newToken(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSecretOf(t.Context(), "second", stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}
	slow(t, s)
	const people = 160
	s.File.Put(workers.List(people)...)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	awaitPeople(t, s, people/10)

	second.Kill()
	killed := time.Now()
	awaitAgents(t, s, 1) // what it had sent before is taken by then
	had := jobsOfOther(t, s, first)
	awaitSettled(t, s)
	wantTitles(t, s, people)
	if len(had) == 0 {
		t.Fatal("the agent that was killed had no jobs; want some")
	}
	jobs := finished(t, s, had)
	slowest, under := time.Duration(0), time.Duration(0)
	for i, j := range jobs {
		slowest = max(slowest, j.Ended.Sub(killed))
		if i < underWay {
			under = slowest
		}
		if j.State == "done" && j.Agent != first && j.Ended.After(killed.Add(5*time.Second)) {
			t.Errorf("job %d was done by %s, %v after that was killed; want the other agent", j.ID, j.Agent, j.Ended.Sub(killed))
		}
	}
	t.Logf("the %d jobs of the agent that was killed were finished by the other, the first %d after %.1f s, the last after %.1f s",
		len(had), min(underWay, len(had)), under.Seconds(), slowest.Seconds())
	for _, j := range jobs {
		if n := carriedOut(j); j.State == "done" && n != 1 {
			t.Errorf("job %d was done %d times; want once", j.ID, n)
		}
	}
	if under > 30*time.Second {
		t.Errorf("what the killed agent was at was finished after %v; want half a minute", under)
	}

	// Frozen, with its connectors, in the middle of changes.
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	awaitAgents(t, s, 2)
	retitleSome(t, s, 40, "first")
	time.Sleep(300 * time.Millisecond)
	frozen := append(stage.Children(second.PID()), second.PID())
	for _, pid := range frozen {
		if err := stage.Freeze(pid, true); err != nil {
			t.Fatal(err)
		}
	}
	awaitSettled(t, s)
	retitleSome(t, s, 40, "second")
	awaitSettled(t, s)
	wantTitles(t, s, people)
	for _, pid := range frozen {
		if err := stage.Freeze(pid, false); err != nil {
			t.Fatal(err)
		}
	}
	awaitAgents(t, s, 2)
	time.Sleep(2 * time.Second) // for what it may write late
	wantTitles(t, s, people)
}

// underWay is how many jobs an agent may be in the middle of: those with the lowest numbers.
const underWay = 16

// jobsOfOther returns the jobs that are with an agent other than this, in the order of their numbers.
func jobsOfOther(t *testing.T, s *stage.Stage, agent string) (ids []int64) {
	t.Helper()
	jobs, err := s.Jobs(t.Context(), url.Values{"state": {"sent"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Agent != agent {
			ids = append(ids, j.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// finished returns the jobs, which have ended.
func finished(t *testing.T, s *stage.Stage, ids []int64) (jobs []client.JobDetail) {
	t.Helper()
	for _, id := range ids {
		var j client.JobDetail
		if err := s.API.Get(t.Context(), fmt.Sprintf("/v1/jobs/%d", id), nil, &j); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// carriedOut tells how often the log says that a job was carried out.
func carriedOut(j client.JobDetail) (n int) {
	for _, e := range j.Log {
		if e.Kind == "written" || e.Kind == "unchanged" {
			n++
		}
	}
	return n
}

// slow has every operation of the directory take so long that there is a middle.
func slow(t *testing.T, s *stage.Stage) {
	t.Helper()
	response, err := http.Post(s.Domain.Control+"/fail", "application/json", strings.NewReader(`{"delay":"20ms","ops":["add","modify","rename"],"count":-1}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode >= 300 {
		t.Fatal(response.Status)
	}
}

// retitleSome gives the first n workers titles that begin with a word.
func retitleSome(t *testing.T, s *stage.Stage, n int, word string) {
	t.Helper()
	for i := range n {
		w := s.File.Get(workers.ID(i))
		w.Title = word + " " + workers.ID(i)
		s.File.Put(w)
	}
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
}

func awaitPeople(t *testing.T, s *stage.Stage, n int) {
	t.Helper()
	eventually(t, 3*time.Minute, func() string {
		entries, err := s.Domain.People("employeeID")
		if err != nil || len(entries) < n {
			return fmt.Sprintf("%d accounts, %v; want %d", len(entries), err, n)
		}
		return ""
	})
}

// awaitAgents waits until so many agents are connected, and returns all.
func awaitAgents(t *testing.T, s *stage.Stage, n int) (agents []client.Agent) {
	t.Helper()
	eventually(t, 3*time.Minute, func() string {
		status, err := s.Status(t.Context())
		here := 0
		for _, a := range status.Agents {
			if a.State == "connected" {
				here++
			}
		}
		agents = status.Agents
		if err != nil || here != n {
			return fmt.Sprintf("%d agents are connected, %v; want %d", here, err, n)
		}
		return ""
	})
	return agents
}

// awaitSettled waits until the last file was read and nothing is left to do,
// whatever is held approved.
func awaitSettled(t *testing.T, s *stage.Stage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	since := time.Now()
	if _, err := s.CLI(ctx, "run", stage.HR); err != nil {
		t.Fatal(err)
	}
	for {
		soon, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := s.Settle(soon, since)
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		for _, class := range []string{"modify", "membership"} {
			_, _ = s.CLI(ctx, "held", "approve", "--system", stage.AD, "--class", class) // where there is any
		}
	}
}

func wantTitles(t *testing.T, s *stage.Stage, people int) {
	t.Helper()
	entries, err := s.Domain.People("employeeID", "title")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range entries {
		id := e.GetAttributeValue("employeeID")
		seen[id]++
		if want := s.File.Get(id).Title; e.GetAttributeValue("title") != want {
			t.Errorf("title of %s = %q; want %q", id, e.GetAttributeValue("title"), want)
		}
	}
	for i := range people {
		if n := seen[workers.ID(i)]; n != 1 {
			t.Errorf("%d accounts have employeeID %s; want 1", n, workers.ID(i))
		}
	}
}
