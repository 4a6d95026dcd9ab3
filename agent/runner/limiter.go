package runner

import (
	"math"
	"slices"
	"time"
)

// How a limiter measures.
const (
	startLimit = 4
	mostLimit  = 64
	lookTime   = 100 * time.Millisecond // a look takes this long at least, and
	lookDone   = 20                     // as many completions at least, and
	lookRounds = 3                      // so often as many as may be under way: answers come in clumps
	lookMost   = 3 * time.Second        // whatever was completed
	plainLoss  = 0.7                    // log of the ratio at which a single look sends a limit away
	clearLoss  = 2.0                    // standard errors that do so after more
	leastNoise = 0.06                   // few looks know little of their own spread: it is not believed to be less
	leastLooks = 6                      // of each limit until the best mean wins, if it is
	settledBy  = 0.025                  // standard error known; or
	mostLooks  = 16                     // however unsteady the system is
	worthMore  = 0.02                   // a higher limit must gain this much
	calmFirst  = 20 * time.Second       // until the next contest after the best was found
	calmMost   = 10 * time.Minute       // the pause doubles up to this
)

// A limiter finds how many operations at a time a system serves fastest. Some
// systems are fastest with one writer, others with many; nobody has to know.
//
// It holds a contest of several limits. Each gets a short look in turn, upwards
// and then downwards, so that a machine that grows slower or faster meets all
// alike, and what counts is how a limit did against the others of the same
// turn. A limit that is clearly worse than the leader is sent away; the rest go
// on until one is left, or until it makes no difference which is taken. While
// they tie, comparing them costs nothing. It learns only while there is
// enough to do, and looks around the winner again ever more seldom.
//
// It has no clock and no goroutine: its owner tells it what happens and when.
type limiter struct {
	base    int // the limit believed best
	current int // the one in use
	fixed   bool

	field []contender // of the contest, in ascending order; none in calm times
	at    int         // the one being looked at
	down  bool        // direction of this turn
	calm  time.Duration
	next  time.Time // of the next contest

	lowest, highest int // limits that were in the contest at first

	settle int // completions to let pass after a change of limit
	began  time.Time
	done   int
}

// A contender is a limit in a contest.
type contender struct {
	limit int
	looks []float64 // logs of rates, one for each turn
}

func newLimiter() *limiter {
	return &limiter{base: startLimit, current: startLimit}
}

// fixedLimiter allows n at a time and tries nothing else.
func fixedLimiter(n int) *limiter { return &limiter{base: n, current: n, fixed: true} }

// limit is how many operations may be under way now.
func (l *limiter) limit() int { return l.current }

// best is the limit believed best.
func (l *limiter) best() int { return l.base }

// starved says that less is under way than might be: what is measured now says
// nothing about the limit.
func (l *limiter) starved() { l.began, l.done = time.Time{}, 0 }

// completed counts one finished operation.
func (l *limiter) completed(now time.Time) {
	switch {
	case l.fixed || now.Before(l.next):
		return
	case l.settle > 0:
		l.settle--
		return
	case l.began.IsZero():
		l.began, l.done = now, 0
		return
	}
	l.done++
	took := now.Sub(l.began)
	enough := took >= lookTime && l.done >= max(lookDone, lookRounds*l.current)
	if !enough && (took < lookMost || l.done < 2) {
		return
	}
	rate := float64(l.done) / took.Seconds()
	switch {
	case len(l.field) > 0:
		l.look(now, rate)
	case l.next.IsZero(): // nothing is known yet
		l.contest(1, 2, 4, 8, 16)
	default:
		l.contest(l.base/2, l.base, l.base*2, l.base*4)
	}
}

// contest begins to compare limits.
func (l *limiter) contest(limits ...int) {
	l.field = l.field[:0]
	for _, n := range limits {
		if n >= 1 && n <= mostLimit {
			l.field = append(l.field, contender{limit: n})
		}
	}
	l.lowest, l.highest = l.field[0].limit, l.field[len(l.field)-1].limit
	l.at, l.down = 0, false
	l.use(l.field[0].limit)
}

// look takes what the limit in use completed per second, and goes on to the next.
func (l *limiter) look(now time.Time, rate float64) {
	c := &l.field[l.at]
	c.looks = append(c.looks, math.Log(rate))
	step := 1
	if l.down {
		step = -1
	}
	if l.at += step; l.at < 0 || l.at == len(l.field) { // the turn is over
		l.judge()
		if l.over() {
			l.conclude(now)
			return
		}
		l.down = !l.down
		l.at = 0
		if l.down {
			l.at = len(l.field) - 1
		}
	}
	l.use(l.field[l.at].limit)
}

// judge sends away what is clearly worse than the leader.
func (l *limiter) judge() {
	leader := l.leader()
	l.field = slices.DeleteFunc(l.field, func(c contender) bool {
		loss, noise := compare(leader.looks, c.looks)
		if len(c.looks) == 1 {
			return loss > plainLoss
		}
		return loss > clearLoss*noise
	})
}

// leader is the contender with the best mean, where a higher limit must be
// worth it. One that was found best before is replaced only by what is clearly
// better: the others may have been lucky.
func (l *limiter) leader() contender {
	leader, rest := l.field[0], l.field[1:]
	incumbent := slices.IndexFunc(l.field, func(c contender) bool { return c.limit == l.base })
	if !l.next.IsZero() && incumbent >= 0 {
		leader, rest = l.field[incumbent], l.field
	}
	for _, c := range rest {
		gain, noise := compare(c.looks, leader.looks)
		if l.next.IsZero() {
			noise = 0
		}
		if gain > worthMore+noise {
			leader = c
		}
	}
	return leader
}

// over says whether the leader may be taken.
func (l *limiter) over() bool {
	if len(l.field) == 1 {
		return true
	}
	leader := l.leader()
	if n := len(leader.looks); n < leastLooks || n >= mostLooks {
		return n >= mostLooks
	}
	for _, c := range l.field {
		if _, noise := compare(leader.looks, c.looks); c.limit != leader.limit && noise > settledBy {
			return false
		}
	}
	return true
}

// conclude takes the leader. Where it stood at the edge of the contest, the next
// one beyond that edge follows at once, else after a pause.
func (l *limiter) conclude(now time.Time) {
	winner := l.leader().limit
	moved := winner != l.base
	if moved {
		l.calm = 0
	}
	l.base, l.field = winner, l.field[:0]
	switch {
	case moved && winner == l.highest && winner < mostLimit:
		l.contest(winner, winner*2, winner*4)
	case moved && winner == l.lowest && winner > 1:
		l.contest(winner/4, winner/2, winner)
	default:
		l.calm = min(max(2*l.calm, calmFirst), calmMost)
		l.next = now.Add(l.calm)
		l.use(winner)
	}
}

// use changes the limit. What was begun under the other one does not count:
// what is too many must end first, and half of what may be under way.
func (l *limiter) use(limit int) {
	if l.current != limit {
		l.settle = max(0, l.current-limit) + (limit+1)/2
		l.current = limit
	}
	l.starved()
}

// compare returns how much less b completed than a, as the mean of the
// differences of their logarithms turn by turn, and how far that may be wrong.
func compare(a, b []float64) (loss, noise float64) {
	n := min(len(a), len(b))
	for i := range n {
		loss += a[i] - b[i]
	}
	loss /= float64(n)
	var square float64
	for i := range n {
		d := a[i] - b[i] - loss
		square += d * d
	}
	spread := max(leastNoise, math.Sqrt(square/float64(max(1, n-1))))
	return loss, spread / math.Sqrt(float64(n))
}
