package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// cycleNoChange takes the rate of a full cycle over 1,000,000 workers of whom
// none has changed, from the order to the end of the read, and the peak memory
// of the agent and its connector meanwhile. The first after an import lays the
// trail that those after it follow, and has a figure of its own. The other side
// is draining the same connector of the same file, throwing everything away.
// Then 1 % change, and
// the time of that cycle is put against the time of the one before; the file
// has come to rest by then, for which the connector would wait.
func cycleNoChange(ctx context.Context, b *bench) ([]Figure, error) {
	const count = 1_000_000
	s, err := b.stage(ctx, "double", count)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	// Unwatched: a change of the file must be found by the read that is ordered.
	unwatched := strings.Replace(hrDocument, "watch: true", "watch: false", 1)
	if err := s.Apply(ctx, "hr.yaml", fmt.Sprintf(unwatched, s.File.Path)); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx, time.Time{}); err != nil {
		return nil, err
	}
	b.log("%d workers known", count)
	pids := append(stage.Children(s.Agent.PID()), s.Agent.PID())
	for _, pid := range pids {
		stage.ResetPeak(pid)
	}
	if err := rest(ctx, s); err != nil {
		return nil, err
	}
	first, err := fullCycle(ctx, s, 0)
	if err != nil {
		return nil, err
	}
	if err := rest(ctx, s); err != nil {
		return nil, err
	}
	unchanged, err := fullCycle(ctx, s, 0)
	if err != nil {
		return nil, err
	}
	var peak int64
	for _, pid := range pids {
		_, p := stage.Memory(pid)
		peak += p
	}
	drained, err := drainCSV(ctx, b.bin, s.File.Path, count)
	if err != nil {
		return nil, err
	}
	if err := s.File.Write(func(w io.Writer) error { return workers.WriteChanged(w, count, 100) }); err != nil {
		return nil, err
	}
	if err := sleep(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	changed, err := fullCycle(ctx, s, count/100)
	if err != nil {
		return nil, err
	}
	return []Figure{
		against("cycle_nochange", count/unchanged.Seconds(), "workers/s", drained),
		against("cycle_nochange_first", count/first.Seconds(), "workers/s", drained),
		{Name: "cycle_nochange_peak", Value: float64(peak) / (1 << 20), Unit: "MiB"},
		against("cycle_one_percent", changed.Seconds(), "s", unchanged.Seconds()),
	}, nil
}

// fullCycle orders a full read of the HR system and returns what it took until
// all that it found was in the store. It must find so many changes; -1: any
// number. Only the cycle is looked at meanwhile, for the status counts all people.
func fullCycle(ctx context.Context, s *stage.Stage, changes int64) (time.Duration, error) {
	began := time.Now()
	var started client.Started
	if err := s.API.Post(ctx, "/v1/systems/"+stage.HR+"/run", client.Run{Full: true}, &started); err != nil {
		return 0, err
	}
	cycle := client.Cycle{}
	for cycle.Ended.IsZero() {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return 0, err
		}
		if err := s.API.Get(ctx, fmt.Sprint("/v1/cycles/", started.Cycle), nil, &cycle); err != nil {
			return 0, err
		}
	}
	if cycle.State == "failed" || changes >= 0 && cycle.Changed != changes {
		return 0, fmt.Errorf("the cycle found %d changed, %s %s; want %d", cycle.Changed, cycle.State, cycle.Reason, changes)
	}
	return cycle.Ended.Sub(began), s.Settle(ctx, began)
}

// sleep waits for d, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// rest waits until the coordinator does nothing: after an import it goes on to
// make people found by their names, a fifth of the time, for as long as there
// are such. On two cores that is not part of a read.
func rest(ctx context.Context, s *stage.Stage) error {
	const look, most = time.Second, 20 * time.Millisecond
	before, err := stage.ProcessorTime(s.Coordinator.PID())
	for err == nil {
		if err := sleep(ctx, look); err != nil {
			return err
		}
		var now time.Duration
		if now, err = stage.ProcessorTime(s.Coordinator.PID()); err == nil && now-before <= most {
			return nil
		}
		before = now
	}
	return err
}

// agentIdle takes the memory and the processor time of an agent that is
// connected, has its systems, and has nothing to do.
func agentIdle(ctx context.Context, b *bench) ([]Figure, error) {
	const watched = 30 * time.Second
	s, err := b.stage(ctx, "double", 100)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := applyHR(ctx, s); err != nil {
		return nil, err
	}
	if err := applyAD(ctx, s); err != nil {
		return nil, err
	}
	if err := waitForAccounts(ctx, s, 100); err != nil {
		return nil, err
	}
	pid := s.Agent.PID()
	before, err := stage.ProcessorTime(pid)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(watched)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
	}
	after, err := stage.ProcessorTime(pid)
	if err != nil {
		return nil, err
	}
	memory, _ := stage.Memory(pid)
	return []Figure{
		{Name: "agent_idle", Value: float64(memory) / (1 << 20), Unit: "MiB"},
		{Name: "agent_idle_cpu", Value: 100 * (after - before).Seconds() / watched.Seconds(), Unit: "% of a core"},
	}, nil
}

// parse reads the HR file as a bare program would, and throws the rows away.
func parse(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return workers.Read(file, func([]string) error { return nil })
}
