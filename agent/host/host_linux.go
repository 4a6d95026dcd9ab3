package host

import (
	"os/exec"
	"syscall"
)

// contain does nothing here: each process is bound by [isolate].
func contain() error { return nil }

// isolate has the process killed when the agent dies, and gives it a group of
// its own, so that what it starts is killed with it.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killAll kills the group of a process that was not yet waited for.
func killAll(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone already is as good
	}
}
