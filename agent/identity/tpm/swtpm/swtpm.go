// Package swtpm is a rig: it runs swtpm, a TPM 2.0 in software, for a test.
package swtpm

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wait is how long it may take to answer.
const wait = 30 * time.Second

// Start runs a new TPM for the length of the test, and returns its socket. It
// skips where swtpm is missing, unless TEST_REQUIRE names swtpm or CI is set, and
// where there are no keys in a TPM.
func Start(t testing.TB) (device string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("keys in a TPM are for Linux")
	}
	program, err := exec.LookPath("swtpm")
	required := os.Getenv("CI") == "true" || strings.Contains(os.Getenv("TEST_REQUIRE"), "swtpm")
	if err != nil && !required {
		t.Skip("LEFT OUT: swtpm: keys in a TPM; apt-get install --no-install-recommends swtpm")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tpm") // sockets need short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	device = filepath.Join(dir, "tpm")
	cmd := exec.Command(program, "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+device,
		"--ctrl", "type=unixio,path="+filepath.Join(dir, "control"), "--flags", "not-need-init,startup-clear")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // it is killed
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", device) // its file is there before it listens
		if err == nil {
			conn.Close()
			return device
		}
		if time.Now().After(deadline) {
			t.Fatalf("swtpm does not answer: %v", err)
		}
		select {
		case <-ended:
			t.Fatalf("swtpm ended: %s", said.String())
		default:
		}
	}
}
