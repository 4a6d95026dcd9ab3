package update

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func keys() []ed25519.PublicKey { return []ed25519.PublicKey{testKey.Public().(ed25519.PublicKey)} }

// signed is a release of one executable for this platform.
func signed(t *testing.T, version, executable string, change func(*release.Manifest)) (release.Manifest, []byte) {
	t.Helper()
	sum := sha256.Sum256([]byte(executable))
	m := release.Manifest{Version: version, Spool: Spool(), Data: Data,
		Files: []release.File{{Part: release.Agent, Platform: platform, Size: int64(len(executable)), SHA256: hex.EncodeToString(sum[:])}}}
	if change != nil {
		change(&m)
	}
	file, err := release.Sign(m, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return m, file
}

// bring puts a version into a folder.
func bring(t *testing.T, f Folder, version, executable string) {
	t.Helper()
	m, file := signed(t, version, executable, nil)
	if err := f.fetch(t.Context(), m, file, from(executable)); err != nil {
		t.Fatal(err)
	}
}

// from gives the bytes of an executable.
func from(executable string) fetcher {
	return func(_ context.Context, _ string, offset int64, to io.Writer) error {
		_, err := io.WriteString(to, executable[offset:])
		return err
	}
}

// What was fetched goes on where it was cut off; what is not what was signed is
// not kept; more than was signed is not taken.
func TestFetch(t *testing.T) {
	t.Parallel()
	const whole = "the whole executable"
	f := Folder(t.TempDir())
	m, file := signed(t, "1.4.0", whole, nil)
	cut := errors.New("cut")
	err := f.fetch(t.Context(), m, file, func(_ context.Context, _ string, _ int64, to io.Writer) error {
		_, err := io.WriteString(to, whole[:9])
		return errors.Join(cut, err)
	})
	if !errors.Is(err, cut) {
		t.Fatalf("fetch = %v; want %v", err, cut)
	}
	if _, err := f.Verify("1.4.0", keys()); err == nil {
		t.Error("half of a release is taken for a version")
	}
	began := int64(-1)
	err = f.fetch(t.Context(), m, file, func(ctx context.Context, sum string, offset int64, to io.Writer) error {
		began = offset
		return from("something else, here")(ctx, sum, offset, to)
	})
	if err == nil || began != 9 {
		t.Errorf("fetch of other bytes = %v from offset %d; want an error, from 9", err, began)
	}
	if err := f.fetch(t.Context(), m, file, from(whole+"and more")); err == nil || !strings.Contains(err.Error(), "more than the signed size") {
		t.Errorf("fetch of more bytes than were signed = %v; want that they are not taken", err)
	}
	f.sweep()
	if err := f.fetch(t.Context(), m, file, from(whole)); err != nil {
		t.Fatal(err)
	}
	v, err := f.Verify("1.4.0", keys())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(v.Agent, 5); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify("1.4.0", keys()); err == nil || !strings.Contains(err.Error(), "is not what was signed") {
		t.Errorf("Verify of a truncated executable = %v; want that it is not what was signed", err)
	}
}

// Whatever the coordinator offers, nothing comes to this host that its admin
// does not trust, has frozen, or could not undo.
func TestUpdater_takesOnlyWhatItMay(t *testing.T) {
	t.Parallel()
	plain := func(*release.Manifest) {}
	for name, c := range map[string]struct {
		change func(*release.Manifest)
		before func(*Updater) error
		state  string
		cause  string
	}{
		"good":                     {plain, nil, Ready, ""},
		"signed by somebody else":  {plain, func(u *Updater) error { u.Keys = nil; return nil }, Refused, "signed by none"},
		"frozen in agent.yaml":     {plain, func(u *Updater) error { u.Hold = true; return nil }, Held, "agent.yaml"},
		"frozen by a command":      {plain, func(u *Updater) error { return u.Folder.Freeze("ann") }, Held, "ann"},
		"out of hours":             {plain, func(u *Updater) error { u.Open = func(time.Time) bool { return false }; return nil }, Waiting, "hours"},
		"taken back before":        {plain, func(u *Updater) error { return u.Folder.fail("1.4.0", "it ended") }, Failed, "it ended"},
		"older":                    {plain, func(u *Updater) error { u.Version = "2.0.0"; return nil }, Refused, "older"},
		"for another platform":     {func(m *release.Manifest) { m.Files[0].Platform = "plan9/mips" }, nil, Refused, platform},
		"needs a newer journal":    {func(m *release.Manifest) { m.Spool = release.Layout{Reads: 9, Writes: 9} }, nil, Refused, "cannot read"},
		"writes a newer journal":   {func(m *release.Manifest) { m.Spool.Writes = 9 }, nil, Ready, ""},
		"cannot be undone":         {func(m *release.Manifest) { m.Data = 9 }, nil, Refused, "by hand"},
		"is what runs":             {plain, func(u *Updater) error { u.Version = "1.4.0"; return u.Folder.fail("1.5.0", "it ended") }, Current, ""},
		"named as another version": {func(m *release.Manifest) { m.Version = "1.5.0" }, nil, Refused, "signed as 1.5.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, file := signed(t, "1.4.0", "x", c.change)
			var said *linkv1.Update
			u := &Updater{Folder: Folder(t.TempDir()), Version: "1.3.0", Keys: keys(), Open: func(time.Time) bool { return true }, Fetch: from("x"),
				Report: func(s *linkv1.Update) { said = s }, Log: slog.New(slog.DiscardHandler)}
			if c.before != nil {
				if err := c.before(u); err != nil {
					t.Fatal(err)
				}
			}
			u.Offer(&linkv1.Release{Version: "1.4.0", File: file, Go: c.state != Ready})
			ordered, err := u.step(t.Context())
			if err != nil || ordered || said.GetState() != c.state || !strings.Contains(said.GetCause(), c.cause) {
				t.Errorf("step = %t, %v, %v; want %s because %q", ordered, err, said, c.state, c.cause)
			}
		})
	}
}

// Leave that was given before a freeze does not outlive it: it is asked for anew.
func TestUpdater_asksAnewAfterAFreeze(t *testing.T) {
	t.Parallel()
	_, file := signed(t, "1.4.0", "x", nil)
	u := &Updater{Folder: Folder(t.TempDir()), Version: "1.3.0", Keys: keys(), Open: func(time.Time) bool { return true }, Fetch: from("x"),
		Systems: func(context.Context) []string { return []string{"hr"} }, Report: func(*linkv1.Update) {}, Log: slog.New(slog.DiscardHandler)}
	bring(t, u.Folder, "1.4.0", "x")
	if err := u.Folder.Freeze("ann"); err != nil {
		t.Fatal(err)
	}
	u.Offer(&linkv1.Release{Version: "1.4.0", File: file, Go: true})
	for i, want := range []bool{false, false, true} {
		if ordered, err := u.step(t.Context()); err != nil || ordered != want {
			t.Fatalf("step %d = %t, %v; want %t", i, ordered, err, want)
		}
		if i == 0 {
			if err := u.Folder.Release(); err != nil {
				t.Fatal(err)
			}
		}
		if i == 1 {
			u.Offer(&linkv1.Release{Version: "1.4.0", File: file, Go: true})
		}
	}
	if o, found, err := u.Folder.Order(); err != nil || !found || o.Version != "1.4.0" || len(o.Systems) != 1 {
		t.Errorf("order %+v, %t, %v; want 1.4.0 with the system that answers", o, found, err)
	}
}

// The power goes at any write of a switch, a start, or a way back: whoever
// starts next goes on, starts nothing more often than it may, and comes to rest
// on a version that can run.
func TestSupervisor_anyPowerCut(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	fresh := func(f Folder) *Supervisor {
		return &Supervisor{Folder: f, Installed: "/installed", Version: "1.3.0", Keys: keys(), Watch: time.Hour, Log: log, Aside: func(int) error { return nil }}
	}
	// An order that was carried out and not dropped does not begin the trial anew.
	f := Folder(t.TempDir())
	bring(t, f, "1.4.0", "x")
	if err := f.SetOrder(Order{Version: "1.4.0"}); err != nil {
		t.Fatal(err)
	}
	if state, path, err := fresh(f).choose(); err != nil || state.Current != "1.4.0" || state.Trial.Starts != 1 || path != filepath.Join(string(f), "1.4.0", fileName(release.Agent)) {
		t.Fatalf("choose = %+v, %s, %v; want the first start of 1.4.0", state, path, err)
	}
	if err := f.SetOrder(Order{Version: "1.4.0"}); err != nil {
		t.Fatal(err)
	}
	for start := 2; start <= maxStarts; start++ { // each ends with the power
		if state, _, err := fresh(f).choose(); err != nil || state.Trial == nil || state.Trial.Starts != start || state.Previous == nil || *state.Previous != "" {
			t.Fatalf("choose = %+v, %v; want start %d after the installed version", state, err, start)
		}
	}
	state, path, err := fresh(f).choose()
	if err != nil || state.Current != "" || state.Trial != nil || path != "/installed" {
		t.Fatalf("choose = %+v, %s, %v; want the installed version back", state, path, err)
	}
	if failure, err := f.failure("1.4.0"); err != nil || failure == nil || !strings.Contains(failure.Cause, "3 times") {
		t.Fatalf("failure %+v, %v; want that it ended 3 times", failure, err)
	}
	// It is not started again, whoever orders it.
	if err := f.SetOrder(Order{Version: "1.4.0"}); err != nil {
		t.Fatal(err)
	}
	if state, _, err := fresh(f).choose(); err != nil || state.Current != "" {
		t.Errorf("choose = %+v, %v; want the installed version still", state, err)
	}
	// One that the supervisor cannot trust is not ordered again and again.
	if err := errors.Join(f.Release(), f.SetOrder(Order{Version: "1.4.0"})); err != nil {
		t.Fatal(err)
	}
	other := fresh(f)
	other.Keys = nil
	if state, _, err := other.choose(); err != nil || state.Current != "" {
		t.Errorf("choose = %+v, %v; want the installed version still", state, err)
	}
	if failure, err := f.failure("1.4.0"); err != nil || failure == nil || !strings.Contains(failure.Cause, "other keys") {
		t.Errorf("failure %+v, %v; want that keys may have changed", failure, err)
	}
	// The way back was cut after the failure was noted: the next start ends it.
	bring(t, f, "1.5.0", "y")
	if err := f.SetOrder(Order{Version: "1.5.0"}); err != nil {
		t.Fatal(err)
	}
	if state, _, err := fresh(f).choose(); err != nil || state.Current != "1.5.0" {
		t.Fatalf("choose = %+v, %v; want 1.5.0", state, err)
	}
	if err := f.fail("1.5.0", "cut"); err != nil {
		t.Fatal(err)
	}
	if state, _, err := fresh(f).choose(); err != nil || state.Current != "" {
		t.Errorf("choose = %+v, %v; want the installed version", state, err)
	}
}

// An executable that the disk has damaged is not started; nor is one whose key
// the admin trusts no more. A newer package that was installed takes over.
func TestSupervisor_startsOnlyWhatIsWhole(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*Supervisor, string) error{
		"damaged":         func(_ *Supervisor, path string) error { return os.Truncate(path, 0) },
		"trusted no more": func(s *Supervisor, _ string) error { s.Keys = nil; return nil },
		"newer package":   func(s *Supervisor, _ string) error { s.Version = "1.5.0"; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := Folder(t.TempDir())
			bring(t, f, "1.4.0", "x")
			before := ""
			if err := f.setState(State{Installed: "1.3.0", Current: "1.4.0", Previous: &before}); err != nil {
				t.Fatal(err)
			}
			s := &Supervisor{Folder: f, Installed: "/installed", Version: "1.3.0", Keys: keys(), Log: slog.New(slog.DiscardHandler), Aside: func(int) error { return nil }}
			if _, path, err := s.choose(); err != nil || path == "/installed" {
				t.Fatalf("choose = %s, %v; want 1.4.0", path, err)
			}
			if err := harm(s, filepath.Join(string(f), "1.4.0", fileName(release.Agent))); err != nil {
				t.Fatal(err)
			}
			if state, path, err := s.choose(); err != nil || path != "/installed" || state.Current != "" {
				t.Errorf("choose = %+v, %s, %v; want the installed version", state, path, err)
			}
		})
	}
}
