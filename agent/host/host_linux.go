package host

import (
	"os/exec"
	"syscall"
)

// Contain does nothing here: each process is bound by [Isolate].
func Contain() error { return nil }

// Isolate has the process killed when the agent dies, and gives it a group of
// its own, so that what it starts is killed with it.
func Isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// KillAll kills the group of a process that was not yet waited for.
func KillAll(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone already is as good
	}
}
