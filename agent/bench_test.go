package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// BenchmarkAgent_writes is the agent's share of a write: stream, spool,
// connector process and back, with a connector that does nearly nothing.
func BenchmarkAgent_writes(b *testing.B) {
	c := newCoordinator(b, &linkv1.Systems{Systems: []*linkv1.System{{
		Name: "dir", Connector: "fake", Revision: 1, Attributes: []string{"login"}, Settings: `{"users": 1000}`,
	}}})
	s := newSite(b, c)
	s.start()
	defer func() { s.kill() }()
	jobs := func(from, to int) []*linkv1.Job {
		var all []*linkv1.Job
		for i := from; i < to; i++ {
			id := "user-" + strconv.Itoa(i%1000+1)
			all = append(all, &linkv1.Job{Id: uint64(i + 1), System: "dir", Object: id, Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{
				Class: "user", Id: id, ReturnAttributes: []string{"login"}, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
					Changes: []*connectorv1.Change{{Name: "title", Want: []string{"x"}}}}}}}})
		}
		return all
	}
	c.add(jobs(0, 1)...)
	c.wait(b, 1, time.Minute)
	connector := child(b, s.agent.Process.Pid)
	agentBefore, connectorBefore := cpu(b, s.agent.Process.Pid), cpu(b, connector)
	b.ResetTimer()
	c.add(jobs(1, b.N+1)...)
	c.wait(b, b.N+1, 10*time.Minute)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	perOp := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
	b.ReportMetric(perOp(cpu(b, s.agent.Process.Pid)-agentBefore), "agent-us/op")
	b.ReportMetric(perOp(cpu(b, connector)-connectorBefore), "connector-us/op")
	b.ReportMetric(memory(b, s.agent.Process.Pid), "MiB-RSS")
}

// child is the connector process of an agent.
func child(b *testing.B, agent int) int {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(agent) {
			pid, _, _ := strings.Cut(string(text), " ")
			n, err := strconv.Atoi(pid)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatal("no connector runs")
	return 0
}

// BenchmarkAgent_idle looks at an agent that is connected, has one system open
// and nothing to do: resident memory, and CPU time in a span of 20 s.
func BenchmarkAgent_idle(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("reads /proc")
	}
	c := newCoordinator(b, &linkv1.Systems{Systems: []*linkv1.System{{
		Name: "dir", Connector: "fake", Revision: 1, Settings: `{"users": 10}`, Watch: true,
	}}})
	s := newSite(b, c)
	s.start()
	defer func() { s.kill() }()
	c.add(&linkv1.Job{Id: 1, System: "dir", Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
	c.wait(b, 1, time.Minute)
	const span = 20 * time.Second
	for b.Loop() {
		time.Sleep(5 * time.Second)
		before := cpu(b, s.agent.Process.Pid)
		time.Sleep(span)
		b.ReportMetric(float64(cpu(b, s.agent.Process.Pid)-before)/float64(span)*100, "%CPU")
	}
	b.ReportMetric(memory(b, s.agent.Process.Pid), "MiB-RSS")
}

// memory is the resident memory of a process.
func memory(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	return 0
}

// cpu is the CPU time that a process has used, to 10 ms.
func cpu(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		b.Fatalf("stat %q", text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
