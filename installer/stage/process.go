package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is one program of the stage, started from its built executable.
// It can be killed at any moment and started again with the same arguments.
type Process struct {
	name    string
	argv    []string
	env     []string
	logPath string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	log  *os.File
	kept bool // it was started, and nobody has ended it since
}

func newProcess(dir, name string, env []string, argv ...string) *Process {
	return &Process{name: name, argv: argv, env: env, logPath: filepath.Join(dir, name+".log")}
}

// Start starts the program; its output is appended to its log file.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs already", p.name)
	}
	return p.start()
}

// Revive starts the program again if it has ended by itself, as systemd and
// Windows do with a service, and tells whether it did.
func (p *Process) Revive() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.kept || p.running() {
		return false, nil
	}
	return true, p.start()
}

func (p *Process) start() error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.name, err), log.Close())
	}
	done := make(chan struct{})
	p.cmd, p.done, p.log, p.kept = cmd, done, log, true
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		log.Close()
		close(done)
	}()
	return nil
}

// Kill ends the program as a power cut would, and waits until it is gone.
func (p *Process) Kill() { p.end(os.Kill, 0) }

// Stop asks the program to end and waits for it; after ten seconds it is killed.
func (p *Process) Stop() { p.end(os.Interrupt, 10*time.Second) }

// Dump ends the program and has it print what each of its goroutines is at.
func (p *Process) Dump() { p.end(syscall.SIGQUIT, 10*time.Second) }

func (p *Process) end(sig os.Signal, patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = false
	if !p.running() {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	if patience > 0 {
		select {
		case <-p.done:
			return
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
		}
	}
	<-p.done
}

func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// PID returns the process id, or 0 while it does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Log returns what the program has printed since it was first started.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// firstLine waits for the first complete line that the program prints.
func (p *Process) firstLine(ctx context.Context) ([]byte, error) {
	for {
		text, err := os.ReadFile(p.logPath)
		if err != nil {
			return nil, err
		}
		if line, _, found := bytes.Cut(text, []byte("\n")); found {
			return line, nil
		}
		if p.PID() == 0 {
			return nil, fmt.Errorf("%s ended at once: %s", p.name, text)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", p.name, err)
		}
	}
}

// Memory returns the resident memory of the process and its peak, in bytes.
// It works on Linux and is 0 elsewhere.
func Memory(pid int) (now, peak int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kib << 10
		case "VmHWM":
			peak = kib << 10
		}
	}
	return now, peak
}

// ResetPeak makes Memory count the peak anew from now on.
func ResetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // where it cannot, the peak stays the higher one
}

// ProcessorTime returns what the process has used of the processor, in user
// and system mode, to a hundredth of a second. It works on Linux.
func ProcessorTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // past the name, which may hold anything
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// Children returns the process ids of the direct children of pid, on Linux.
func Children(pid int) []int {
	var pids []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// KillPID kills a process that somebody else started.
func KillPID(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it may be gone already, which is as good
	}
}
