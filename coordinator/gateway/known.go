package gateway

import (
	"context"
	"sync"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// known is what streams of one site need not each ask the store for: its
// systems. An answer is good until the store signals a change, or it is found
// that there was one without a signal.
type known struct {
	mu      sync.Mutex
	systems map[site]answer
}

type answer struct {
	signal  <-chan struct{}
	frame   *linkv1.Systems
	version string // of lookForSystems
}

// keep forgets answers that are not of these versions.
func (k *known) keep(versions map[site]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at, answer := range k.systems {
		if answer.version != versions[at] {
			delete(k.systems, at)
		}
	}
}

// systemsFrame gives the systems of the agent's site, not to be changed, and their version.
func (s *stream) systemsFrame(ctx context.Context) (*linkv1.Systems, string, error) {
	signal := s.Store.Systems.Next() // before looking
	s.known.mu.Lock()
	known, ok := s.known.systems[s.site()]
	s.known.mu.Unlock()
	if ok && known.signal == signal {
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
