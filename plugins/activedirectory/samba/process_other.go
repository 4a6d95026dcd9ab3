//go:build !linux

package samba

import (
	"errors"
	"os/exec"
)

var errLinuxOnly = errors.New("the samba rig runs on Linux only")

func ownGroup(*exec.Cmd) {}

func (d *Domain) start() error { return errLinuxOnly }

func (d *Domain) kill() {}

func lockFile(string) (unlock func(), err error) { return nil, errLinuxOnly }
