package runner

import (
	"math"
	"time"
)

// How a limiter measures. An epoch is one look at one limit; a trial compares
// two limits by epochs taken in turn, so that a drift meets both alike.
const (
	startLimit   = 4
	mostLimit    = 64
	epochTime    = 150 * time.Millisecond // at least, and
	epochDone    = 40                     // completions at least
	epochMost    = 3 * time.Second        // whatever was completed
	trialSamples = 6                      // of each limit, then the better mean decides
	trialClear   = 2.5                    // standard errors that decide sooner
	trialPlain   = 1.5                    // ratio of two single samples that decides at once
	calmFirst    = 20 * time.Second       // until the next trial after the best was found
	calmMost     = 10 * time.Minute       // the pause doubles up to this
	worthMore    = 1.02                   // more concurrency must gain this much
)

// A limiter finds how many operations at a time a system serves fastest, by
// climbing: it tries twice, half and four times as many and goes where more is
// completed per second. Some systems are fastest with one writer,
// others with many; nobody has to know. It learns only while there is enough
// to do, and once the neighbours are no better it looks again ever more seldom.
//
// It has no clock and no goroutine: its owner tells it what happens and when.
type limiter struct {
	base, rival int // the limit believed best; the one compared with it, 0 for none
	current     int // the one of them in use
	samples     map[int][]float64
	worse       map[int]bool // limits found no better than base
	calm        time.Duration
	nextTrial   time.Time
	settle      int // completions to let pass after a change of limit
	began       time.Time
	done        int
	up          bool // direction of the next trial in calm times
	fixed       bool // by the admin: nothing is tried
}

func newLimiter() *limiter {
	return &limiter{base: startLimit, current: startLimit, samples: make(map[int][]float64), worse: make(map[int]bool)}
}

// fixedLimiter allows n at a time and tries nothing else.
func fixedLimiter(n int) *limiter { return &limiter{base: n, current: n, fixed: true} }

// limit is how many operations may be under way now.
func (l *limiter) limit() int { return l.current }

// best is the limit believed best.
func (l *limiter) best() int { return l.base }

// starved says that less is under way than might be: what is measured now says
// nothing about the limit.
func (l *limiter) starved() {
	l.began = time.Time{}
	l.done = 0
}

// completed counts one finished operation.
func (l *limiter) completed(now time.Time) {
	if l.fixed {
		return
	}
	if l.settle > 0 {
		l.settle--
		return
	}
	if l.began.IsZero() {
		l.began, l.done = now, 0
		return
	}
	l.done++
	took := now.Sub(l.began)
	if (took < epochTime || l.done < epochDone) && (took < epochMost || l.done < 2) {
		return
	}
	rate := float64(l.done) / took.Seconds()
	l.began, l.done = now, 0
	l.sample(now, rate)
}

// sample takes the result of an epoch of the current limit.
func (l *limiter) sample(now time.Time, rate float64) {
	if l.rival == 0 {
		if now.Before(l.nextTrial) {
			return
		}
		l.beginTrial(now)
		if l.rival == 0 {
			return
		}
	}
	l.samples[l.current] = append(l.samples[l.current], rate)
	switch better := l.verdict(); better {
	case 0:
		l.use(l.base + l.rival - l.current) // the other one's turn
	default:
		l.conclude(now, better)
	}
}

// beginTrial picks the next neighbour not yet known to be worse.
func (l *limiter) beginTrial(now time.Time) {
	clear(l.samples)
	order := []int{l.base * 2, l.base / 2, l.base * 4} // four times: over a dip that was only noise
	if !l.up {
		order[0], order[1] = order[1], order[0]
	}
	for _, rival := range order {
		if rival >= 1 && rival <= mostLimit && !l.worse[rival] {
			l.rival = rival
			return
		}
	}
	// All are worse: calm, then look in one direction again.
	l.calm = min(max(2*l.calm, calmFirst), calmMost)
	l.nextTrial = now.Add(l.calm)
	l.up = !l.up || l.base == 1
	if l.up {
		delete(l.worse, l.base*2)
		delete(l.worse, l.base*4)
	} else {
		delete(l.worse, l.base/2)
	}
}

// verdict is the limit that has won the trial, or 0 while it is open.
func (l *limiter) verdict() int {
	high, low := max(l.base, l.rival), min(l.base, l.rival)
	h, w := l.samples[high], l.samples[low]
	if len(h) == 0 || len(w) == 0 {
		return 0
	}
	hm, hv := meanVar(h)
	wm, wv := meanVar(w)
	if len(h) == 1 && len(w) == 1 {
		switch ratio := hm / wm; {
		case ratio > trialPlain:
			return high
		case ratio < 1/trialPlain:
			return low
		}
		return 0
	}
	if len(h) < 2 || len(w) < 2 {
		return 0
	}
	diff := hm/worthMore - wm
	// Two or three samples know little of their own spread: never believe less than 4 %.
	floor := 0.04 * wm
	se := math.Sqrt(max(hv, floor*floor)/float64(len(h)) + max(wv, floor*floor)/float64(len(w)))
	switch {
	case diff > trialClear*se, len(h) >= trialSamples && len(w) >= trialSamples && diff > 0:
		return high
	case diff < -trialClear*se, len(h) >= trialSamples && len(w) >= trialSamples:
		return low
	}
	return 0
}

// conclude goes on from the winner of a trial, in the same direction if it moved.
func (l *limiter) conclude(now time.Time, winner int) {
	loser := l.base + l.rival - winner
	if winner != l.base {
		clear(l.worse)
		l.up = winner > l.base
		l.calm = 0
	}
	l.worse[loser] = true
	l.base, l.rival = winner, 0
	l.use(winner)
	l.nextTrial = now
	l.beginTrial(now)
	if l.rival != 0 {
		l.use(l.rival) // the winner's samples were dropped: it is measured anew
	}
}

func (l *limiter) use(limit int) {
	if l.current != limit {
		l.settle = max(l.current, limit) // begun under the other limit
		l.current = limit
	}
	l.began, l.done = time.Time{}, 0
}

func meanVar(xs []float64) (mean, variance float64) {
	for _, x := range xs {
		mean += x
	}
	mean /= float64(len(xs))
	for _, x := range xs {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(max(1, len(xs)-1))
}
