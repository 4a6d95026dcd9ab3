package host_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/host"
)

// A connector sees nothing of the agent's environment, where proxies' passwords
// and other secrets may stand.
func TestProcess_cleanEnvironment(t *testing.T) {
	t.Setenv("HOST_TEST_SECRET", "secret-4711")
	t.Setenv("HTTPS_PROXY", "http://svc:secret-4711@proxy.example:3128")
	p := start(t, host.Options{}, `{}`)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range strings.Split(strings.TrimRight(string(text), "\x00"), "\x00") {
		name, _, _ := strings.Cut(entry, "=")
		if name == "HOST_TEST_SECRET" || name == "HOME" {
			t.Errorf("the connector's environment holds %s", name)
		}
	}
	if strings.Contains(string(text), "secret-4711") {
		t.Error("the connector's environment holds the agent's secret")
	}
}

// A connector may take so much memory and no more, and writes no image of itself
// to disk; one that needs more ends, which is noticed as any loss is.
func TestProcess_limits(t *testing.T) {
	t.Parallel()
	p := start(t, host.Options{Memory: 512 << 20}, `{"users": 3}`)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{"Max data size": "536870912", "Max core file size": "0"} {
		_, rest, _ := strings.Cut(string(limits), what)
		if fields := strings.Fields(rest); len(fields) < 2 || fields[0] != want || fields[1] != want {
			t.Errorf("%s is %v; want %s", what, fields[:min(2, len(fields))], want)
		}
	}
	if raced {
		return
	}
	small, err := newHost(t, host.Options{Memory: 256 << 20}, executable(t)).Start(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(small.Kill)
	if fault, err := small.Open(t.Context(), `{"users": 1000000}`, nil); !errors.Is(err, host.ErrLost) { // some 500 MiB
		t.Errorf("Open of a directory that needs more memory than it may take = %v, %v; want ErrLost", fault, err)
	}
}
