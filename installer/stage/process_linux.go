package stage

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the program when the stage itself is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// Freeze stops a process as it stands, or lets it go on, as a machine that is
// suspended, and a host that is out of memory, do.
func Freeze(pid int, frozen bool) error {
	sig := syscall.SIGCONT
	if frozen {
		sig = syscall.SIGSTOP
	}
	return syscall.Kill(pid, sig)
}
