package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// An agent dies in the middle of its writes, and in the same moment the
// coordinator that it was connected to: nobody is left who saw it go. The other
// agent, at the other coordinator, finishes what it had, each once. Then the
// agent is back, at a coordinator of its own, and is revoked at the other one:
// its stream is cut within 5 s.
func TestSeveralCoordinators_diesTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	s, links, first, second := severalCoordinators(t)
	stays := awaitAgents(t, s, 1)[0].ID
	links.only(second.Link) // the first agent has its connection already
	agent := another(t, s, "second")
	awaitAgents(t, s, 2)
	if links.connections(first.Link) == 0 || links.connections(second.Link) == 0 {
		t.Fatalf("%d connections to the first coordinator and %d to the second; want both to have an agent", links.connections(first.Link), links.connections(second.Link))
	}
	slow(t, s)
	const people = 160
	s.File.Put(workers.List(people)...)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	awaitPeople(t, s, people/10)
	links.only(first.Link)
	agent.Kill()
	second.Kill()
	died := time.Now()
	s.URL = "http://" + first.API
	s.API.URL = s.URL
	had := jobsOfOther(t, s, stays)
	if len(had) == 0 {
		t.Fatal("the agent that died had no jobs; want some")
	}
	awaitDone(t, s, people, "an agent and its coordinator died together")
	under := time.Duration(0)
	for _, j := range finished(t, s, had[:min(underWay, len(had))]) {
		under = max(under, j.Ended.Sub(died))
	}
	t.Logf("of the %d jobs of the agent that died with its coordinator the first %d were finished by the other after %.1f s", len(had), min(underWay, len(had)), under.Seconds())
	if under > time.Minute { // 24 s, and what a busy machine takes
		t.Errorf("what the agent was at was finished after %v; want half a minute", under)
	}

	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	awaitServing(t, second)
	links.only(second.Link)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, func() string {
		if n := links.connections(second.Link); n != 1 {
			return fmt.Sprintf("%d connections to the second coordinator; want the agent's", n)
		}
		return ""
	})
	leaves := ""
	for _, a := range awaitAgents(t, s, 2) {
		if a.ID != stays {
			leaves = a.ID
		}
	}
	links.only(first.Link)
	revoked := time.Now()
	if err := s.API.Post(t.Context(), "/v1/agents/"+leaves+"/revoke", nil, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() string {
		if n := links.connections(second.Link); n > 0 {
			return fmt.Sprintf("%d streams are open", n)
		}
		return ""
	})
	took := time.Since(revoked)
	t.Logf("the stream of an agent that another coordinator revoked was cut after %.2f s", took.Seconds())
	if took > 5*time.Second {
		t.Errorf("the stream of a revoked agent was cut after %v; want 5 s at most", took)
	}
}
