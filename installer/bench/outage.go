package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// latecomer is hired by another source the moment the coordinator is back.
const latecomer = "X900001"

// outage takes what a day without the coordinator costs a site of 50,000 workers,
// all of whom change meanwhile, in two reads of the agent's own: the spool at its
// end, the agent's peak memory, and the time from its return until everything is
// written. The other side is the same change with the coordinator
// there: a catch-up that takes no longer writes as fast as the target is written
// to at all. Somebody is hired as it begins: until that account is there new work
// has waited. A day's records differ from two reads' in nothing but when they came.
func outage(ctx context.Context, b *bench) ([]Figure, error) {
	n := b.count(50_000)
	s, err := b.stage(ctx, "double", n)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	others := filepath.Join(filepath.Dir(s.File.Path), "others.csv")
	if err := applyForOutage(ctx, s, others); err != nil {
		return nil, err
	}
	if err := waitForAccounts(ctx, s, n+1); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := promote(s, n, 1); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx, began); err != nil {
		return nil, err
	}
	usual := time.Since(began)
	b.log("%d changes with the coordinator there: %s", n, usual.Round(time.Millisecond))

	stage.ResetPeak(s.Agent.PID())
	s.Coordinator.Stop()
	held := int64(0)
	for _, each := range []int{2, 0} { // half are as before, then all
		if err := promote(s, n, each); err != nil {
			return nil, err
		}
		if held, err = grown(ctx, b, s, held); err != nil {
			return nil, err
		}
		b.log("%.1f MiB of records wait", float64(held)/(1<<20))
	}
	spool, err := os.Stat(filepath.Join(s.Dir, "agent", "spool.db"))
	if err != nil {
		return nil, err
	}
	if err := writeOthers(others, 2); err != nil {
		return nil, err
	}
	if err := s.Coordinator.Start(); err != nil {
		return nil, err
	}
	if err := connected(ctx, s); err != nil { // within a minute: agents spread their return
		return nil, err
	}
	back := time.Now()
	hired := make(chan time.Duration, 1)
	go func() { hired <- hiredAfter(ctx, s, back) }()
	if err := s.Settle(ctx, back); err != nil {
		return nil, err
	}
	took := time.Since(back)
	_, peak := stage.Memory(s.Agent.PID())
	return []Figure{
		{Name: "outage_spool", Value: float64(spool.Size()) / (1 << 20), Unit: "MiB"},
		{Name: "outage_agent_peak", Value: float64(peak) / (1 << 20), Unit: "MiB"},
		against("outage_catch_up", took.Seconds(), "s", usual.Seconds()),
		against("outage_new_work", (<-hired).Seconds(), "s", took.Seconds()),
	}, nil
}

// applyForOutage configures the systems; the agent reads HR by itself every minute.
func applyForOutage(ctx context.Context, s *stage.Stage, others string) error {
	if err := writeOthers(others, 1); err != nil {
		return err
	}
	hr := strings.Replace(hrDocument, "every: 24h", "every: 1m", 1)
	for name, text := range map[string]string{
		"hr.yaml":     fmt.Sprintf(hr, s.File.Path),
		"others.yaml": strings.Replace(fmt.Sprintf(hrDocument, others), "system: hr", "system: others", 1),
	} {
		if err := s.Apply(ctx, name, text); err != nil {
			return err
		}
	}
	return applyAD(ctx, s)
}

// writeOthers writes the other source's first people.
func writeOthers(path string, n int) error {
	var list []workers.Worker
	for i := range n {
		w := workers.At(0)
		w.EmployeeID, w.FirstName, w.LastName = fmt.Sprint("X90000", i), fmt.Sprint("Late", i), "Comer"
		list = append(list, w)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := workers.Write(file, list); err != nil {
		return err
	}
	return file.Close()
}

func promote(s *stage.Stage, n, each int) error {
	return s.File.Write(func(w io.Writer) error { return workers.WriteChanged(w, n, each) })
}

// grown waits until the agent has stored more records than before, and no more come.
func grown(ctx context.Context, b *bench, s *stage.Stage, before int64) (int64, error) {
	last := before
	for {
		if err := sleep(ctx, 2*time.Second); err != nil {
			return 0, err
		}
		out, err := exec.CommandContext(ctx, filepath.Join(b.bin, "drawbridge-agent"), "status", "--json", "--config", filepath.Join(s.Dir, "agent.yaml")).Output()
		var status control.Status
		if err != nil && len(out) == 0 {
			return 0, err
		}
		if err := json.Unmarshal(out, &status); err != nil {
			return 0, err
		}
		if status.Records == last && last > before {
			return last, nil
		}
		last = status.Records
	}
}

// connected waits until the agent is.
func connected(ctx context.Context, s *stage.Stage) error {
	for {
		status, err := s.Status(ctx)
		if err == nil && len(status.Agents) == 1 && status.Agents[0].State == "connected" {
			return nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// hiredAfter tells when the latecomer's account was there.
func hiredAfter(ctx context.Context, s *stage.Stage, since time.Time) time.Duration {
	for ctx.Err() == nil {
		if found, err := s.Domain.Search("(employeeID=" + ldap.EscapeFilter(latecomer) + ")"); err == nil && len(found) == 1 {
			return time.Since(since)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0
}
