package mariadb

import (
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// account is the user that the server runs as where the rig is root, which
// MariaDB refuses.
func account() *syscall.Credential {
	u, err := user.Lookup("mysql")
	if os.Getuid() != 0 || err != nil {
		return nil
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func own(path string) error {
	if c := account(); c != nil {
		return os.Chown(path, int(c.Uid), int(c.Gid))
	}
	return nil
}

func as(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account()} }

// stop ends all processes of the server.
func stop(cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGKILL) }

// start starts cmd so that it ends with this process, and closes exited when
// it has ended. The starting thread must live as long: the kernel's
// parent-death signal means the thread (golang.org/issue/27506).
func start(cmd *exec.Cmd, exited chan struct{}) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account(), Pdeathsig: syscall.SIGKILL}
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
