package gateway

import (
	"context"
	"sync"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// known is what streams need not each ask the store for: that there is nothing
// for their sites, and what the systems of their sites are. An answer is good
// until the store signals a change, or it is found that there was one without a
// signal.
type known struct {
	mu       sync.Mutex
	queued   queued
	signal   <-chan struct{}
	versions map[site]string // of all sites as they were looked at when signal was the store's
	systems  map[site]answer
}

// queued is where jobs were queued, or to be taken back, when signal was the store's.
type queued struct {
	signal  <-chan struct{}
	tenants map[string]bool // that were looked at
	sites   map[site]bool
}

type answer struct {
	signal  <-chan struct{}
	frame   *linkv1.Systems
	version string // of lookForSystems
}

func (k *known) setQueued(q queued) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queued = q
}

// nothing tells whether it is known that no job is queued for a site, nor to be taken back, while signal is the store's.
func (k *known) nothing(at site, signal <-chan struct{}) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.queued.signal == signal && k.queued.tenants[at.tenant] && !k.queued.sites[at]
}

// setVersions forgets answers that are not of these versions.
func (k *known) setVersions(signal <-chan struct{}, versions map[site]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signal, k.versions = signal, versions
	for at, answer := range k.systems {
		if answer.version != versions[at] {
			delete(k.systems, at)
		}
	}
}

// answer gives what is known of a site's systems while signal is the store's.
func (k *known) answer(at site, signal <-chan struct{}) (answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signal == signal && k.versions[at] == "" { // neither systems nor a lease
		return answer{frame: &linkv1.Systems{}}, true
	}
	known, ok := k.systems[at]
	return known, ok && known.signal == signal
}

// systemsFrame gives the systems of the agent's site, not to be changed, and their version.
func (s *stream) systemsFrame(ctx context.Context) (*linkv1.Systems, string, error) {
	signal := s.Store.Systems.Next() // before looking
	if known, ok := s.known.answer(s.site(), signal); ok {
		return known.frame, known.version, nil
	}
	frame, version, err := s.readSystems(ctx)
	if err != nil {
		return nil, "", err
	}
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if s.known.systems == nil {
		s.known.systems = map[site]answer{}
	}
	s.known.systems[s.site()] = answer{signal, frame, version}
	return frame, version, nil
}

// readSystems reads what [stream.systemsFrame] gives.
func (s *stream) readSystems(ctx context.Context) (*linkv1.Systems, string, error) {
	frame := &linkv1.Systems{}
	version := ""
	err := s.Store.Read(ctx, func(tx *store.Tx) error {
		agents, err := tx.AgentsOfSite(s.agent.Tenant, s.agent.Site)
		if err != nil {
			return err
		}
		if agents > 1 {
			frame.Lease = durationpb.New(s.lease())
			version = leasedVersion
		}
		rows, err := tx.SystemsOfSite(s.agent.Tenant, s.agent.Site)
		if err != nil {
			return err
		}
		for _, row := range rows {
			version += systemVersion(row.Name, row.Revision)
			system, err := s.Systems.Get(row)
			if err != nil {
				s.log.ErrorContext(ctx, "Stored document cannot be used", "system", row.Name, "err", err)
				continue
			}
			m := &linkv1.System{
				Name: row.Name, Connector: row.Connector, Settings: string(system.Settings), Revision: uint64(row.Revision),
				Watch: system.Read.Watch, Attributes: system.Attributes(), Writes: system.Writes(),
			}
			if every := system.Read.Every; every > 0 {
				m.ReadEvery, m.Read = durationpb.New(every), &linkv1.Read{Classes: schedule.Classes(system), Attributes: system.Attributes()}
			}
			frame.Systems = append(frame.Systems, m)
		}
		return nil
	})
	return frame, version, err
}
