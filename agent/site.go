package agent

import (
	"context"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// site is what the link hands the coordinator's word to.
type site struct{ *Agent }

func (s site) Connectors(ctx context.Context) []*connectorv1.DescribeResponse {
	return s.host.Installed(ctx)
}

// Systems stores the systems before they are put to use, so that they are
// known after a restart while the coordinator is away. Secrets of systems that
// are gone are kept: nothing that the cloud says deletes what an admin gave.
func (s site) Systems(ctx context.Context, systems *linkv1.Systems) error {
	if err := s.spool.SetSystems(ctx, systems); err != nil {
		return err
	}
	s.runner.SetLease(systems.GetLease().AsDuration())
	s.runner.SetSystems(systems.GetSystems(), true)
	return nil
}

// Rescind takes jobs back that were placed ahead of time.
func (s site) Rescind(ctx context.Context, jobs []*linkv1.Rescission) error {
	return s.runner.Rescind(ctx, jobs)
}

// Assigned drops the jobs that are not this agent's any more.
func (s site) Assigned(ctx context.Context, jobs []uint64) error {
	return s.runner.Assigned(ctx, jobs)
}

// Beat has the lease go on.
func (s site) Beat(at time.Time) { s.runner.Beat(at) }
