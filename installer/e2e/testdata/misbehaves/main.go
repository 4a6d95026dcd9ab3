//go:build linux

// Command misbehaves is an agent that does wrong, for the tests of updates. The
// build says as which version it does what: ends on start; changes the layout of
// the journal, as a newer release may, and ends; is the real agent until there is
// a file named crash in its data folder, and then ends, each time.
package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"go.etcd.io/bbolt"
)

// Versions, and the path of the real agent, as the build gives them.
var ends, layout, later, agent string

func main() {
	version := strings.TrimPrefix(os.Args[4], "--supervised=") // after run --config FILE
	if version == ends {
		os.Exit(3)
	}
	conf, err := config.Load(os.Args[3])
	if err != nil || version != layout && version != later {
		os.Exit(4)
	}
	if version == layout {
		db, err := bbolt.Open(filepath.Join(conf.Data, "spool.db"), 0o600, nil)
		if err != nil {
			os.Exit(4)
		}
		err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("99")) })
		if err != nil || db.Close() != nil {
			os.Exit(4)
		}
		os.Exit(3)
	}
	cmd := exec.Command(agent, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		os.Exit(4)
	}
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(conf.Data, "crash")); err == nil {
				_ = cmd.Process.Kill()
				os.Exit(3)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	_ = cmd.Wait()
	os.Exit(cmd.ProcessState.ExitCode())
}
