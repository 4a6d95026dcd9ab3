package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/rights"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const (
	tick    = time.Second
	askWait = 10 * time.Second // for the agent to say how it is
)

// errUnlinked says that the agent has no link to the coordinator.
var errUnlinked = errors.New("it has no link to the coordinator")

// prove watches over the trial of the version that runs. It returns "" once
// there is nothing more to watch, or when ctx ends, else why the version must be
// taken back. It alone writes the state while a version runs.
func (s *Supervisor) prove(ctx context.Context, version string) (broken string) {
	state, err := s.Folder.State()
	if err != nil || state.Trial == nil || !state.Trial.Settled.IsZero() {
		return ""
	}
	if state.Trial.Passed.IsZero() {
		if broken := s.pass(ctx, version, state.Trial.Systems); broken != "" || ctx.Err() != nil {
			return broken
		}
		state.Trial.Passed = time.Now().UTC()
		s.note(ctx, state)
	}
	pause(ctx, time.Until(state.Trial.Passed.Add(s.Settle)))
	if broken := s.pass(ctx, version, state.Trial.Systems); broken != "" || ctx.Err() != nil {
		return broken
	}
	state.Trial.Settled = time.Now().UTC()
	s.note(ctx, state)
	return ""
}

func (s *Supervisor) note(ctx context.Context, state State) {
	s.Log.Info("The version on trial does its work", "version", state.Current, "settled", !state.Trial.Settled.IsZero())
	if err := s.Folder.setState(state); err != nil {
		s.Log.Error("State not written", "err", err)
	}
	if err := s.Agent.Look(ctx); err != nil {
		s.Log.Warn("The agent was not told how its trial stands", "err", err)
	}
}

// pass waits for the version to pass the gate. The gate's clock stands still
// while the coordinator cannot be reached from here either.
func (s *Supervisor) pass(ctx context.Context, version string, systems []string) (broken string) {
	for left := s.Gate; ; {
		began := time.Now()
		err := s.examine(ctx, version, systems)
		if err == nil || ctx.Err() != nil {
			return ""
		}
		away := false
		if errors.Is(err, errUnlinked) {
			away = s.reach(ctx) != nil
		}
		pause(ctx, tick)
		if !away {
			left -= time.Since(began)
		}
		if left <= 0 && ctx.Err() == nil {
			return fmt.Sprintf("it did not do its work within %s: %v", s.Gate, err)
		}
	}
}

func (s *Supervisor) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	return s.Reach(ctx)
}

// Passes tells what a probe of a system failed at. That its account has more
// rights than it needs, or lacks some, is nothing that a release has done.
func Passes(probe *connectorv1.ProbeResponse, err error) error {
	if err != nil {
		return err
	}
	for _, step := range probe.GetSteps() {
		if f := step.GetFault(); f != nil && !strings.HasPrefix(step.GetName(), rights.Prefix) {
			return fmt.Errorf("%s: %s", step.GetName(), f.GetCause())
		}
	}
	return nil
}

// examine tells what the agent that runs lacks.
func (s *Supervisor) examine(ctx context.Context, version string, systems []string) error {
	asking, cancel := context.WithTimeout(ctx, askWait)
	status, err := s.Agent.Status(asking)
	cancel()
	switch {
	case err != nil:
		return err
	case status.Version != version:
		return fmt.Errorf("it says that it is version %s, its manifest that it is %s", status.Version, version)
	case !status.Connected:
		return fmt.Errorf("%w: %s", errUnlinked, status.LinkError)
	}
	asking, cancel = context.WithTimeout(ctx, max(s.Gate, askWait))
	defer cancel()
	for _, system := range systems {
		if err := Passes(s.Agent.Probe(asking, system)); err != nil {
			return fmt.Errorf("system %s, which answered before: %w", system, err)
		}
	}
	return nil
}
