package chaos_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/chaos"
)

var (
	kills  = flag.Int("chaos.kills", 50, "kill processes so many times")
	people = flag.Int("chaos.people", 120, "workers at the start")
	seed   = flag.Uint64("chaos.seed", 0, "play what the run with this seed played; 0 for a new one")
	atMost = flag.Duration("chaos.time", 0, "begin no round after so long, whatever the kills; 0 for no limit")
	domain = flag.String("chaos.domain", "double", "double or samba")
	settle = flag.Duration("chaos.settle", 4*time.Minute, "patience for a round to come to rest")
	clocks = flag.Bool("chaos.clocks", false, "set clocks, too: everything is built anew for that")
	keepIn = flag.String("chaos.dir", "", "play in this folder and leave it; by default in one that is removed")
	out    = flag.String("chaos.out", "", "append the report to this file as a line of JSON")
)

// Whatever goes wrong, nothing is lost, nothing is done twice, and every
// refusal says why.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills real processes for minutes; `make test` runs it")
	}
	dir := t.TempDir()
	if *keepIn != "" {
		dir = *keepIn
	}
	opt := chaos.Options{
		Bin: filepath.Join(dir, "bin"), Dir: filepath.Join(dir, "stage"), Domain: *domain, Seed: *seed, Kills: *kills, People: *people, Clocks: *clocks,
		Log: func(line string) { t.Log(line) }, Settle: *settle,
	}
	if *atMost > 0 {
		opt.Until = time.Now().Add(*atMost)
	}
	if opt.Seed == 0 {
		opt.Seed = rand.Uint64N(1 << 32)
	}
	t.Logf("seed %d: play it again with -chaos.seed %d -chaos.kills %d", opt.Seed, opt.Seed, opt.Kills)
	if !opt.Clocks {
		t.Log("clocks are not set in this run: -chaos.clocks, which `make chaos` gives, builds everything anew for that")
	}
	if err := chaos.Build(t.Context(), opt.Bin, opt.Clocks); err != nil {
		t.Fatal(err)
	}
	opt.Disk = smallDisk(t, filepath.Join(opt.Dir, "agent"))
	report, err := chaos.Run(t.Context(), opt)
	t.Logf("\n%s", table(report))
	if line, jerr := json.Marshal(report); jerr == nil {
		t.Logf("%s", line)
		keep(t, line)
	}
	if err != nil {
		t.Error(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
	if t.Failed() {
		for name, words := range chaos.Words(opt.Dir) {
			t.Logf("the last words of the %s:\n%s", name, words)
		}
	}
}

// smallDisk mounts a file system of 64 MiB, which a fault can fill. Where that
// may not be done, disks are not filled, and the run says so.
func smallDisk(t *testing.T, at string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"truncate", "-s", "64M", image}, {"mkfs.ext4", "-q", "-F", "-m", "0", image}, {"mount", "-o", "loop", image, at}} {
		if words, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Logf("LEFT OUT: full disks: %s: %v %s", strings.Join(args, " "), err, words)
			return ""
		}
	}
	t.Cleanup(func() {
		if words, err := exec.Command("umount", "-l", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, words)
		}
	})
	return at
}

// table is the report for people.
func table(r *chaos.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d kills and %d cuts in %d rounds over %d people, %.0f s; seed %d\n", r.Kills, r.Cuts, r.Rounds, r.People, r.Seconds, r.Seed)
	for _, part := range []struct {
		title  string
		counts map[string]int
	}{{"fault", r.Faults}, {"kill while", r.Points}, {"weather", r.Weather}} {
		for _, name := range slices.Sorted(maps.Keys(part.counts)) {
			fmt.Fprintf(&b, "  %-12s %-26s %5d\n", part.title, name, part.counts[name])
		}
	}
	fmt.Fprintf(&b, "  lost %d, doubled %d, wrong %d; %d jobs refused, %d of them without a cause or a next step; slowest rest %.1f s\n",
		r.Lost, r.Doubled, r.Wrong, r.Refused, r.Mute, r.Slowest)
	fmt.Fprintf(&b, "  %d forged jobs, of which %d came back refused; %d times a program that had ended by itself was started again\n", r.Forged, r.Denied, r.Revived)
	return b.String()
}

// keep appends the report to the file that was asked for.
func keep(t *testing.T, line []byte) {
	t.Helper()
	if *out == "" {
		return
	}
	f, err := os.OpenFile(*out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}
