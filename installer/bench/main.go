// Command bench measures Drawbridge against what it compares with, side by
// side in one run on one machine, and prints a table for people and one JSON
// line per figure, which it also appends to a file. Nothing here passes or
// fails: a figure is a figure. What each one compares with stands above the
// function that takes it.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
)

// A Figure is one measured value. Baseline is what the other side reached in
// the same run and Ratio the value against it; both are 0 where there is none.
type Figure struct {
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Baseline float64 `json:"baseline"`
	Ratio    float64 `json:"ratio"`
}

// against makes a figure whose ratio is value over baseline.
func against(name string, value float64, unit string, baseline float64) Figure {
	f := Figure{Name: name, Value: value, Unit: unit, Baseline: baseline}
	if baseline != 0 {
		f.Ratio = value / baseline
	}
	return f
}

// bench is what every benchmark is given.
type bench struct {
	bin   string // folder of the built programs
	dir   string // an empty folder of its own, removed afterwards
	size  int    // people or entries; 0: each benchmark's own number
	store string // address of a PostgreSQL database for the coordinators of lists; "": a file
	kept  string // folder in which filled stores stay for the next run; "": they do not
	log   func(format string, args ...any)
}

// count gives how many people or entries a benchmark takes whose own number is usual.
func (b *bench) count(usual int) int { return cmp.Or(b.size, usual) }

type benchmark struct {
	name string
	what string
	run  func(context.Context, *bench) ([]Figure, error)
}

func main() {
	if kind := os.Getenv(serverKind); kind != "" { // see agentsIdle
		if err := serveCrowd(kind); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	only := flag.String("run", "", "run the benchmarks whose name begins with this")
	bin := flag.String("bin", "build/bin", "folder of the built programs")
	out := flag.String("out", "build/bench.jsonl", "file that figures are appended to")
	size := flag.Int("size", 0, "people or entries to take instead of each benchmark's own number, for a quick look")
	kept := flag.String("kept", "", "folder to leave the coordinators' filled stores in, and to take them from the next time")
	store := flag.String("store", "", "address of an empty PostgreSQL database that coordinators of lists have instead of a file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *out, bench{bin: *bin, size: *size, store: *store, kept: *kept}); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, out string, with bench) (err error) {
	if with.bin, err = filepath.Abs(with.bin); err != nil {
		return err
	}
	file, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	var all []Figure
	failed := 0
	for _, b := range benchmarks {
		if !strings.HasPrefix(b.name, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", b.name, b.what)
		figures, err := measure(ctx, b, with)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: not measured: %v\n", b.name, err)
			failed++
			continue
		}
		for _, f := range figures {
			line, err := json.Marshal(f)
			if err != nil {
				return err
			}
			fmt.Fprintf(file, "%s\n", line)
			fmt.Printf("%s\n", line)
		}
		all = append(all, figures...)
	}
	printTable(all)
	if failed > 0 {
		return fmt.Errorf("%d benchmarks could not be measured", failed)
	}
	return nil
}

func measure(ctx context.Context, b benchmark, with bench) ([]Figure, error) {
	dir, err := os.MkdirTemp("", "drawbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	with.dir, with.log = dir, func(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }
	return b.run(ctx, &with)
}

func printTable(figures []Figure) {
	fmt.Printf("\n%s, %d cores, %s\n\n", runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "figure\tvalue\tunit\tagainst\tratio")
	for _, f := range figures {
		baseline, ratio := "", ""
		if f.Baseline != 0 {
			baseline, ratio = human(f.Baseline), fmt.Sprintf("%.2f", f.Ratio)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Name, human(f.Value), f.Unit, baseline, ratio)
	}
	table.Flush()
}

func human(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
