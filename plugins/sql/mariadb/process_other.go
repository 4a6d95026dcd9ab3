//go:build !linux

package mariadb

import "os/exec"

func own(string) error         { return nil }
func as(*exec.Cmd)             {}
func stop(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// start starts cmd and closes exited when it has ended.
func start(cmd *exec.Cmd, exited chan struct{}) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	return nil
}
