package spool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// childEnv names the spool that this executable, run as a child, works on instead of testing.
const childEnv = "DRAWBRIDGE_SPOOL_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := work(path, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2) // 1 is what Windows gives a killed process
		}
		return
	}
	os.Exit(m.Run())
}

// work accepts and finishes jobs from many goroutines until it is killed, and
// tells on out what the spool said is stored, each line in one write.
func work(path string, out *os.File) error {
	s, err := spool.Open(path, spool.Options{})
	if err != nil {
		return err
	}
	first := uint64(0)
	if jobs, _, err := s.Next(ad, spool.Key{}, 1<<20, now); err != nil {
		return err
	} else if len(jobs) > 0 {
		first = jobs[len(jobs)-1].GetId()
	}
	items, err := s.Unsent(0, 1<<30)
	if err != nil {
		return err
	}
	for _, i := range items {
		first = max(first, i.Result().GetJob())
	}
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for w := range uint64(16) {
		wg.Go(func() {
			for id := first + 1 + w; ; id += 16 {
				if _, err := s.Accept(context.Background(), []*linkv1.Job{kibibyte(id)}); err != nil {
					errs <- err
					return
				}
				fmt.Fprintf(out, "accepted %d\n", id)
				if id%3 == 0 {
					if err := s.Finish(context.Background(), kibibyte(id), result(id)); err != nil {
						errs <- err
						return
					}
					fmt.Fprintf(out, "finished %d\n", id)
				}
			}
		})
	}
	wg.Wait()
	return <-errs
}

// Killed at any instruction, the spool has what it said it had, and nothing twice.
func TestSpool_survivesKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.db")
	accepted, finished := map[uint64]bool{}, map[uint64]bool{}
	id := ""
	for round := 0; round < 12 || len(finished) < 100 && round < 60; round++ { // a slow machine gets more rounds, and longer ones
		runAndKill(t, path, (20*time.Millisecond+rand.N(150*time.Millisecond))*time.Duration(1+round/12), accepted, finished)
		s := openSpool(t, path, spool.Options{})
		if s.Damage() != nil {
			t.Fatalf("round %d: Damage() = %v", round, s.Damage())
		}
		if id == "" {
			id = s.ID()
		}
		if s.ID() != id {
			t.Fatalf("round %d: another spool", round)
		}
		check(t, s, accepted, finished)
		closeSpool(t, s)
	}
	if len(finished) < 100 {
		t.Errorf("only %d jobs were finished in all rounds: the kills came too soon to mean anything", len(finished))
	}
}

// runAndKill lets a child work for a while and notes what it was told is stored.
func runAndKill(t *testing.T, path string, d time.Duration, accepted, finished map[uint64]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var timer *time.Timer
	for {
		line, err := lines.ReadString('\n')
		if timer == nil { // count from the first thing done, not from the start of the process
			timer = time.AfterFunc(d, func() { cmd.Process.Kill() })
		}
		if err != nil { // a line cut off was not acknowledged in full
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		var what string
		var id uint64
		if _, err := fmt.Sscan(line, &what, &id); err != nil {
			t.Fatalf("child says %q: %v", line, err)
		}
		if what == "accepted" {
			accepted[id] = true
		} else {
			finished[id] = true
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() && (runtime.GOOS != "windows" || exit.ExitCode() != 1) {
		t.Fatalf("child ended by itself: %v", err)
	}
}

// check compares a reopened spool with what was acknowledged. What was stored
// and not yet acknowledged when the kill came may be there too.
func check(t *testing.T, s *spool.Spool, accepted, finished map[uint64]bool) {
	t.Helper()
	held, done := map[uint64]bool{}, map[uint64]bool{}
	for _, j := range next(t, s, spool.Key{}, 1<<20) {
		if held[j.GetId()] {
			t.Errorf("job %d is held twice", j.GetId())
		}
		held[j.GetId()] = true
	}
	for _, i := range unsent(t, s, 0) {
		if done[i.Result().GetJob()] {
			t.Errorf("job %d has two results", i.Result().GetJob())
		}
		done[i.Result().GetJob()] = true
	}
	for id := range accepted {
		if held[id] == done[id] {
			t.Errorf("accepted job %d: held %v, result %v; want one of them", id, held[id], done[id])
		}
	}
	for id := range finished {
		if !done[id] {
			t.Errorf("finished job %d has no result", id)
		}
	}
	for id := range done { // what was unacknowledged and is there counts from now on
		accepted[id], finished[id] = true, true
		if fence, err := s.Fence(ad, kibibyte(id).GetObject()); fence != id || err != nil {
			t.Errorf("Fence() of job %d = %d, %v; want %d", id, fence, err, id)
		}
	}
	for id := range held {
		accepted[id] = true
	}
	if got := s.Waiting(ad); got != len(held) {
		t.Errorf("Waiting() = %d; want %d", got, len(held))
	}
	if got, _ := s.Held(); got != len(done) {
		t.Errorf("Held() = %d results; want %d", got, len(done))
	}
}
