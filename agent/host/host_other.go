//go:build !linux && !windows

package host

import (
	"os/exec"
	"syscall"
)

// Contain does nothing here: a connector ends when its connection closes.
func Contain() error { return nil }

// limit does nothing here.
func limit(int, uint64) error { return nil }

// Isolate gives the process a group of its own.
func Isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// KillAll kills the group of a process that was not yet waited for.
func KillAll(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone already is as good
	}
}
