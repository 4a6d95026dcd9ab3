package openldap

import (
	"os/exec"
	"runtime"
	"syscall"
)

// start starts cmd so that it ends with this process, and closes exited when
// it has ended. The starting thread must live as long: the kernel's
// parent-death signal means the thread (golang.org/issue/27506).
func start(cmd *exec.Cmd, exited chan struct{}) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			close(exited)
		}
	}()
	return <-started
}
