package gateway

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// What a transaction takes at most: more of it gains little, and others wait for the store.
const (
	maxResults = 2048
	maxRecords = 4000
)

// A parcel is a frame of records or results on its way into the store.
type parcel struct {
	stream  *stream
	records *linkv1.Records
	results []*linkv1.Result
}

// linger is how long a transaction waits for as many results and records as the
// one before it had: where many come, a larger transaction writes fewer pages
// for each. What comes alone never waits.
const linger = 10 * time.Millisecond

// commitAll commits what agents send until ctx ends, and returns its cause.
func (g *Gateway) commitAll(ctx context.Context) error {
	last := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case first := <-g.parcels:
			parcels := g.gather([]parcel{first}, last)
			if g.Store.Shared() {
				last = g.commitTenants(ctx, parcels)
				continue
			}
			last = g.commit(ctx, g.Store.Write, parcels, func(p []parcel) []parcel { return g.gather(p, 0) })
		}
	}
}

// commitTenants commits parcels in a transaction of each tenant's own, which
// waits for no other's nor for agents that claim, all at the same time.
func (g *Gateway) commitTenants(ctx context.Context, parcels []parcel) int {
	of := map[string][]parcel{}
	for _, p := range parcels {
		of[p.stream.agent.Tenant] = append(of[p.stream.agent.Tenant], p)
	}
	var committed atomic.Int64
	var all sync.WaitGroup
	for tenant, parcels := range of {
		all.Go(func() {
			take := func(ctx context.Context, do func(*store.Tx) error) error { return g.Store.Take(ctx, tenant, do) }
			committed.Add(int64(g.commit(ctx, take, parcels, alone)))
		})
	}
	all.Wait()
	return int(committed.Load())
}

// gather adds what else has come in already, and lingers until it has want
// results and records.
func (g *Gateway) gather(parcels []parcel, want int) []parcel {
	var enough <-chan time.Time
	for {
		results, records := size(parcels)
		if results >= maxResults || records >= maxRecords {
			return parcels
		}
		select {
		case p := <-g.parcels:
			parcels = append(parcels, p)
			continue
		default:
		}
		if results+records >= want {
			return parcels
		}
		if enough == nil {
			enough = time.After(linger)
		}
		select {
		case p := <-g.parcels:
			parcels = append(parcels, p)
		case <-enough:
			return parcels
		}
	}
}

// size counts what parcels hold.
func size(parcels []parcel) (results, records int) {
	for _, p := range parcels {
		results += len(p.results)
		records += len(p.records.GetRecords())
	}
	return results, records
}

// commit stores parcels in one transaction, which write runs, with those that
// more adds once it has begun, and has their agents told. If that fails each is
// tried alone, so that only the stream it came by is cut. It returns how much it took.
func (g *Gateway) commit(ctx context.Context, write func(context.Context, func(*store.Tx) error) error, parcels []parcel, more func([]parcel) []parcel) int {
	err := write(ctx, func(tx *store.Tx) error {
		parcels = more(parcels)
		return g.store(tx, parcels)
	})
	if err != nil && len(parcels) > 1 && ctx.Err() == nil {
		g.Log.ErrorContext(ctx, "Group not committed; each part is tried alone", "parts", len(parcels), "err", err)
		for _, p := range parcels {
			g.commit(ctx, write, []parcel{p}, alone)
		}
		return 0
	}
	if err != nil {
		parcels[0].stream.log.ErrorContext(ctx, "Not committed", "err", err)
		parcels[0].stream.cut(status.Error(codes.Unavailable, "the coordinator cannot store what you sent now; come back"))
		return 0
	}
	for _, p := range parcels {
		ids := make([]uint64, len(p.results))
		for i, r := range p.results {
			ids[i] = r.GetJob()
		}
		p.stream.confirm(ids, p.records.GetBatch())
	}
	results, records := size(parcels)
	return results + records
}

// alone adds nothing.
func alone(parcels []parcel) []parcel { return parcels }

// store takes the parcels in their order; neighbours of one kind are taken together.
func (g *Gateway) store(tx *store.Tx, parcels []parcel) error {
	for i := 0; i < len(parcels); {
		n := 1
		for i+n < len(parcels) && alike(parcels[i], parcels[i+n]) {
			n++
		}
		take := g.takeResults
		if parcels[i].records != nil {
			take = g.takeRecords
		}
		if err := take(tx, parcels[i:i+n]); err != nil {
			return err
		}
		i += n
	}
	return nil
}

func alike(a, b parcel) bool {
	if (a.records == nil) != (b.records == nil) || a.stream.agent.Tenant != b.stream.agent.Tenant {
		return false
	}
	return a.records == nil || a.stream == b.stream && a.records.GetJob() == b.records.GetJob() && a.records.GetSystem() == b.records.GetSystem()
}

func (g *Gateway) takeResults(tx *store.Tx, parcels []parcel) error {
	sent := make([]jobs.Results, len(parcels))
	for i, p := range parcels {
		sent[i] = jobs.Results{Site: p.stream.agent.Site, Agent: p.stream.agent.ID, Results: p.results}
	}
	return g.Queue.Finish(tx, parcels[0].stream.agent.Tenant, sent...)
}

// takeRecords takes batches of one read. Those that are in the store already
// are let pass, and so are those of a system that is not of the agent's site,
// and those of a spool that the agent has no more: it reads everything again.
func (g *Gateway) takeRecords(tx *store.Tx, parcels []parcel) error {
	agent := parcels[0].stream.agent
	row, err := tx.Agent(agent.Tenant, agent.ID)
	if err != nil {
		return err
	}
	if row.Spool != parcels[0].stream.spool { // sent before the agent lost it; the numbers are not those of the one it has now
		return nil
	}
	last := row.Batch
	var records []*connectorv1.Record
	var rejects []*connectorv1.Reject
	parent := ""
	for _, p := range parcels {
		if n := int64(p.records.GetBatch()); n > last {
			for _, r := range p.records.GetRecords() {
				if r.GetId() == "" || !r.GetDeleted() && len(r.GetObject()) == 0 {
					p.stream.refused("an object without an id or without content", p.records.GetSystem())
					continue
				}
				records = append(records, r)
			}
			rejects = append(rejects, p.records.GetRejects()...)
			if parent == "" {
				parent = p.records.GetTrace()
			}
			last = n
		}
	}
	if last == row.Batch {
		return nil
	}
	name := parcels[0].records.GetSystem()
	system, err := tx.System(agent.Tenant, name)
	switch {
	case err != nil && !errors.Is(err, store.ErrNone):
		return err
	case err == nil && system.Site != agent.Site:
		parcels[0].stream.refused("records of a system that is not of its site", name)
		return tx.TakeBatch(agent.Tenant, agent.ID, last)
	}
	cycle := int64(parcels[0].records.GetJob())
	if cycle == 0 {
		cycle = intake.ByAgent
	}
	if err := g.Intake.Take(tx, intake.Batch{
		Tenant: agent.Tenant, System: name, Cycle: cycle, Records: records, Rejects: rejects, Trace: parent,
	}); err != nil {
		return err
	}
	return tx.TakeBatch(agent.Tenant, agent.ID, last)
}
