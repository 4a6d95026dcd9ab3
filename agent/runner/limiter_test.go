package runner

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A server completes operations at a rate that depends on how many it works
// on; its noise changes every 200 ms, as that of a busy machine does.
type server struct {
	rate  func(n int) float64 // operations per second with n under way
	noise float64             // 0.1 for ±10 %
	rng   *rand.Rand
	until time.Time
	mood  float64
}

// took is how long one operation takes that is begun with n under way.
func (s *server) took(now time.Time, n int) time.Duration {
	if now.After(s.until) {
		s.mood, s.until = 1+s.noise*(2*s.rng.Float64()-1), now.Add(200*time.Millisecond)
	}
	own := 1 + s.noise*(2*s.rng.Float64()-1)
	return time.Duration(float64(n) / (s.rate(n) * s.mood) * own * float64(time.Second))
}

type ends []time.Time

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].Before(e[j]) }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(time.Time)) }
func (e *ends) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// drive runs operations for span and returns how many were completed. Without
// a limiter it keeps fixed under way.
func drive(s *server, l *limiter, fixed int, span time.Duration) (done int, changes int) {
	now := time.Unix(0, 0)
	stop := now.Add(span)
	var running ends
	limit := func() int {
		if l != nil {
			return l.limit()
		}
		return fixed
	}
	last := limit()
	for now.Before(stop) {
		for len(running) < limit() {
			heap.Push(&running, now.Add(s.took(now, len(running)+1)))
		}
		now = heap.Pop(&running).(time.Time)
		done++
		if l != nil {
			l.completed(now)
			if l.limit() != last {
				last = l.limit()
				changes++
			}
		}
	}
	return done, changes
}

// What the agent finds must be worth what the best fixed number would have
// been, the search included, whatever the system is like.
func TestLimiter_reachesTheBestFixed(t *testing.T) {
	t.Parallel()
	curves := map[string]func(n int) float64{
		"best at 1":   func(n int) float64 { return 150 / (1 + 0.06*float64(n-1)) },
		"best at 4":   func(n int) float64 { return 500 * min(float64(n), 4) / (1 + 0.08*max(0, float64(n)-4)) },
		"best at 16":  func(n int) float64 { return 300 * min(float64(n), 16) / (1 + 0.05*max(0, float64(n)-16)) },
		"flat":        func(int) float64 { return 2000 },
		"slight gain": func(n int) float64 { return 1000 * (1 + 0.05*min(3, float64(n-1))) },
	}
	for name, rate := range curves {
		for _, noise := range []float64{0, 0.1} {
			t.Run(fmt.Sprintf("%s, noise %g", name, noise), func(t *testing.T) {
				t.Parallel()
				const span = 2 * time.Minute
				worst := 2.0
				for seed := range uint64(5) {
					best, at := 0, 0
					for _, n := range []int{1, 4, 16} {
						s := &server{rate: rate, noise: noise, rng: rand.New(rand.NewPCG(seed, 1))}
						if got, _ := drive(s, nil, n, span); got > best {
							best, at = got, n
						}
					}
					l := newLimiter()
					s := &server{rate: rate, noise: noise, rng: rand.New(rand.NewPCG(seed, 2))}
					got, changes := drive(s, l, 0, span)
					ratio := float64(got) / float64(best)
					worst = min(worst, ratio)
					if ratio < 0.95 || changes > 250 {
						t.Errorf("seed %d: %.3f of the best fixed (%d), ending at %d, %d changes; want ≥ 0.95, ≤ 250",
							seed, ratio, at, l.best(), changes)
					}
				}
				t.Logf("worst of 5: %.3f", worst)
			})
		}
	}
}

// A directory that is served by a few hundred changes a day must be known after
// some hundreds, on a machine on which single looks are off by a fifth.
func TestLimiter_findsItSoon(t *testing.T) {
	t.Parallel()
	const operations = 1500
	curves := map[string]func(n int) float64{
		"twice as fast from 4 on": func(n int) float64 { return 50 * min(float64(n), 4) / 2 },
		"slower with every one":   func(n int) float64 { return 150 / (1 + 0.1*float64(n-1)) },
		"best at 16":              func(n int) float64 { return 40 * min(float64(n), 16) },
	}
	for name, rate := range curves {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			best := 0.0
			for _, n := range []int{1, 4, 16} {
				best = max(best, rate(n))
			}
			for seed := range uint64(20) {
				l := newLimiter()
				s := &server{rate: rate, noise: 0.2, rng: rand.New(rand.NewPCG(seed, 3))}
				span := time.Duration(operations / best * float64(time.Second))
				drive(s, l, 0, span)
				if got := rate(l.best()); got < 0.9*best {
					t.Errorf("seed %d: %d at a time after %v: %.0f/s; want %.0f/s", seed, l.best(), span, got, best)
				}
			}
		})
	}
}

// In calm times a trial is seldom: an hour on a steady system costs nothing to speak of.
func TestLimiter_seldomMeasuresAgain(t *testing.T) {
	t.Parallel()
	l := newLimiter()
	s := &server{rate: func(n int) float64 { return 100 * min(float64(n), 4) }, noise: 0.05, rng: rand.New(rand.NewPCG(1, 1))}
	drive(s, l, 0, 10*time.Minute)
	if _, changes := drive(&server{rate: s.rate, noise: 0.05, rng: s.rng}, newLimiter(), 0, time.Minute); changes == 0 {
		t.Fatal("no trial in the first minute")
	}
	if l.calm < 2*time.Minute {
		t.Errorf("pause between trials after ten minutes = %v; want minutes", l.calm)
	}
}

// A system that changes its nature is followed.
func TestLimiter_followsChange(t *testing.T) {
	t.Parallel()
	few := true
	rate := func(n int) float64 {
		if few {
			return 200 / (1 + 0.3*float64(n-1))
		}
		return 200 * min(float64(n), 16)
	}
	l := newLimiter()
	s := &server{rate: rate, rng: rand.New(rand.NewPCG(1, 1))}
	drive(s, l, 0, 30*time.Second)
	if l.best() != 1 {
		t.Fatalf("best = %d; want 1", l.best())
	}
	few = false
	l.next = time.Unix(0, 0) // drive begins its clock anew
	l.starved()
	drive(s, l, 0, 30*time.Second)
	if l.best() < 8 {
		t.Errorf("best after the change = %d; want 16", l.best())
	}
}

// Too little to do says nothing about the limit.
func TestLimiter_learnsNothingWhileStarved(t *testing.T) {
	t.Parallel()
	l := newLimiter()
	for i := range 10_000 {
		l.starved()
		l.completed(time.Unix(0, int64(i)*int64(time.Millisecond)))
	}
	if l.limit() != startLimit || len(l.field) != 0 {
		t.Errorf("limit = %d, %d in a contest; want %d and none", l.limit(), len(l.field), startLimit)
	}
}

// What the admin fixed stays, whatever is measured.
func TestFixedLimiter(t *testing.T) {
	t.Parallel()
	l := fixedLimiter(3)
	now := time.Now()
	for range 10_000 {
		now = now.Add(10 * time.Millisecond)
		if l.completed(now); l.limit() != 3 || l.best() != 3 {
			t.Fatalf("limit %d, best %d; want 3 and 3", l.limit(), l.best())
		}
	}
}
