package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// A fault is one thing that goes wrong. do makes it happen and leaves the
// process, if one was ended, running again; bad weather lasts until the next.
type fault struct {
	name   string
	weight int
	kill   bool // counts as a kill
	do     func(*rig) error
}

// faults are what may happen, the likelier the heavier.
var faults = []fault{
	{"coordinator killed", 12, true, func(r *rig) error { return r.again(r.stage.Coordinator, r.stage.Coordinator.Kill) }},
	{"coordinator stopped", 1, false, func(r *rig) error { return r.again(r.stage.Coordinator, r.stage.Coordinator.Stop) }},
	{"agent killed", 12, true, func(r *rig) error { return r.again(r.stage.Agent, r.stage.Agent.Kill) }},
	{"agent stopped", 1, false, func(r *rig) error { return r.again(r.stage.Agent, r.stage.Agent.Stop) }},
	{"connector killed", 12, true, (*rig).killConnector},
	{"link: bad weather", 5, false, func(r *rig) error { return r.storm("link", r.link) }},
	{"domain: bad weather", 3, false, func(r *rig) error { return r.storm("domain", r.directory) }},
	{"changes by hand", 2, false, func(r *rig) error { return r.model.meddle(r.stage.Domain, 2) }},
	{"spool bit-flipped", 1, false, func(r *rig) error { return r.damage(flip) }},
	{"spool truncated", 1, false, func(r *rig) error { return r.damage(truncate) }},
	{"guard.db bit-flipped", 1, false, (*rig).damageGuard},
	{"disk full", 1, false, (*rig).fillDisk},
	{"agent frozen", 2, false, func(r *rig) error { return r.freeze(r.stage.Agent.PID()) }},
	{"coordinator frozen", 2, false, func(r *rig) error { return r.freeze(r.stage.Coordinator.PID()) }},
	{"connector frozen", 2, false, (*rig).freezeConnector},
	{"frames lost", 2, false, func(r *rig) error { return r.tamper(losing) }},
	{"frames doubled", 2, false, func(r *rig) error { return r.tamper(doubling) }},
	{"frames reversed", 1, false, func(r *rig) error { return r.tamper(reversing) }},
	{"hostile coordinator", 3, false, (*rig).misorder},
	{"hostile agent", 2, false, (*rig).lie},
	{"agent killed frozen", 1, true, (*rig).killFrozen},
	{"hostile connector", 4, false, (*rig).upset},
	{"agent's clock set", 2, false, func(r *rig) error { return r.setClock("agent", agentSteps) }},
	{"coordinator's clock set", 1, false, func(r *rig) error { return r.setClock("coordinator", coordinatorSteps) }},
}

// phases are what a kill waits for: for half a second, then it comes whatever
// is under way. An idle process is killed as well, but seldom.
var phases = []string{"reading", "reading", "planning", "queueing", "writing", "writing", "writing", "idle"}

// await waits until what the next kill is meant for is under way.
func (r *rig) await(ctx context.Context) string {
	want := phases[r.rnd.IntN(len(phases))]
	for until := time.Now().Add(500 * time.Millisecond); ; {
		if now := r.point(ctx); now == want || time.Now().After(until) {
			return now
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// again ends a process and starts it a little later.
func (r *rig) again(p *stage.Process, end func()) error {
	end()
	r.wait(0, 300*time.Millisecond)
	return p.Start()
}

// killConnector ends one connector; the agent starts it again by itself.
func (r *rig) killConnector() error {
	pids := stage.Children(r.stage.Agent.PID())
	if len(pids) == 0 {
		return errNotNow
	}
	stage.KillPID(pids[r.rnd.IntN(len(pids))])
	return nil
}

// freeze stops a process for a while; then it goes on as if nothing had been.
func (r *rig) freeze(pid int) error {
	if pid == 0 {
		return errNotNow
	}
	if err := stage.Freeze(pid, true); err != nil {
		return errNotNow // it has just ended
	}
	r.wait(200*time.Millisecond, 3*time.Second)
	if err := stage.Freeze(pid, false); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errNotNow // it was ended while it was frozen, as a connector is by its agent
	}
	return nil
}

// freezeConnector stops one connector; one in twelve times for good, so that the
// agent must find out and put another in its place.
func (r *rig) freezeConnector() error {
	pids := stage.Children(r.stage.Agent.PID())
	if len(pids) == 0 {
		return errNotNow
	}
	pid := pids[r.rnd.IntN(len(pids))]
	if r.rnd.IntN(12) > 0 {
		return r.freeze(pid)
	}
	if err := stage.Freeze(pid, true); err != nil {
		return errNotNow
	}
	r.report.Faults["connector frozen for good"]++
	return nil
}

// killFrozen freezes the agent in the middle of anything, and then it never
// comes back: what it had not stored is not there, and its connectors end with it.
func (r *rig) killFrozen() error {
	if err := stage.Freeze(r.stage.Agent.PID(), true); err != nil {
		return errNotNow
	}
	r.wait(100*time.Millisecond, time.Second)
	return r.again(r.stage.Agent, r.stage.Agent.Kill)
}

// errNotNow is given where there is nothing that the fault could hit.
var errNotNow = errors.New("not now")

func (r *rig) storm(where string, w *wire) error {
	kind := weathers[r.rnd.IntN(len(weathers))]
	r.report.Weather[where+": "+kind.name]++
	w.set(kind.weather)
	r.wait(50*time.Millisecond, 1500*time.Millisecond)
	w.set(fair)
	return nil
}

// damage ends the agent, does something to its spool, and starts it again.
func (r *rig) damage(do func(r *rig, path string, size int64) error) error {
	r.stage.Agent.Kill()
	path := filepath.Join(r.stage.Dir, "agent", "spool.db")
	info, err := os.Stat(path)
	if err == nil {
		err = do(r, path, info.Size())
	}
	return errors.Join(err, r.stage.Agent.Start())
}

// damageGuard ends the agent and flips bits in what its guardrail must not
// forget. Where they are in use the agent does not start, and says what to do:
// somebody puts a copy back. Else it goes on.
func (r *rig) damageGuard() error {
	agent := r.stage.Agent
	agent.Kill()
	path := filepath.Join(r.stage.Dir, "agent", "guard.db")
	whole, err := os.ReadFile(path)
	if err == nil {
		err = flip(r, path, int64(len(whole)))
	}
	said := len(agent.Log())
	if err = errors.Join(err, agent.Start()); err != nil {
		return err
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		switch says := agent.Log()[said:]; {
		case strings.Contains(says, "restore it, or move it away"):
			r.report.Faults["guard.db restored"]++
			agent.Kill()
			return errors.Join(os.WriteFile(path, whole, 0o600), agent.Start())
		case strings.Contains(says, "Agent starts"):
			return nil
		}
	}
	return errors.New("with bits of guard.db flipped the agent neither starts nor says why")
}

func flip(r *rig, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for range 1 + r.rnd.IntN(16) {
		at, b := r.rnd.Int64N(size), []byte{0}
		if _, err := f.ReadAt(b, at); err != nil {
			return errors.Join(err, f.Close())
		}
		b[0] ^= 1 << r.rnd.IntN(8)
		if _, err := f.WriteAt(b, at); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func truncate(r *rig, path string, size int64) error { return os.Truncate(path, r.rnd.Int64N(size)) }

// fillDisk leaves the agent no room for a while.
func (r *rig) fillDisk() error {
	if r.disk == "" {
		return errNotNow
	}
	path := filepath.Join(r.disk, "filler")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	r.wait(200*time.Millisecond, 1500*time.Millisecond)
	if err := errors.Join(f.Close(), os.Remove(path)); err != nil {
		return fmt.Errorf("make room again: %w", err)
	}
	return nil
}

func (r *rig) wait(least, most time.Duration) {
	time.Sleep(least + time.Duration(r.rnd.Int64N(int64(most-least))))
}
