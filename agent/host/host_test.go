package host_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/host"
	fakeconnector "github.com/drawbridge-id/drawbridge/plugins/fake"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// fake is the scripted connector, built once.
var fake = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fake")
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, "drawbridge-fake")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", exe, "github.com/drawbridge-id/drawbridge/plugins/fake/cmd/drawbridge-fake").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return exe, nil
})

func TestMain(m *testing.M) {
	if dir := os.Getenv("HOST_TEST_AGENT"); dir != "" { // see TestProcess_endsWithTheAgent
		agent(dir)
		return
	}
	code := m.Run()
	if exe, err := fake(); err == nil {
		os.RemoveAll(filepath.Dir(exe))
	}
	os.Exit(code)
}

func executable(t *testing.T) host.Executable {
	t.Helper()
	exe, err := fake()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := host.Sum(exe)
	if err != nil {
		t.Fatal(err)
	}
	return host.Executable{Path: exe, SHA256: sum, Serves: []string{"fake"}}
}

func newHost(t *testing.T, opt host.Options, exe ...host.Executable) *host.Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "h") // sockets need short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h, err := host.New(filepath.Join(dir, "run"), exe, opt, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start returns a process with the fake directory open in it.
func start(t *testing.T, opt host.Options, settings string) *host.Process {
	t.Helper()
	p, err := newHost(t, opt, executable(t)).Start(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if fault, err := p.Open(t.Context(), settings, nil); fault != nil || err != nil {
		t.Fatalf("Open = %v, %v", fault, err)
	}
	return p
}

func rename(i int, name string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: "user-" + strconv.Itoa(i), Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
		Changes: []*connectorv1.Change{{Name: "displayName", Expect: []string{"User " + strconv.Itoa(i)}, Want: []string{name}}},
	}}}
}

// Many operations share one stream, and each gets its own answer.
func TestProcess_Apply(t *testing.T) {
	t.Parallel()
	p := start(t, host.Options{}, `{"users": 200}`)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			op := rename(i+1, "New "+strconv.Itoa(i+1))
			r, err := p.Apply(t.Context(), op)
			if err != nil || r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || r.GetObject().GetId() != op.GetId() {
				t.Errorf("Apply(%s) = %v, %v; want DONE of the same", op.GetId(), r, err)
			}
		})
	}
	all.Wait()
}

// Every way a process can be lost ends each call under way with ErrLost, soon.
func TestProcess_lost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		freeze bool
		opt    host.Options
	}{
		"crash":      {script: `[{"on":"modify","call":5,"do":"crash"}]`},
		"crash late": {script: `[{"on":"modify","call":5,"do":"crash_after"}]`},
		"hang":       {script: `[{"on":"modify","call":5,"do":"hang"}]`, opt: host.Options{CallWait: 500 * time.Millisecond}},
		"frozen":     {freeze: true, opt: host.Options{PingEvery: 200 * time.Millisecond}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.freeze && runtime.GOOS == "windows" {
				t.Skip("no SIGSTOP")
			}
			script := tt.script
			if script == "" {
				script = "[]"
			}
			p := start(t, tt.opt, `{"users": 20, "latency": "50ms", "script": `+script+`}`)
			if tt.freeze {
				stop(t, p.PID())
			}
			began := time.Now()
			lost := make(chan error, 20)
			for i := range 20 {
				go func() {
					_, err := p.Apply(t.Context(), rename(i+1, "x"))
					lost <- err
				}()
			}
			n := 0
			for range 20 {
				if err := <-lost; errors.Is(err, host.ErrLost) {
					n++
				} else if err != nil {
					t.Errorf("Apply = %v; want ErrLost or an answer", err)
				}
			}
			if n == 0 {
				t.Error("no call was lost")
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			<-p.Done()
			if err := p.Err(); !errors.Is(err, host.ErrLost) {
				t.Errorf("Err = %v; want ErrLost", err)
			}
			p.Kill()
			gone(t, p.PID())
			if _, err := p.Apply(t.Context(), rename(1, "y")); !errors.Is(err, host.ErrLost) {
				t.Errorf("Apply after the loss = %v; want ErrLost", err)
			}
		})
	}
}

// A process killed by someone else is noticed although nobody calls it.
func TestProcess_noticesEndWhileIdle(t *testing.T) {
	t.Parallel()
	p := start(t, host.Options{}, `{}`)
	victim, err := os.FindProcess(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(5 * time.Second):
		t.Error("not noticed within 5 s")
	}
}

// A panic in the connector costs one call, not the process.
func TestProcess_survivesPanicAndNoise(t *testing.T) {
	t.Parallel()
	p := start(t, host.Options{}, `{"users": 3, "script": [{"on":"modify","call":1,"do":"panic"},{"on":"modify","call":2,"do":"noise"}]}`)
	for i, want := range []connectorv1.Outcome{connectorv1.Outcome_OUTCOME_UNKNOWN, connectorv1.Outcome_OUTCOME_DONE, connectorv1.Outcome_OUTCOME_DONE} {
		if r, err := p.Apply(t.Context(), rename(i+1, "x")); err != nil || r.GetOutcome() != want {
			t.Errorf("Apply %d = %v, %v; want %v", i+1, r, err, want)
		}
	}
}

// A read that stops half-way is lost; one that is slow to be consumed is not.
func TestProcess_Read(t *testing.T) {
	t.Parallel()
	request := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"login"}}
	p := start(t, host.Options{ReadWait: 400 * time.Millisecond}, `{"users": 3000, "script": [{"on":"read","call":2,"given":2000,"do":"hang"}]}`)
	seen := 0
	end, err := p.Read(t.Context(), request, func(batch *sdk.Batch) error {
		r := batch.Response()
		seen += len(r.GetRecords())
		time.Sleep(500 * time.Millisecond) // longer than ReadWait
		return nil
	})
	if err != nil || end.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || seen != 3000 {
		t.Errorf("Read = %v, %v with %d objects; want DONE with 3000", end, err, seen)
	}
	enough := errors.New("enough")
	if _, err := p.Read(t.Context(), request, func(*sdk.Batch) error { return enough }); !errors.Is(err, enough) && !errors.Is(err, host.ErrLost) {
		t.Errorf("Read = %v; want %v", err, enough)
	}
	p2 := start(t, host.Options{ReadWait: 400 * time.Millisecond}, `{"users": 3000, "script": [{"on":"read","given":2000,"do":"hang"}]}`)
	if _, err := p2.Read(t.Context(), request, func(*sdk.Batch) error { return nil }); !errors.Is(err, host.ErrLost) {
		t.Errorf("Read = %v; want ErrLost", err)
	}
}

// What is not the pinned executable is not run, and the admin is told all.
func TestHost_pin(t *testing.T) {
	t.Parallel()
	exe := executable(t)
	got := exe.SHA256
	exe.SHA256 = strings.Repeat("ab", 32)
	h := newHost(t, host.Options{}, exe)
	_, err := h.Start(t.Context(), "fake")
	var pin *host.PinError
	if !errors.As(err, &pin) {
		t.Fatalf("Start = %v; want a PinError", err)
	}
	for _, text := range []string{exe.Path, exe.SHA256, got, "put it into agent.yaml"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not name %q", err, text)
		}
	}
	if _, err := h.Start(t.Context(), "other"); !errors.Is(err, host.ErrUnknown) || !strings.Contains(err.Error(), "fake") {
		t.Errorf("Start(other) = %v; want ErrUnknown that names fake", err)
	}
}

// An executable that is no connector, or ends at once, leaves nothing behind.
func TestHost_noConnector(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a shell script")
	}
	for name, script := range map[string]string{
		"ends": "#!/bin/sh\nexit 1\n", "talks": "#!/bin/sh\necho hello\nsleep 60\n", "silent": "#!/bin/sh\nsleep 60 & echo $! > $0.pid; sleep 60\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "connector")
			if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			sum, err := host.Sum(path)
			if err != nil {
				t.Fatal(err)
			}
			h := newHost(t, host.Options{StartWait: 500 * time.Millisecond}, host.Executable{Path: path, SHA256: sum, Serves: []string{"x"}})
			began := time.Now()
			if _, err := h.Start(t.Context(), "x"); !errors.Is(err, host.ErrLost) {
				t.Errorf("Start = %v; want ErrLost", err)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("Start took %v", took)
			}
			if text, err := os.ReadFile(path + ".pid"); err == nil { // what it started is gone, too
				pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
				if err != nil {
					t.Fatal(err)
				}
				gone(t, pid)
			}
		})
	}
}

// agent is the process that TestProcess_endsWithTheAgent kills.
func agent(dir string) {
	exe, sum, _ := strings.Cut(os.Getenv("HOST_TEST_EXE"), "|")
	h, err := host.New(filepath.Join(dir, "run"), []host.Executable{{Path: exe, SHA256: sum, Serves: []string{"fake"}}}, host.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	p, err := h.Start(context.Background(), "fake")
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	select {}
}

// When the agent is killed, no connector remains.
func TestProcess_endsWithTheAgent(t *testing.T) {
	t.Parallel()
	exe := executable(t)
	dir, err := os.MkdirTemp("", "h")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOST_TEST_AGENT="+dir, "HOST_TEST_EXE="+exe.Path+"|"+exe.SHA256)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("the connector does not run")
	}
	if runtime.GOOS == "linux" { // it cannot end by itself then: the system must end it
		stop(t, pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	gone(t, pid)
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// A connector that answers what the contract does not know, or what nobody
// asked, is heard in words that everybody upstream understands.
func TestProcess_Apply_hostileAnswers(t *testing.T) {
	t.Parallel()
	p, mood := startMoody(t)
	mood(fakeconnector.Lies)
	r, err := p.Apply(t.Context(), rename(1, "New 1"))
	if err != nil || r.GetOutcome() != connectorv1.Outcome_OUTCOME_UNKNOWN || !strings.Contains(r.GetFault().GetCause(), "outcome 99") || r.GetFault().GetNextStep() == "" {
		t.Errorf("Apply() = %v, %v; want UNKNOWN with a fault that names outcome 99", r, err)
	}
	mood(fakeconnector.Floods)
	for i := 2; i < 20; i++ {
		op := rename(i, "New "+strconv.Itoa(i))
		if r, err := p.Apply(t.Context(), op); err != nil || r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || r.GetObject().GetId() != op.GetId() {
			t.Fatalf("Apply(%s) = %v, %v; want DONE of the same", op.GetId(), r, err)
		}
	}
	mood(fakeconnector.Bloats)
	if _, err := p.Apply(t.Context(), rename(20, "New 20")); !errors.Is(err, host.ErrLost) {
		t.Errorf("Apply() of 24 MiB = %v; want ErrLost", err)
	}
}

// What it says of objects that are none, or of more than fits, ends the read; what it says often is heard often.
func TestProcess_Read_hostileAnswers(t *testing.T) {
	t.Parallel()
	p, mood := startMoody(t)
	read := func(m string) (ids []string, err error) {
		mood(m)
		_, err = p.Read(t.Context(), &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"login"}}, func(batch *sdk.Batch) error {
			r := batch.Response()
			for _, record := range r.GetRecords() {
				ids = append(ids, record.GetId())
			}
			return nil
		})
		return ids, err
	}
	if ids, err := read(fakeconnector.Floods); err != nil || len(ids) != 50*50 {
		t.Errorf("Read while it floods = %d records, %v; want each of 50 users 50 times", len(ids), err)
	}
	if ids, err := read(fakeconnector.Lies); err != nil || !slices.Contains(ids, "") {
		t.Errorf("Read while it lies = %q, %v; want a record of nothing among them", ids, err)
	}
	if _, err := read(fakeconnector.Garbles); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("Read of garbage = %v; want it refused", err)
	}
	p, mood = startMoody(t) // the last one may have been lost by that
	if _, err := read(fakeconnector.Bloats); err == nil || !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("Read of 24 MiB = %v; want it refused", err)
	}
}

// startMoody starts a moody connector with 50 users, and gives what sets its mood.
func startMoody(t *testing.T) (*host.Process, func(mood string)) {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	exe := executable(t)
	exe.Serves = []string{fakeconnector.Moody}
	p, err := newHost(t, host.Options{}, exe).Start(t.Context(), fakeconnector.Moody)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if fault, err := p.Open(t.Context(), fmt.Sprintf(`{"users": 50, "state": %q}`, state), nil); fault != nil || err != nil {
		t.Fatalf("Open = %v, %v", fault, err)
	}
	return p, func(mood string) {
		if err := os.WriteFile(fakeconnector.MoodFile(state), []byte(mood), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A data folder whose path is too long for sockets is refused at the start, in
// words; one that is just short enough serves.
func TestNew_longPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe := executable(t)
	for _, extra := range []int{0, 1} {
		long := filepath.Join(dir, strings.Repeat("d", 78-len(dir)-1+extra))
		h, err := host.New(long, []host.Executable{exe}, host.Options{}, slog.New(slog.DiscardHandler))
		if extra > 0 {
			if err == nil || !strings.Contains(err.Error(), "1 bytes too long") {
				t.Errorf("New with a path of %d bytes = %v; want it refused", len(long), err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.Start(t.Context(), "fake")
		if err != nil {
			t.Fatalf("a connector in a folder of %d bytes: %v", len(long), err)
		}
		p.Kill()
	}
}
