package stage

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the program when the stage itself is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
