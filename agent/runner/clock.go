package runner

import (
	"log/slog"
	"sync"
	"time"
)

// leap is how far the host's clock may be from the coordinator's before that one
// counts: the certificates allow for as much, and so does the link.
const leap = 5 * time.Minute

// A Clock tells by what instant jobs may be begun: not-before and not-after.
// That is the host's clock, as long as it agrees with what the coordinator said
// last and the time gone by since. A clock that is set by days, forwards or
// back, while the agent runs begins nothing early and makes nothing stale.
// Before the coordinator was met, the host's clock is all there is.
type Clock struct {
	log  *slog.Logger
	host func() time.Time

	mu   sync.Mutex
	base time.Time // what the coordinator said; zero before
	at   time.Time // and when: goes on evenly, whatever is done to the clock
	off  bool
}

// NewClock returns a clock that says when it does not believe the host's.
func NewClock(log *slog.Logger) *Clock { return &Clock{log: log, host: time.Now} }

// Set takes what time the coordinator has.
func (c *Clock) Set(coordinator time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.at = coordinator, time.Now()
}

// Now gives the time. No clock is the host's.
func (c *Clock) Now() time.Time {
	if c == nil {
		return time.Now().Round(0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	host := c.host().Round(0) // what the clock on the wall says, not what has gone by
	if c.base.IsZero() {
		return host
	}
	told := c.base.Add(time.Since(c.at))
	off := host.Sub(told).Abs() > leap
	if off != c.off {
		c.off = off
		if off {
			c.log.Error("The clock of this host was set; jobs go by the coordinator's", "host", host, "coordinator", told,
				"next_step", "set it right, for example with `timedatectl set-ntp true` or `w32tm /resync`")
		} else {
			c.log.Info("The clock of this host is right again")
		}
	}
	if off {
		return told
	}
	return host
}

// Off says whether the host's clock is not believed.
func (c *Clock) Off() bool {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}
