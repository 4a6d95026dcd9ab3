package snapshot_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/snapshot"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// childEnv names the folder that this executable, run as a child, keeps a
// snapshot in instead of testing; beginEnv the read to begin with.
const childEnv, beginEnv = "DRAWBRIDGE_SNAPSHOT_TEST", "DRAWBRIDGE_SNAPSHOT_BEGIN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		k, err := strconv.Atoi(os.Getenv(beginEnv))
		for ; err == nil; k++ {
			err = readOnce(dir, k, os.Stdout)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2) // 1 is what Windows gives a killed process
	}
	os.Exit(m.Run())
}

// content is what the system holds at the k-th read: mostly a little changes, at times everything, so that both log and base are written.
func content(k int) (recs []*connectorv1.Record) {
	for i := range 40_000 {
		switch {
		case i%1000 == k%1000: // gone
		case i%100 == k%100:
			recs = append(recs, object(fmt.Sprint(i), fmt.Sprint("changed ", k)))
		default:
			recs = append(recs, object(fmt.Sprint(i), fmt.Sprint("all ", k/4)))
		}
	}
	return recs
}

func readOnce(dir string, k int, out io.Writer) error {
	s, err := snapshot.Open(dir, system)
	if err != nil {
		return err
	}
	r, err := s.Begin(set, snapshot.Options{Full: true})
	if err != nil {
		return err
	}
	if _, err := r.Filter(nil, content(k)); err != nil {
		return err
	}
	for _, err := range r.Gone() {
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "begin", k)
	if err := r.Commit([]byte(fmt.Sprint(k))); err != nil {
		return err
	}
	fmt.Fprintln(out, "done", k)
	return s.Close()
}

// Killed between any two steps, the snapshot is that of the last read that was
// committed, or of the one that was just being: never a mixture.
func TestSnapshot_survivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun, done := -1, -1
	commits := 0
	for round := 0; round < 12 || commits < 3 && round < 60; round++ { // a slow machine gets more rounds, and longer ones
		b, d := runAndKill(t, dir, begun+1, rand.N(250*time.Millisecond)*time.Duration(1+round/12))
		if d >= 0 {
			commits += d - max(done, 0)
			done = d
		}
		begun = max(begun, b)
		s, err := snapshot.Open(dir, system)
		if err != nil {
			t.Fatal(err)
		}
		if begun < 0 {
			s.Close()
			continue
		}
		cookie, err := strconv.Atoi("0" + string(s.Cookie(set)))
		if err != nil || cookie != done && cookie != begun && s.Known() > 0 {
			t.Fatalf("Cookie() = %d, %v; want %d or %d", cookie, err, done, begun)
		}
		if s.Known() > 0 {
			sameAs(t, s, cookie)
			done = cookie
		} else if done >= 0 {
			t.Fatalf("nothing is known after read %d was committed", done)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if commits < 3 {
		t.Errorf("only %d commits in all: the kills came too soon to mean anything", commits)
	}
}

// sameAs checks that s holds exactly what read k gave.
func sameAs(t *testing.T, s *snapshot.Snapshot, k int) {
	t.Helper()
	r, err := s.Begin(set, snapshot.Options{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Discard()
	want := len(content(k))
	changed, err := r.Filter(nil, content(k))
	if err != nil || len(changed) != 0 {
		t.Errorf("against read %d, %d objects differ, %v; want none", k, len(changed), err)
	}
	for id, err := range r.Gone() {
		t.Errorf("against read %d, %s is too many (%v)", k, id, err)
	}
	if s.Known() != want {
		t.Errorf("Known() = %d; want %d", s.Known(), want)
	}
}

// runAndKill returns the last read that a child was about to commit, and had committed; -1 is none.
func runAndKill(t *testing.T, dir string, from int, d time.Duration) (begun, done int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, beginEnv+"="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begun, done = -1, -1
	lines := bufio.NewReader(out)
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if first { // the first commit is about to happen
			time.AfterFunc(d, func() { cmd.Process.Kill() })
		}
		if err != nil {
			break
		}
		var what string
		var k int
		if _, err := fmt.Sscan(line, &what, &k); err != nil {
			t.Fatalf("child says %q: %v", line, err)
		}
		if what == "begin" {
			begun = k
		} else {
			done = k
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() && (runtime.GOOS != "windows" || exit.ExitCode() != 1) {
		t.Fatalf("child ended by itself: %v", err)
	}
	return begun, done
}
