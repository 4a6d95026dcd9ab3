package e2e_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// Killing the agent, a connector or the coordinator at random moments, 20
// times during cycles over 500 workers, ends with exactly the accounts wanted:
// none twice, none lost.
func TestKilledAtRandom(t *testing.T) {
	onEachDomain(t, func(t *testing.T, s *stage.Stage) {
		const people, kills = 500, 17 // and three more in the end
		if err := s.Configure(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.File.Put(workers.List(people)...)
		if err := s.File.Save(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
		defer cancel()
		for i := range kills {
			time.Sleep(time.Duration(100+rand.IntN(900)) * time.Millisecond)
			kill(t, s, i)
			if i == kills/2 { // the second half of them during changes, of accounts that are there
				if err := s.Settle(ctx, time.Time{}); err != nil {
					t.Fatal(err)
				}
				retitle(t, s)
			}
		}
		if err := s.Settle(ctx, time.Time{}); err != nil {
			t.Fatal(err)
		}
		// That everybody gets another title is held; and it is let go under fire, too.
		if _, err := s.CLI(ctx, "held", "approve", "--system", stage.AD, "--class", "modify"); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
			kill(t, s, i)
		}
		if err := s.Settle(ctx, time.Time{}); err != nil {
			t.Fatal(err)
		}
		entries, err := s.Domain.People("employeeID", "title", "userAccountControl")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, e := range entries {
			id := e.GetAttributeValue("employeeID")
			seen[id]++
			if title := s.File.Get(id).Title; e.GetAttributeValue("title") != title {
				t.Errorf("title of %s = %q; want %q", id, e.GetAttributeValue("title"), title)
			}
			if !stage.Enabled(e) {
				t.Errorf("%s is not enabled", id)
			}
		}
		for i := range people {
			if n := seen[workers.ID(i)]; n != 1 {
				t.Errorf("%d accounts have employeeID %s; want 1", n, workers.ID(i))
			}
		}
		if len(entries) != people {
			t.Errorf("%d accounts; want %d", len(entries), people)
		}
	})
}

// kill ends one of the three as a power cut would, and starts it again.
func kill(t *testing.T, s *stage.Stage, i int) {
	t.Helper()
	switch i % 3 {
	case 0:
		s.Coordinator.Kill()
		restart(t, s.Coordinator)
	case 1:
		s.Agent.Kill()
		restart(t, s.Agent)
	default:
		for _, pid := range stage.Children(s.Agent.PID()) {
			stage.KillPID(pid) // the agent starts it again by itself
		}
	}
}

func restart(t *testing.T, p *stage.Process) {
	t.Helper()
	time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
}

func retitle(t *testing.T, s *stage.Stage) {
	t.Helper()
	for _, w := range s.File.List() {
		w.Title = "Senior " + w.Title
		s.File.Put(w)
	}
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
}
