package samba

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// ownGroup puts the server and its children into one process group and has the
// kernel end it should this process die.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// start starts the server from a thread that lives as long as the server: the
// kernel sends the parent-death signal when the starting thread ends, not only
// the process (golang.org/issue/27506). It closes d.exited when the server ends.
func (d *Domain) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := d.cmd.Start()
		started <- err
		if err == nil {
			_ = d.cmd.Wait() // how it ended is in its log
			close(d.exited)
		}
	}()
	return <-started
}

// kill ends the group: politely, then, after a second, for good.
func (d *Domain) kill() {
	if d.cmd == nil {
		return
	}
	pgid := d.cmd.Process.Pid
	_ = syscall.Kill(-pgid, syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(time.Second):
	}
	_ = syscall.Kill(-pgid, syscall.SIGKILL)
	<-d.exited
	d.cmd = nil
}

// lockFile takes an exclusive lock on path and waits for it.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
