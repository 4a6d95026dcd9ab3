package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"golang.org/x/sys/unix"
)

// fullEnv names the folder on which this executable, run as a child, mounts a small disk.
const fullEnv = "DRAWBRIDGE_SPOOL_FULL"

// A disk without space takes no new job, and says so; but what is held can be
// finished, its results sent and forgotten, and then there is room again.
func TestSpool_diskFull(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(fullEnv); dir != "" {
		onFullDisk(t, dir)
		return
	}
	// A mount name space of its own: nothing of it is seen, or left, outside.
	cmd := exec.Command(os.Args[0], "-test.run=^TestSpool_diskFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "cannot mount") || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) {
		t.Skipf("no small disk can be mounted here: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func onFullDisk(t *testing.T, dir string) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		fmt.Println("cannot mount:", err)
		t.SkipNow()
	}
	path := filepath.Join(dir, "spool.db")
	s := openSpool(t, path, spool.Options{})
	var held uint64
	for {
		n, err := s.Accept(context.Background(), []*linkv1.Job{kibibyte(held + 1)})
		if err != nil {
			if n != 0 || !errors.Is(err, spool.ErrFull) || !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("Accept() on a full disk = %d, %v; want 0, ErrFull", n, err)
			}
			break
		}
		if held++; held > 16<<10 {
			t.Fatal("the disk never filled")
		}
	}
	if err := s.Full(); !errors.Is(err, spool.ErrFull) {
		t.Errorf("Full() on a full disk = %v; want ErrFull", err)
	}
	if err := s.PutRecords(context.Background(), records(1024)); !errors.Is(err, spool.ErrFull) {
		t.Errorf("PutRecords() on a full disk = %v; want ErrFull", err)
	}
	var done []uint64
	for id := uint64(1); id <= held; id++ {
		finish(t, s, kibibyte(id))
		done = append(done, id)
	}
	closeSpool(t, s)
	s = openSpool(t, path, spool.Options{})
	if got := len(unsent(t, s, 0)); s.Damage() != nil || uint64(got) != held {
		t.Fatalf("opened again: Damage() = %v, %d results; want nil, %d", s.Damage(), got, held)
	}
	if err := s.Forget(context.Background(), done, 0); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); s.Full() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("Full() = %v although there is room again", s.Full())
		}
	}
	// The file keeps its size: the room is within it.
	accept(t, s, kibibyte(held+1))
}
