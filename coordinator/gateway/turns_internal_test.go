package gateway

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Whatever wakes when: when all is quiet nothing is left that was there before a
// wake, no two turns ran at a time, and there is no sender.
func TestTurns_missNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		wakers := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 3), 1, 40), 1, 5).Draw(r, "pauses")
		work, begin := rapid.IntRange(0, 3).Draw(r, "work"), rapid.IntRange(0, 10).Draw(r, "begin")
		synctest.Test(t, func(t *testing.T) {
			var turns turns
			var left, running atomic.Int32
			var twice atomic.Bool
			take := func() (time.Duration, error) {
				if running.Add(1) != 1 {
					twice.Store(true)
				}
				left.Store(0) // and what comes from here on is for another turn
				time.Sleep(time.Duration(work))
				running.Add(-1)
				return never, nil
			}
			for _, pauses := range wakers {
				go func() {
					for _, pause := range pauses {
						time.Sleep(time.Duration(pause))
						left.Add(1)
						turns.wake()
					}
				}()
			}
			time.Sleep(time.Duration(begin))
			turns.begin(take)
			time.Sleep(time.Second) // all is quiet
			turns.mu.Lock()
			state := turns.state
			turns.mu.Unlock()
			if left.Load() != 0 || state != resting || twice.Load() {
				r.Errorf("%d left, state %d, two turns at a time: %v; want nothing left, and at rest", left.Load(), state, twice.Load())
			}
			turns.end()
		})
	})
}

// The same with all cores at it: each wake comes just when a turn has looked and has not ended.
func TestTurns_stress(t *testing.T) {
	t.Parallel()
	var turns turns
	var left atomic.Int32
	turns.begin(func() (time.Duration, error) {
		left.Store(0)
		runtime.Gosched()
		return never, nil
	})
	for range 20_000 {
		left.Add(1)
		turns.wake()
		for began := time.Now(); left.Load() != 0; runtime.Gosched() {
			if time.Since(began) > 20*time.Second {
				t.Fatal("a wake was lost")
			}
		}
	}
	turns.end()
}

// A turn is taken when the one before asked for it, by nobody's wake, and none after the end or an error.
func TestTurns_byItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		var taken []time.Duration
		began := time.Now()
		turns.begin(func() (time.Duration, error) {
			taken = append(taken, time.Since(began))
			return 3 * time.Second, nil
		})
		time.Sleep(7 * time.Second)
		turns.wake() // and from then on the pause runs anew
		time.Sleep(5 * time.Second)
		turns.end()
		turns.wake()
		time.Sleep(time.Minute)
		if len(taken) != 5 || taken[1] != 3*time.Second || taken[3] != 7*time.Second || taken[4] != 10*time.Second {
			t.Errorf("turns at %v; want 0, 3, 6, 7 and 10 s", taken)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		n := 0
		turns.begin(func() (time.Duration, error) { n++; return time.Second, errors.New("it fails") })
		time.Sleep(time.Minute)
		turns.wake()
		time.Sleep(time.Minute)
		turns.end()
		if n != 1 {
			t.Errorf("%d turns; want none after one that failed", n)
		}
	})
}

// The end waits for the turn that is taken.
func TestTurns_end(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		done := false
		turns.begin(func() (time.Duration, error) {
			time.Sleep(time.Second)
			done = true
			return never, nil
		})
		turns.wake()
		turns.end()
		if !done {
			t.Error("the end did not wait for a turn under way")
		}
	})
}

// What is signalled while it is being looked, or just after, has it looked again;
// without a signal, or after a fault, it is looked again by itself.
func TestWatch_missesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{Parts: Parts{Log: slog.New(slog.DiscardHandler)}}
		var signal store.Signal
		var looks []time.Duration
		began := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = g.watch(ctx, &signal, func(context.Context) (time.Duration, error) {
				looks = append(looks, time.Since(began).Round(time.Second))
				switch len(looks) {
				case 1:
					signal.Raise()
				case 2:
					time.AfterFunc(time.Nanosecond, signal.Raise)
				case 3:
					return 0, errors.New("the store is away")
				}
				return safety, nil
			})
		}()
		time.Sleep(12 * time.Second)
		cancel()
		synctest.Wait()
		if want := []time.Duration{0, 0, 0, safety / 10, safety/10 + safety}; !slices.Equal(looks, want) {
			t.Errorf("looked after %v; want %v", looks, want)
		}
	})
}

// What is known holds while nothing was signalled, and for what was looked at;
// what has changed without a signal is asked for again.
func TestKnown(t *testing.T) {
	t.Parallel()
	now, before := make(chan struct{}), make(chan struct{})
	a, b, other := site{"t", "a"}, site{"t", "b"}, site{"u", "a"}
	k := known{systems: map[site]answer{a: {signal: now, version: "hr 1\n"}, b: {signal: now}}}
	k.setVersions(now, map[site]string{a: "hr 2\n"})
	if _, old := k.answer(a, now); old {
		t.Error("systems of a version that is no more are taken for the present ones")
	}
	if _, ok := k.answer(b, now); !ok {
		t.Error("that a site has no systems is asked for again")
	}
	if _, ok := k.answer(other, before); ok {
		t.Error("that a site has no systems is taken for known after a signal")
	}
	k.setQueued(queued{signal: now, tenants: map[string]bool{"t": true}, sites: map[site]bool{a: true}})
	for _, c := range []struct {
		at      site
		signal  <-chan struct{}
		nothing bool
	}{{a, now, false}, {b, now, true}, {b, before, false}, {other, now, false}} {
		if got := k.nothing(c.at, c.signal); got != c.nothing {
			t.Errorf("nothing(%v, signal is the present one: %v) = %v", c.at, c.signal == now, got)
		}
	}
}
