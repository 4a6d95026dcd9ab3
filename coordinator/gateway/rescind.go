package gateway

import (
	"cmp"
	"context"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// sendRescinds has the agent take back what was placed with it and is not
// wanted any more: once on each stream, until its results tell what became of it.
func (s *stream) sendRescinds(ctx context.Context) error {
	signal := s.Store.Jobs.Next() // before looking
	if s.rescinds == signal {
		return nil
	}
	var rows []store.Job
	if err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.RescindingJobs(s.agent.Tenant, s.agent.Site, s.agent.ID)
		return err
	}); err != nil {
		return err
	}
	frame := &linkv1.Rescind{}
	for _, row := range rows {
		if _, told := s.rescinded[uint64(row.ID)]; !told {
			frame.Jobs = append(frame.Jobs, &linkv1.Rescission{Job: uint64(row.ID), System: row.System, Object: row.Object, Fence: uint64(cmp.Or(row.Fence, row.ID))})
		}
	}
	if len(frame.Jobs) > 0 {
		if err := s.send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Rescind{Rescind: frame}}); err != nil {
			return err
		}
	}
	s.rescinds, s.rescinded = signal, make(map[uint64]struct{}, len(rows))
	for _, row := range rows {
		s.rescinded[uint64(row.ID)] = struct{}{}
	}
	return nil
}
