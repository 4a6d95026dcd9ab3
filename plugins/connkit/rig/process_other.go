//go:build !linux

package rig

import "os/exec"

func (d *Daemon) own(string) error { return nil }
func (d *Daemon) as(*exec.Cmd)     {}
func (d *Daemon) stop() error      { return d.cmd.Process.Kill() }

func (d *Daemon) start() error {
	cmd, exited := d.cmd, d.exited
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	return nil
}
