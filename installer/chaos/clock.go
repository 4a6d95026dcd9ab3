package chaos

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// settable is what a program has more whose clock can be set: it reads beside
// its executable by how many seconds that of its host is ahead.
//
//go:embed testdata/clock.go
var settable string

// Steps of a clock. The agent goes by the coordinator's where its own is more
// than five minutes off, so any step will do there. The coordinator's clock is
// the measure of everything: what it stores while it is ahead is waited for.
var (
	agentSteps       = []time.Duration{2 * time.Second, -2 * time.Second, 90 * time.Second, -90 * time.Second, 20 * time.Minute, -20 * time.Minute, 50 * time.Hour, -50 * time.Hour}
	coordinatorSteps = []time.Duration{time.Second, -time.Second, 8 * time.Second, -8 * time.Second}
)

// clocks are those of the programs, where they can be set.
type clocks struct {
	on    bool
	dir   string    // with a file for each host
	until time.Time // up to which something may have been stored already
}

// set has a host's clock be ahead by a step.
func (c *clocks) set(host string, step time.Duration) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(c.dir, host)
	if err := os.WriteFile(path+".new", []byte(strconv.Itoa(int(step/time.Second))), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// passed waits until every clock has been right for as long as one was ahead.
func (c *clocks) passed() { time.Sleep(time.Until(c.until)) }

// setClock sets a host's clock, and after a while sets it right again.
func (r *rig) setClock(host string, steps []time.Duration) error {
	if !r.clocks.on {
		return errNotNow
	}
	step := steps[r.rnd.IntN(len(steps))]
	if err := r.clocks.set(host, step); err != nil {
		return err
	}
	r.wait(200*time.Millisecond, 3*time.Second)
	if host == "coordinator" && step > 0 {
		r.clocks.until = time.Now().Add(step + time.Second)
	}
	word := "ahead"
	if step < 0 {
		word = "behind"
	}
	r.report.Faults[fmt.Sprintf("%s's clock: %v %s", host, step.Abs(), word)]++
	return r.clocks.set(host, 0)
}

// clocked are the programs whose clocks can be set.
var clocked = []string{"./agent/cmd/drawbridge-agent", "./coordinator/cmd/drawbridge-coordinator", "./plugins/cmd/drawbridge-connectors", "./plugins/fake/cmd/drawbridge-fake"}

// Build builds the programs of a rig. Where clocks is set, those of the agent's
// host and of the coordinator's can be set: they are built, from the same source, with a
// standard library whose time.Now adds an offset, and a goroutine that reads it
// from a file. That builds everything anew, once.
func Build(ctx context.Context, bin string, clocks bool) error {
	also := []string{"./plugins/fake/cmd/drawbridge-fake"}
	if err := stage.Build(ctx, bin, also...); err != nil || !clocks {
		return err
	}
	overlay, err := writeOverlay(ctx, bin)
	if err != nil {
		return fmt.Errorf("make clocks that can be set: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-overlay", overlay, "-o", bin + "/"}, clocked...)...)
	cmd.Dir = root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build programs whose clocks can be set: %w\n%s", err, out)
	}
	return nil
}

func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..")
}

// writeOverlay writes what go build is to take instead of and besides the source.
func writeOverlay(ctx context.Context, dir string) (path string, err error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	library := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go")
	text, err := os.ReadFile(library)
	if err != nil {
		return "", err
	}
	const reads = "sec, nsec, mono := runtimeNow()\n"
	before, after, found := strings.Cut(string(text), reads)
	if !found || !strings.HasSuffix(before, "func Now() Time {\n\t") {
		return "", errors.New("time.Now of this release of Go is written otherwise than expected")
	}
	offset := "\n// Offset is how many seconds Now is ahead.\nvar Offset int64\n"
	replace := map[string]string{}
	for name, from := range map[string]struct{ text, to string }{
		"time.go":  {before + reads + "\tsec += Offset\n" + after + offset, library},
		"clock.go": {settable, ""},
	} {
		file := filepath.Join(dir, "overlay-"+name)
		if err := os.WriteFile(file, []byte(from.text), 0o600); err != nil {
			return "", err
		}
		if from.to != "" {
			replace[from.to] = file
			continue
		}
		for _, main := range clocked {
			replace[filepath.Join(root(), main, "settable_clock.go")] = file
		}
	}
	line, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, line, 0o600)
}
