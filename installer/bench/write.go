package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// adWriteDouble and adWriteSamba take the accounts per second that get written
// once the people are known: planned, sent, stored by the agent, written,
// stored again, committed. The other side is bare go-ldap adding the same
// entries to a new domain of the same kind over as many connections as the
// agent found best.
func adWriteDouble(ctx context.Context, b *bench) ([]Figure, error) {
	return adWrite(ctx, b, "ad_write_double", "double", b.count(20_000))
}

func adWriteSamba(ctx context.Context, b *bench) ([]Figure, error) {
	return adWrite(ctx, b, "ad_write_samba", "samba", b.count(600))
}

func adWrite(ctx context.Context, b *bench, name, domain string, count int) ([]Figure, error) {
	s, err := b.stage(ctx, domain, count)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := applyHR(ctx, s); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx, time.Time{}); err != nil {
		return nil, err
	}
	if err := applyAD(ctx, s); err != nil {
		return nil, err
	}
	began, err := planned(ctx, s)
	if err != nil {
		return nil, err
	}
	before := usedBy(s)
	if err := waitForAccounts(ctx, s, count); err != nil {
		return nil, err
	}
	for i, used := range usedBy(s) {
		b.log("%s: %.0f µs of processor time an account", processes[i], float64((used-before[i]).Microseconds())/float64(count))
	}
	rate := float64(count) / time.Since(began).Seconds()
	parallel := parallelOf(ctx, s)
	b.log("%d accounts, %.0f/s, %d at a time", count, rate, parallel)
	bare, err := b.bare(ctx, s, domain, parallel)
	if err != nil {
		return nil, err
	}
	return []Figure{against(name, rate, "accounts/s", bare)}, nil
}

// cycleFirst takes the rate from a new HR file to accounts, and the peak memory
// of each process. The other side parses the same file and adds the same
// entries to a new double with go-ldap at the same concurrency.
func cycleFirst(ctx context.Context, b *bench) ([]Figure, error) {
	count := b.count(100_000)
	s, err := b.stage(ctx, "double", count)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := applyAD(ctx, s); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := applyHR(ctx, s); err != nil {
		return nil, err
	}
	if err := waitForAccounts(ctx, s, count); err != nil {
		return nil, err
	}
	took := time.Since(began)
	figures := memoryFigures("cycle_first", s)
	bare, err := b.bare(ctx, s, "double", parallelOf(ctx, s))
	if err != nil {
		return nil, err
	}
	return append([]Figure{
		against("cycle_first", float64(count)/took.Seconds(), "workers/s", bare),
		{Name: "cycle_first_time", Value: took.Seconds(), Unit: "s"},
	}, figures...), nil
}

// stage sets a furnished stage with an HR file of count workers.
func (b *bench) stage(ctx context.Context, domain string, count int) (*stage.Stage, error) {
	s, err := stage.Start(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/product", Domain: domain})
	if err != nil {
		return nil, err
	}
	if err := s.Furnish(); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.File.Write(func(w io.Writer) error { return workers.WriteFirst(w, count) }); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// bare ends the product's stage and repeats what it wrote on a new domain.
func (b *bench) bare(ctx context.Context, s *stage.Stage, domain string, conns int) (float64, error) {
	adds, err := accounts(s.Domain)
	if err != nil {
		return 0, err
	}
	s.Close()
	d, err := stage.StartDomain(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/bare", Domain: domain})
	if err != nil {
		return 0, err
	}
	defer d.Close()
	began := time.Now()
	if err := parse(s.File.Path); err != nil {
		return 0, err
	}
	parsing := time.Since(began)
	adding, err := bareAdd(ctx, d.Domain, adds, max(1, conns))
	if err != nil {
		return 0, err
	}
	rate := float64(len(adds)) / (parsing + adding).Seconds()
	b.log("bare: %d entries, %.0f/s", len(adds), rate)
	return rate, nil
}

// planned waits for the first job of the target and returns when it was planned:
// the target's own first read is over then.
func planned(ctx context.Context, s *stage.Stage) (time.Time, error) {
	for {
		jobs, err := s.Jobs(ctx, url.Values{"system": {stage.AD}, "class": {"create"}, "limit": {"1"}})
		if err != nil || len(jobs) > 0 {
			if len(jobs) > 0 {
				return jobs[0].Made, nil
			}
			return time.Time{}, err
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
}

func waitForAccounts(ctx context.Context, s *stage.Stage, count int) error {
	if err := s.Settle(ctx, time.Time{}); err != nil {
		return err
	}
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if got := status.Accounts[stage.AD]; got < int64(count) || status.Problems > 0 {
		problems, err := s.CLI(ctx, "problem", "list")
		return errors.Join(fmt.Errorf("%d accounts and %d problems; want %d and none\n%s", got, status.Problems, count, problems), err)
	}
	return nil
}

func parallelOf(ctx context.Context, s *stage.Stage) int {
	status, err := s.Status(ctx)
	if err != nil {
		return 0
	}
	for _, system := range status.Systems {
		if system.Name == stage.AD {
			return system.Parallel
		}
	}
	return 0
}

// processes names those of [usedBy].
var processes = [3]string{"coordinator", "agent", "connectors"}

// usedBy gives the processor time that each of the product's programs has used.
func usedBy(s *stage.Stage) [3]time.Duration {
	var used [3]time.Duration
	add := func(i, pid int) {
		took, _ := stage.ProcessorTime(pid) // where it cannot be told, none
		used[i] += took
	}
	add(0, s.Coordinator.PID())
	add(1, s.Agent.PID())
	for _, pid := range stage.Children(s.Agent.PID()) {
		add(2, pid)
	}
	return used
}

// memoryFigures gives the peak resident memory of each of the product's processes.
func memoryFigures(name string, s *stage.Stage) []Figure {
	figures := []Figure{memoryFigure(name+"_coordinator", s.Coordinator.PID()), memoryFigure(name+"_agent", s.Agent.PID())}
	for i, pid := range stage.Children(s.Agent.PID()) {
		figures = append(figures, memoryFigure(fmt.Sprintf("%s_connector_%d", name, i+1), pid))
	}
	return figures
}

func memoryFigure(name string, pid int) Figure {
	_, peak := stage.Memory(pid)
	return Figure{Name: name + "_peak", Value: float64(peak) / (1 << 20), Unit: "MiB"}
}
