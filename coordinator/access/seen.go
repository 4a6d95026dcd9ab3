package access

import (
	"context"
	"errors"
	"sync"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// seen are sessions that were used and whose rows do not say so yet. They are
// written together: a request does not wait for the store's writer, and many
// open dashboards cost one transaction in a while.
type seen struct {
	mu       sync.Mutex
	sessions map[string]map[string]struct{} // ids by tenant
}

func (s *seen) add(tenant, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		s.sessions = map[string]map[string]struct{}{}
	}
	if s.sessions[tenant] == nil {
		s.sessions[tenant] = map[string]struct{}{}
	}
	s.sessions[tenant][id] = struct{}{}
}

func (s *seen) take() map[string]map[string]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.sessions
	s.sessions = nil
	return list
}

// Flush writes which sessions were used. Run calls it now and then, and at its end.
func (g *Gate) Flush(ctx context.Context) error {
	var errs []error
	for tenant, ids := range g.seen.take() {
		errs = append(errs, g.store.WriteTenant(ctx, tenant, func(tx *store.Tx) error {
			for id := range ids {
				if err := tx.SeenSession(tenant, id); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return errors.Join(errs...)
}
