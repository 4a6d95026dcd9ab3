package host_test

import (
	"testing"

	"golang.org/x/sys/windows"
)

func stop(t *testing.T, _ int) { t.Skip("no SIGSTOP") }

func alive(pid int) bool {
	p, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(p)
	state, err := windows.WaitForSingleObject(p, 0)
	return err == nil && state == uint32(windows.WAIT_TIMEOUT)
}
