//go:build !linux

package openldap

import (
	"errors"
	"os/exec"
)

func start(*exec.Cmd, chan struct{}) error {
	return errors.New("the OpenLDAP rig runs on Linux only")
}
