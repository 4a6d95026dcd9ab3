//go:build !linux && !windows

package host

import (
	"os/exec"
	"syscall"
)

// contain does nothing here: a connector ends when its connection closes.
func contain() error { return nil }

// limit does nothing here.
func limit(int, uint64) error { return nil }

// isolate gives the process a group of its own.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killAll kills the group of a process that was not yet waited for.
func killAll(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone already is as good
	}
}
