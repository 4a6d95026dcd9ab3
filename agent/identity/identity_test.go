package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	agentidentity "github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/proto/identity"
)

// What Enroll stored serves after a restart: the coordinator sees this agent, by a key that nobody else may read.
func TestEnroll_makesAnIdentity(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	data := t.TempDir()
	if _, err := agentidentity.Load(data); !errors.Is(err, agentidentity.ErrNotEnrolled) {
		t.Errorf("Load() before Enroll = %v; want ErrNotEnrolled", err)
	}
	enroll(t, c, data)
	id := load(t, data)
	if want := c.agent; id.Agent() != want {
		t.Errorf("Agent() = %v; want %v", id.Agent(), want)
	}
	if got := c.seenBy(t, id); got != c.agent {
		t.Errorf("the coordinator sees %v; want %v", got, c.agent)
	}
	info, err := os.Stat(current(data))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("key file: mode %v, %v; want 0600", info.Mode(), err)
	}
}

// A wrong coordinator, or a proxy that opens connections, must not learn the token.
func TestEnroll_showsTheTokenOnlyToItsCoordinator(t *testing.T) {
	t.Parallel()
	ours, other := newCoordinator(t), newCoordinator(t)
	e := other.enrollment(t.TempDir())
	e.Token = ours.token
	_, err := agentidentity.Enroll(t.Context(), e)
	var foreign *identity.AuthorityError
	if !errors.As(err, &foreign) || !strings.Contains(foreign.Issuer, "Test authority") {
		t.Errorf("Enroll(other coordinator) = %v; want an AuthorityError that names the issuer", err)
	}
	if n := other.calls.Load(); n != 0 {
		t.Errorf("the other coordinator got %d calls; want none", n)
	}
}

// Each refusal reaches the admin in the coordinator's words, and leaves the
// identity that works: others have deleted a valid certificate over a used token.
func TestEnroll_refusedLeavesTheIdentity(t *testing.T) {
	t.Parallel()
	for _, reason := range []identity.Reason{identity.TokenUsed, identity.TokenExpired, identity.TokenUnknown} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			c := newCoordinator(t)
			data := t.TempDir()
			enroll(t, c, data)
			before := read(t, current(data))

			e := c.enrollment(data)
			if _, err := agentidentity.Enroll(t.Context(), e); !errors.Is(err, agentidentity.ErrEnrolled) {
				t.Errorf("Enroll() where one is = %v; want ErrEnrolled", err)
			}
			e.Again = true
			c.refuse(&identity.Refusal{Reason: reason, Message: "make another token", Clock: time.Now()})
			_, err := agentidentity.Enroll(t.Context(), e)
			var refusal *identity.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != reason || !strings.Contains(err.Error(), "make another token") {
				t.Errorf("Enroll() = %v; want a refusal for %s", err, reason)
			}
			if after := read(t, current(data)); after != before {
				t.Error("Enroll() that was refused changed the identity")
			}
			if got := c.seenBy(t, load(t, data)); got != c.agent {
				t.Errorf("the coordinator sees %v; want %v", got, c.agent)
			}
		})
	}
}

// The clocks are compared before the token is used, and the message says by how much they differ.
func TestEnroll_saysHowFarTheClockIsOff(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	c.ahead.Store(int64(3 * time.Hour))
	_, err := agentidentity.Enroll(t.Context(), c.enrollment(t.TempDir()))
	var refusal *identity.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != identity.ClockOff || !strings.Contains(err.Error(), "3h0m0s slow") {
		t.Errorf("Enroll() 3 h behind = %v; want a refusal that says 3h0m0s slow", err)
	}
	if off := time.Until(refusal.Clock).Round(time.Minute); off != 3*time.Hour {
		t.Errorf("the refusal's clock is %v ahead; want 3h", off)
	}
	c.ahead.Store(0)
	enroll(t, c, t.TempDir()) // the token was not used up
}

func TestEnroll_unreachableCoordinator(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	c.stop()
	_, err := agentidentity.Enroll(t.Context(), c.enrollment(t.TempDir()))
	if !errors.Is(err, agentidentity.ErrUnreachable) || !strings.Contains(err.Error(), c.address) {
		t.Errorf("Enroll(nobody there) = %v; want ErrUnreachable with the address", err)
	}
}

// A link that lives on across a renewal shows the new certificate at its next handshake.
func TestRenew_takesTheNewCertificateIntoUse(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	data := t.TempDir()
	enroll(t, c, data)
	id := load(t, data)
	before := id.Certificate().SerialNumber
	if err := id.Renew(t.Context(), c.address); err != nil {
		t.Fatal(err)
	}
	after := id.Certificate().SerialNumber
	if after.Cmp(before) == 0 || c.seenBy(t, id) != c.agent || c.lastSerial(t).Cmp(after) != 0 {
		t.Errorf("after Renew the certificate is %v, the coordinator saw %v; before it was %v", after, c.lastSerial(t), before)
	}
	if got := load(t, data).Certificate().SerialNumber; got.Cmp(after) != 0 {
		t.Errorf("Load() after Renew = %v; want %v", got, after)
	}
	if _, err := os.Stat(next(data)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("next.pem after Renew: %v; want none", err)
	}
}

// A new certificate that the coordinator will not take must not cost the one that it takes.
func TestRenew_keepsTheOldUntilTheNewWorks(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	data := t.TempDir()
	enroll(t, c, data)
	id := load(t, data)
	before := id.Certificate().SerialNumber
	c.distrustNew.Store(true)
	if err := id.Renew(t.Context(), c.address); err == nil {
		t.Error("Renew() with a certificate that is refused = nil; want an error")
	}
	if got := id.Certificate().SerialNumber; got.Cmp(before) != 0 || c.seenBy(t, id) != c.agent {
		t.Errorf("certificate %v in use; want still %v", got, before)
	}
	if got := load(t, data).Certificate().SerialNumber; got.Cmp(before) != 0 {
		t.Errorf("Load() = %v; want still %v", got, before)
	}
	if _, err := os.Stat(next(data)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("next.pem that was refused: %v; want none", err)
	}
	c.distrustNew.Store(false)
	if err := id.Renew(t.Context(), c.address); err != nil {
		t.Errorf("Renew() later = %v; want nil", err)
	}
}

// Killed after the certificate came and before it was tried: it is tried, and no other is asked for.
func TestRenew_goesOnAfterACrash(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	data := t.TempDir()
	enroll(t, c, data)
	id := load(t, data)
	c.afterRenew(c.shut)
	if err := id.Renew(t.Context(), c.address); !errors.Is(err, agentidentity.ErrUnreachable) {
		t.Fatalf("Renew() = %v; want ErrUnreachable", err)
	}
	if _, err := os.Stat(next(data)); err != nil {
		t.Fatalf("next.pem: %v; want it kept", err)
	}
	c.afterRenew(func() {})
	c.restart(t)
	id = load(t, data)
	calls := c.calls.Load()
	if err := id.Renew(t.Context(), c.address); err != nil {
		t.Fatal(err)
	}
	if n := c.calls.Load() - calls; n != 0 {
		t.Errorf("Renew() made %d calls for a certificate; want none", n)
	}
	if got := c.seenBy(t, load(t, data)); got != c.agent {
		t.Errorf("the coordinator sees %v; want %v", got, c.agent)
	}
}

// Renewal is begun by the age of the certificate, without anyone asking.
func TestRun_renewsInTime(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	c.age.Store(int64(21 * 24 * time.Hour)) // of 30 days: more than two thirds
	data := t.TempDir()
	enroll(t, c, data)
	id := load(t, data)
	before := id.Certificate().SerialNumber
	c.age.Store(0)
	stopped := errors.New("service stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- id.Run(ctx, c.address, slog.New(slog.DiscardHandler)) }()
	for id.Certificate().SerialNumber.Cmp(before) == 0 {
		select {
		case err := <-done:
			t.Fatalf("Run() = %v before it renewed", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if wait := time.Until(id.Due()); wait < 19*24*time.Hour {
		t.Errorf("Due() in %v; want in about 20 days", wait)
	}
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) {
		t.Errorf("Run() = %v; want %v", err, stopped)
	}
}

// A file that is damaged is left as it is, and no other identity is made in silence.
func TestLoad_leavesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	data := t.TempDir()
	enroll(t, c, data)
	whole := read(t, current(data))
	for name, text := range map[string]string{
		"empty":        "",
		"cut off":      whole[:len(whole)/2],
		"no authority": whole[:strings.LastIndex(whole, "-----BEGIN")],
		"other key":    otherKey(t) + whole[strings.Index(whole, "-----BEGIN CERTIFICATE"):],
	} {
		if err := os.WriteFile(current(data), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := agentidentity.Load(data); !errors.Is(err, agentidentity.ErrDamaged) {
			t.Errorf("Load(%s) = %v; want ErrDamaged", name, err)
		}
		if _, err := agentidentity.Enroll(t.Context(), c.enrollment(data)); !errors.Is(err, agentidentity.ErrEnrolled) {
			t.Errorf("Enroll(%s) = %v; want ErrEnrolled", name, err)
		}
		if got := read(t, current(data)); got != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func enroll(t *testing.T, c *coordinator, data string) {
	t.Helper()
	if _, err := agentidentity.Enroll(t.Context(), c.enrollment(data)); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, data string) *agentidentity.Identity {
	t.Helper()
	id, err := agentidentity.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func current(data string) string { return filepath.Join(data, "identity", "current.pem") }

func next(data string) string { return filepath.Join(data, "identity", "next.pem") }

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
