package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Streams do not look for themselves whether there is something to send: for all
// of them together it is looked in the store, when that signals a change and
// every safety, and those are woken for whose agents there is something.

const (
	safety    = 10 * time.Second // how long it is not looked at most: another coordinator's signal may be lost
	seenEvery = time.Minute      // how often it is noted that agents are still here
)

// A site is where agents serve.
type site struct{ tenant, name string }

// watch has something looked at until ctx ends, and returns its cause: whenever
// the signal is raised, and after as long as look says.
func (g *Gateway) watch(ctx context.Context, signal *store.Signal, look func(context.Context) (time.Duration, error)) error {
	for {
		woken := signal.Next() // before looking: nothing in between is missed
		began := time.Now()
		next, err := look(ctx)
		if err != nil {
			if ctx.Err() == nil {
				g.Log.ErrorContext(ctx, "Not looked for what agents are to be told; tried again", "err", err)
			}
			next = safety / 10
			woken = nil
		}
		// Where many sites wait, looking is never most of what is done.
		if err := pause(ctx, 4*time.Since(began), nil); err != nil {
			return err
		}
		if err := pause(ctx, next, woken); err != nil {
			return err
		}
	}
}

// each calls do for every stream.
func (g *Gateway) each(do func(*stream)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.streams {
		do(s)
	}
}

// lookForJobs wakes the streams of sites for which jobs are queued, or to be taken back.
func (g *Gateway) lookForJobs(ctx context.Context) (time.Duration, error) {
	seen := queued{signal: g.Store.Jobs.Next(), tenants: map[string]bool{}, sites: map[site]bool{}}
	next := safety
	err := g.Store.Read(ctx, func(tx *store.Tx) error {
		tenants, err := tx.Tenants()
		if err != nil {
			return err
		}
		for _, t := range tenants {
			tenant := t.ID
			seen.tenants[tenant] = true
			rows, err := tx.QueuedSites(tenant)
			if err != nil {
				return err
			}
			for _, q := range rows {
				if left := q.From.Time().Sub(tx.Now.Time()); q.From != 0 && left > 0 {
					next = min(next, left)
				} else {
					seen.sites[site{tenant, q.Site}] = true
				}
			}
			back, err := tx.RescindingSites(tenant)
			if err != nil {
				return err
			}
			for _, name := range back {
				seen.sites[site{tenant, name}] = true
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	g.known.setQueued(seen)
	if len(seen.sites) > 0 {
		g.each(func(s *stream) {
			if seen.sites[s.site()] {
				s.wake()
			}
		})
	}
	return next, nil
}

// lookForSystems wakes the streams that have told their agents of other systems
// than there are, or of a lease that is none.
func (g *Gateway) lookForSystems(ctx context.Context) (time.Duration, error) {
	signal, versions := g.Store.Systems.Next(), map[site]string{}
	err := g.Store.Read(ctx, func(tx *store.Tx) error {
		several, err := tx.SitesOfSeveral()
		if err != nil {
			return err
		}
		for _, s := range several {
			versions[site{s.Tenant, s.Name}] = leasedVersion
		}
		rows, err := tx.SystemRevisions()
		for _, r := range rows {
			versions[site{r.Tenant, r.Site}] += systemVersion(r.Name, r.Revision)
		}
		return err
	})
	if err != nil {
		return safety, err
	}
	g.known.setVersions(signal, versions)
	g.each(func(s *stream) {
		if s.told() != versions[s.site()] {
			s.wake()
		}
	})
	return safety, nil
}

// What the systems of a site are is told by the lines of these, in the order of names.
const leasedVersion = "several\n"

func systemVersion(name string, revision int64) string { return fmt.Sprintf("%s %d\n", name, revision) }

// lookForReleases has the streams look whose agents update themselves.
func (g *Gateway) lookForReleases(context.Context) (time.Duration, error) {
	g.each(func(s *stream) {
		s.mu.Lock()
		updates := s.updates
		s.mu.Unlock()
		if updates {
			s.wake()
		}
	})
	return safety, nil
}

// noteSeen notes which agents are here, until ctx ends.
func (g *Gateway) noteSeen(ctx context.Context) error {
	for {
		if err := pause(ctx, seenEvery, nil); err != nil {
			return err
		}
		here := map[string][]string{}
		g.each(func(s *stream) { here[s.agent.Tenant] = append(here[s.agent.Tenant], s.agent.ID) })
		for tenant, ids := range here {
			if err := g.Store.Take(ctx, tenant, func(tx *store.Tx) error { return tx.SeenAgents(tenant, ids) }); err != nil {
				g.Log.ErrorContext(ctx, "Agents not noted as seen; tried again", "tenant", tenant, "err", err)
			}
		}
	}
}
