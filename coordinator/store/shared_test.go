package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

// Two coordinators on one file would both be its only writer.
func TestOpen_fileInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordinator.db")
	storetest.OpenAs(t, path)
	if _, err := store.Open(context.Background(), path); !errors.Is(err, store.ErrInUse) {
		t.Errorf("second Open = %v; want ErrInUse", err)
	}
}

// two opens a database as two coordinators do.
func two(t *testing.T) [2]*store.Store {
	t.Helper()
	name := storetest.Database(t, storetest.Server(t))
	return [2]*store.Store{storetest.OpenAs(t, name), storetest.OpenAs(t, name)}
}

// Coordinators that claim at the same time never get the same job, and between them get each.
func TestClaim_twoCoordinators(t *testing.T) {
	t.Parallel()
	stores := two(t)
	const jobs = 2000
	write(t, stores[0], func(tx *store.Tx) error {
		rows := make([]store.Job, jobs)
		for i := range rows {
			rows[i] = store.Job{Tenant: tenant, Site: "hq", State: store.JobQueued}
		}
		return tx.AddJobs(rows)
	})
	var mu sync.Mutex
	times := map[int64]int{}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for more := true; more; {
				if err := stores[n%2].Claim(context.Background(), tenant, func(tx *store.Tx) error {
					got, err := tx.ClaimJobs(tenant, "hq", fmt.Sprint("a", n), map[string]int{"": 50})
					mu.Lock()
					defer mu.Unlock()
					for _, j := range got {
						times[j.ID]++
					}
					more = len(got) > 0
					return err
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for id, n := range times {
		if n != 1 {
			t.Fatalf("job %d was claimed %d times", id, n)
		}
	}
	if len(times) != jobs {
		t.Errorf("%d of %d jobs were claimed", len(times), jobs)
	}
}

// What a transaction has read of its tenant is true until its commit: of many
// that look for a free name and take it, one gets it.
func TestWriteTenant_oneAtATime(t *testing.T) {
	t.Parallel()
	stores := two(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for n := range 16 {
		wg.Go(func() {
			err := stores[n%2].WriteTenant(context.Background(), tenant, func(tx *store.Tx) error {
				held, err := tx.Names(tenant, "ad", "cn", []string{"x"})
				if err != nil || len(held) > 0 {
					return err
				}
				mu.Lock()
				got++
				mu.Unlock()
				return tx.PutNames([]store.Name{{Tenant: tenant, System: "ad", Attribute: "cn", Value: "x", Holder: fmt.Sprint(n)}})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got != 1 {
		t.Errorf("%d found the name free; want one", got)
	}
}

// What agents send is stored one after the other, and beside those that claim;
// who decides by what is queued has the tenant for himself.
func TestTake_besideClaims(t *testing.T) {
	t.Parallel()
	stores := two(t)
	ctx := context.Background()
	nothing := func(*store.Tx) error { return nil }
	soon := func(do func() error) error {
		ended := make(chan error, 1)
		go func() { ended <- do() }()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			return errors.New("it waits")
		}
	}
	if err := stores[0].Take(ctx, tenant, func(*store.Tx) error {
		return errors.Join(soon(func() error { return stores[1].Claim(ctx, tenant, nothing) }),
			soon(func() error { return stores[1].Take(ctx, tenant+"2", nothing) }))
	}); err != nil {
		t.Error("a claim, or another tenant's results, beside results:", err)
	}
	for name, other := range map[string]func() error{
		"results": func() error { return stores[1].Take(ctx, tenant, nothing) },
		"planner": func() error { return stores[1].WriteTenant(ctx, tenant, nothing) },
	} {
		ended := make(chan error, 1)
		if err := stores[0].Take(ctx, tenant, func(*store.Tx) error {
			go func() { ended <- other() }()
			select {
			case <-ended:
				return errors.New("it did not wait")
			case <-time.After(200 * time.Millisecond):
				return nil
			}
		}); err != nil {
			t.Errorf("%s beside results: %v", name, err)
			continue
		}
		if err := <-ended; err != nil {
			t.Errorf("%s after results: %v", name, err)
		}
	}
}

func connect(tx *store.Tx, a store.Agent) error {
	_, err := tx.ConnectAgent(a)
	return err
}

// An agent that dies together with its coordinator is relieved after the silence,
// not before; one whose coordinator does not hear it, because it is of the release
// before, after two minutes. A coordinator that could not write that long is told
// that the agent is not its own any more.
func TestHearAgents_relieved(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	stores := two(t)
	since := map[string]store.Instant{}
	write(t, stores[0], func(tx *store.Tx) error {
		for _, id := range []string{"dead", "old", "here"} {
			since[id] = tx.Now
			err := errors.Join(tx.AddAgent(store.Agent{Tenant: tenant, ID: id, Site: "hq"}), connect(tx, store.Agent{Tenant: tenant, ID: id, Connectors: "[]"}),
				tx.SetLeased(tenant, id, true), tx.AddJobs([]store.Job{{Tenant: tenant, Site: "hq", State: store.JobSent, Agent: id}}))
			if err != nil {
				return err
			}
		}
		return nil
	})
	hear := func(s *store.Store, ids ...string) (lost []string) {
		t.Helper()
		of := map[string]store.Instant{}
		for _, id := range ids {
			of[id] = since[id]
		}
		if err := s.Take(context.Background(), tenant, func(tx *store.Tx) (err error) {
			lost, err = tx.HearAgents(tenant, of, silence)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return lost
	}
	toRelieve := func(silence time.Duration) (ids []string) {
		t.Helper()
		read(t, stores[1], func(tx *store.Tx) error {
			rows, err := tx.AgentsToRelieve(silence)
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			return err
		})
		return ids
	}
	if lost := hear(stores[0], "dead", "here"); lost != nil {
		t.Fatalf("agents not ours just after they connected = %v; want none", lost)
	}
	if ids := toRelieve(time.Hour); ids != nil {
		t.Errorf("to relieve before the silence = %v; want none", ids)
	}
	time.Sleep(silence + 100*time.Millisecond)
	write(t, stores[1], func(tx *store.Tx) error { // it goes on to be heard
		since["here"] = tx.Now
		return connect(tx, store.Agent{Tenant: tenant, ID: "here", Connectors: "[]"})
	})
	if ids := toRelieve(silence); !slices.Equal(ids, []string{"dead"}) {
		t.Errorf("to relieve after the silence = %v; want the one that was heard and is not any more", ids)
	}
	if lost := hear(stores[0], "dead"); !slices.Equal(lost, []string{"dead"}) {
		t.Errorf("agents not ours after the silence = %v; want the one that nobody heard", lost)
	}
	write(t, stores[1], func(tx *store.Tx) error {
		n, err := tx.RelieveAgent(tenant, "dead", silence)
		if err == nil && n != 1 {
			t.Errorf("%d jobs of it are another's; want 1", n)
		}
		return err
	})
}

// An agent that died together with its coordinator is shown as away, though
// nobody needs its jobs: one that is heard after the silence, one that is only
// noted each minute after some of these. An agent that is here stays, also where
// it had a lease before and is not heard any more.
func TestSilentAgents(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	stores := two(t)
	since := map[string]store.Instant{}
	write(t, stores[0], func(tx *store.Tx) error {
		for _, id := range []string{"leased", "alone", "was leased"} {
			since[id] = tx.Now
			if err := errors.Join(tx.AddAgent(store.Agent{Tenant: tenant, ID: id, Site: id}), connect(tx, store.Agent{Tenant: tenant, ID: id, Connectors: "[]"}),
				tx.SetLeased(tenant, id, id == "leased")); err != nil {
				return err
			}
		}
		_, err := tx.HearAgents(tenant, map[string]store.Instant{"leased": tx.Now, "was leased": tx.Now}, silence)
		return err
	})
	time.Sleep(silence + 100*time.Millisecond)
	part := func(id string, silence time.Duration) (parted bool) {
		t.Helper()
		write(t, stores[1], func(tx *store.Tx) (err error) {
			parted, err = tx.PartSilent(tenant, id, silence)
			return err
		})
		return parted
	}
	for _, id := range []string{"leased", "alone", "was leased"} {
		if part(id, time.Hour) {
			t.Errorf("agent %s is away before the silence", id)
		}
	}
	read(t, stores[1], func(tx *store.Tx) error {
		rows, err := tx.SilentAgents(silence)
		if len(rows) != 1 || rows[0].ID != "leased" {
			t.Errorf("silent agents = %v; want the one that was heard, and is not any more", rows)
		}
		return err
	})
	if !part("leased", silence) || part("leased", silence) {
		t.Error("the silent agent is not away, or twice")
	}
	write(t, stores[1], func(tx *store.Tx) error {
		for id := range since {
			here, err := tx.Connected(tenant, id, since[id])
			if err != nil || here == (id == "leased") {
				t.Errorf("agent %s is connected: %v, %v", id, here, err)
			}
		}
		if err := tx.SetLeased(tenant, "leased", true); err != nil {
			return err
		}
		// Its jobs may be another's now, should one come to its site.
		err := errors.Join(tx.AddAgent(store.Agent{Tenant: tenant, ID: "new", Site: "leased"}), connect(tx, store.Agent{Tenant: tenant, ID: "new", Connectors: "[]"}),
			tx.AddJobs([]store.Job{{Tenant: tenant, Site: "leased", State: store.JobSent, Agent: "leased"}}))
		if err != nil {
			return err
		}
		rows, err := tx.AgentsToRelieve(silence)
		if len(rows) != 1 || rows[0].ID != "leased" {
			t.Errorf("to relieve = %v; want the one that is away", rows)
		}
		return err
	})
}

// What one coordinator commits wakes the other.
func TestSignal_ofAnotherCoordinator(t *testing.T) {
	t.Parallel()
	stores := two(t)
	woken := stores[1].Due.Next()
	write(t, stores[0], func(tx *store.Tx) error { return tx.MarkDue(tenant, tx.Now, "test", []string{"p"}) })
	select {
	case <-woken:
	case <-time.After(10 * time.Second):
		t.Error("not woken")
	}
}
