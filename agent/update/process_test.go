package update

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/control"
)

// TestMain is also every version that the supervisor starts, and the supervisor
// that is killed: copies of this program.
func TestMain(m *testing.M) {
	last := os.Args[len(os.Args)-1]
	version, supervised := strings.CutPrefix(last, "--"+SupervisedFlag+"=")
	if !supervised {
		os.Exit(m.Run())
	}
	os.Exit(play(os.Args[1], version))
}

// play is one life of a version whose data are in dir. It notes that it lives;
// then it does what the file named like it says: ends, orders another version,
// or lives until it is asked to end.
func play(dir, version string) int {
	f, err := os.OpenFile(filepath.Join(dir, "lives"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	if _, err := f.WriteString(version + "\n"); err != nil || f.Close() != nil {
		return 1
	}
	how, _ := os.ReadFile(filepath.Join(dir, version+".play"))
	switch what, next, _ := strings.Cut(string(how), " "); what {
	case "end":
		return 3
	case "order":
		if failure, _ := FolderOf(dir).failure(next); failure != nil {
			break // it was taken back
		}
		if FolderOf(dir).SetOrder(Order{Version: next}) != nil {
			return 1
		}
		return ExitSwitch
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if os.WriteFile(filepath.Join(dir, "asked"), nil, 0o600) != nil {
		return 1
	}
	return 0
}

// lives are the versions that were started, in order.
func lives(dir string) []string {
	text, _ := os.ReadFile(filepath.Join(dir, "lives"))
	return strings.Fields(string(text))
}

// Real processes: the version that runs orders another one; that ends each time
// it is started, and the one before is back. When the service ends, so does the
// version, asked and not killed.
//
// Not in parallel: an executable that is being written while another test
// starts a process cannot be executed for a moment.
func TestSupervisor_goesBackByItself(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	f := FolderOf(dir)
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		t.Fatal(err)
	}
	bring(t, f, "1.4.0", string(program))
	for version, how := range map[string]string{Installed: "order 1.4.0", "1.4.0": "end"} {
		if err := os.WriteFile(filepath.Join(dir, version+".play"), []byte(how), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var aside atomic.Int32
	s := &Supervisor{Folder: f, Installed: self, Version: "1.3.0", Keys: keys(), Args: []string{dir}, Output: io.Discard,
		Agent: &answering{status: control.Status{Version: "1.4.0"}}, Reach: func(context.Context) error { return errors.New("away") },
		Aside: func(layout int) error { aside.Store(int32(layout)); return nil }, Gate: time.Minute, Settle: time.Minute, Watch: time.Hour, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	want := []string{Installed, "1.4.0", "1.4.0", "1.4.0", Installed}
	for deadline := time.Now().Add(time.Minute); len(lives(dir)) < len(want) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v; want nil when it is asked to end", err)
	}
	if got := lives(dir); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("started: %v; want %v", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "asked")); err != nil {
		t.Error("the version that ran was killed; want it asked to end")
	}
	if got := int(aside.Load()); got != Spool().Writes {
		t.Errorf("the journal was looked at for layout %d; want that of the installed version, %d", got, Spool().Writes)
	}
	failure, err := f.failure("1.4.0")
	if err != nil || failure == nil || !strings.Contains(failure.Cause, "exit status 3") {
		t.Errorf("failure %+v, %v; want how it ended", failure, err)
	}
}

// What is not on trial and ends is the service manager's to start again: the
// service ends as it did.
func TestSupervisor_endsWithWhatRuns(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, Installed+".play"), []byte("end"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Supervisor{Folder: FolderOf(dir), Installed: self, Version: "1.3.0", Keys: keys(), Args: []string{dir}, Output: io.Discard, Log: slog.New(slog.DiscardHandler)}
	if err := s.Run(t.Context()); err == nil || err.Error() != "exit status 3" || len(lives(dir)) != 1 {
		t.Errorf("Run = %v after %v; want exit status 3 after one life", err, lives(dir))
	}
}
