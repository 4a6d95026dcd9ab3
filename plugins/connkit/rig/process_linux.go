package rig

import (
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// account is the user that the server runs as; nil means our own.
func (d *Daemon) account() *syscall.Credential {
	if d.user == "" || os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(d.user)
	if err != nil {
		return nil
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (d *Daemon) own(path string) error {
	if c := d.account(); c != nil {
		return os.Chown(path, int(c.Uid), int(c.Gid))
	}
	return nil
}

func (d *Daemon) as(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Credential: d.account()} }

// end is the signal that ends the server as a crash does.
func (d *Daemon) end() syscall.Signal {
	if d.Family {
		return syscall.SIGQUIT
	}
	return syscall.SIGKILL
}

func (d *Daemon) stop() error { return d.cmd.Process.Signal(d.end()) }

// start starts the server so that it ends with this process. The starting
// thread must live as long: the kernel's parent-death signal means the thread
// (golang.org/issue/27506).
func (d *Daemon) start() error {
	cmd, exited := d.cmd, d.exited
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: d.account(), Pdeathsig: d.end()}
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
