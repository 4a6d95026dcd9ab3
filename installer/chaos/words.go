package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// programs are those whose words matter, by the names of their logs.
var programs = []string{"agent", "coordinator"}

// lastLines is how many lines of a log are shown.
const lastLines = 30

// unfinished tells what a company that does not come to rest is at: what went
// wrong before, what each end thinks, what it said last, and what its goroutines
// wait for. It ends both.
func (r *rig) unfinished() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	said := fmt.Errorf("what went wrong: %s\nagent: process %d, coordinator: process %d, the agent has a stream: %v, link is %v, domain is %v",
		strings.Join(r.happened, "; "), r.stage.Agent.PID(), r.stage.Coordinator.PID(), r.relay.connected(), r.link.now(), r.directory.now())
	status, err := r.stage.Status(ctx)
	said = errors.Join(said, err, fmt.Errorf("due %d, later %d, jobs %v, cycles %+v", status.Due, status.Later, status.Jobs, status.Cycles))
	for _, s := range status.Systems {
		said = errors.Join(said, fmt.Errorf("system %s: %s, waiting %d, next try %s, fault %+v", s.Name, s.State, s.Waiting, s.NextTry.Format(time.TimeOnly), s.Fault))
	}
	for _, state := range []string{"queued", "sent", "waiting", "held"} {
		jobs, err := r.stage.Jobs(ctx, url.Values{"state": {state}})
		said = errors.Join(said, err)
		for _, j := range jobs[:min(len(jobs), 3)] {
			said = errors.Join(said, fmt.Errorf("%s: job %d, %s in %s of %q, after %d, made %s, sent %s", state, j.ID, j.Class, j.System, j.Person, j.After,
				j.Made.Format(time.TimeOnly), j.Sent.Format(time.TimeOnly)))
		}
	}
	agent, err := r.stage.AgentCLI(ctx, "status")
	said = errors.Join(said, fmt.Errorf("drawbridge-agent status (%v):\n%s", err, agent))
	before := map[string]string{}
	for _, name := range programs {
		before[name] = read(r.stage.Dir, name)
		said = errors.Join(said, fmt.Errorf("the %s said last:\n%s", name, tail(before[name])))
	}
	r.stage.Coordinator.Dump()
	r.stage.Agent.Dump()
	for _, name := range programs {
		said = errors.Join(said, fmt.Errorf("the goroutines of the %s:\n%s", name, goroutines(strings.TrimPrefix(read(r.stage.Dir, name), before[name]))))
	}
	return said
}

// keep starts again what has ended by itself, as the service manager of a host
// does, until ctx ends.
func (r *rig) keep(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for name, p := range map[string]*stage.Process{"agent": r.stage.Agent, "coordinator": r.stage.Coordinator} {
			revived, err := p.Revive()
			if err != nil {
				return fmt.Errorf("start the %s again: %w", name, err)
			}
			if revived {
				r.revived.Add(1)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Words are what the programs of the stage said last, for whoever looks for
// the cause of a finding.
func Words(dir string) map[string]string {
	words := map[string]string{}
	for _, name := range programs {
		words[name] = tail(read(dir, name))
	}
	return words
}

// read returns the log of a program.
func read(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tail is the end of a log, with its longest lines cut.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = lines[max(0, len(lines)-lastLines):]
	for i, l := range lines {
		lines[i] = "  " + l[:min(len(l), 300)]
	}
	return strings.Join(lines, "\n")
}

var (
	goroutine = regexp.MustCompile(`^goroutine \d+ .*\[(.*)\]:`)
	frame     = regexp.MustCompile(`drawbridge-id/drawbridge/(\S+)\(`)
)

// goroutines sums up what Go prints of a program on SIGQUIT: how many wait for
// what, and where in our own code.
func goroutines(dump string) string {
	counts := map[string]int{}
	for _, g := range strings.Split(dump, "\n\n") {
		state := goroutine.FindStringSubmatch(g)
		if state == nil {
			continue
		}
		var ours []string
		for _, f := range frame.FindAllStringSubmatch(g, 3) {
			ours = append(ours, f[1])
		}
		counts[state[1]+": "+cmp.Or(strings.Join(ours, " < "), "not ours")]++
	}
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "  %3d %s\n", counts[what], what)
	}
	return b.String()
}
