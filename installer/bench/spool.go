package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// spoolAccept compares durable accepts of the spool, 64 jobs of 1 KiB in
// flight, with grouped append and fdatasync of the same bytes to a plain file.
func spoolAccept(ctx context.Context, _ *bench) ([]Figure, error) {
	m, err := goBenchmark(ctx, "./agent/spool", "BenchmarkAccept", "accepts/s", "raw/s")
	if err != nil {
		return nil, err
	}
	return []Figure{against("spool_accept", m["accepts/s"], "jobs/s", m["raw/s"])}, nil
}

// spoolRecover takes the time from opening a spool of 1,000,000 waiting jobs
// with a cold cache to the first of them in hand. The goal is one second.
func spoolRecover(ctx context.Context, _ *bench) ([]Figure, error) {
	m, err := goBenchmark(ctx, "./agent/spool", "BenchmarkRecover", "s/first-job")
	if err != nil {
		return nil, err
	}
	return []Figure{{Name: "spool_recover", Value: m["s/first-job"], Unit: "s"}}, nil
}

// goBenchmark runs one Go benchmark and returns its metrics by unit; units are
// those that it must have.
func goBenchmark(ctx context.Context, pkg, name string, units ...string) (map[string]float64, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$", "-timeout", "20m", pkg).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], name) {
			continue
		}
		metrics := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: metric %q: %w", name, fields[i], err)
			}
			metrics[fields[i+1]] = value
		}
		for _, unit := range units {
			if _, ok := metrics[unit]; !ok {
				return nil, fmt.Errorf("%s reports no %s: %s", name, unit, line)
			}
		}
		return metrics, nil
	}
	return nil, fmt.Errorf("%s printed no result:\n%s", name, out)
}
