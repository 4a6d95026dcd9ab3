package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// An agent whose disk is full says so at both ends, and goes on by itself when
// there is room again.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	dir := filepath.Join(t.TempDir(), "stage")
	disk := filepath.Join(dir, "agent")
	smallDisk(t, disk)
	s, err := stage.Start(t.Context(), stage.Options{Bin: bin, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.File.Put(workers.List(20)...)
	export(t, s)
	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
	s.Agent.Kill() // what takes the place of the reserve is found out at the next start
	os.Remove(filepath.Join(disk, "spool.db.reserve"))
	if f, err = os.OpenFile(filler, os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4<<10); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
	if err := s.Agent.Start(); err != nil {
		t.Fatal(err)
	}
	s.File.Put(workers.List(25)...)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 40*time.Second, func() string {
		out, err := s.CLI(t.Context(), "status")
		if err != nil || !strings.Contains(string(out), "disk of the agent's host is full") {
			return "the coordinator's status says nothing of the disk:\n" + string(out)
		}
		return ""
	})
	if s.Agent.PID() == 0 {
		t.Error("the agent has ended")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	export(t, s)
	want(t, s, workers.ID(24), map[string]string{"enabled": "true"})
	out, err := s.CLI(t.Context(), "status")
	if err != nil || strings.Contains(string(out), "is full") {
		t.Errorf("status = %s, %v; want nothing of a full disk", out, err)
	}
}

// smallDisk mounts a file system of 64 MiB; it takes root.
func smallDisk(t *testing.T, at string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"truncate", "-s", "64M", image}, {"mkfs.ext4", "-q", "-F", "-m", "0", image}, {"mount", "-o", "loop", image, at}} {
		if words, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("LEFT OUT: full disks: %s: %v %s", strings.Join(args, " "), err, words)
		}
	}
	t.Cleanup(func() {
		if words, err := exec.Command("umount", "-l", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, words)
		}
	})
}
