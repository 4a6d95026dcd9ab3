package runner

import (
	"math/rand/v2"
	"time"
)

// A circuit makes a lane pause after failures in a row. After each pause one
// job is tried; the pauses grow until one succeeds.
type circuit struct {
	failures int // pauses since the last success
	row      int // failures since the last success
	until    time.Time
}

// allowed is how many jobs may be under way now.
func (c *circuit) allowed(now time.Time) int {
	switch {
	case now.Before(c.until):
		return 0
	case c.failures > 0:
		return 1
	}
	return mostTasks
}

func (c *circuit) wake(now time.Time) time.Time {
	if now.Before(c.until) {
		return c.until
	}
	return time.Time{}
}

// failure says whether this one makes the lane pause. Those of jobs that were
// begun before the pause do not count again.
func (c *circuit) failure(now time.Time) bool {
	if now.Before(c.until) {
		return false
	}
	c.row++
	return c.row >= 3 || c.failures > 0
}

func (c *circuit) trip(now time.Time, atLeast time.Duration) {
	c.failures++
	c.row = 0
	c.until = now.Add(max(growing(250*time.Millisecond, c.failures, time.Minute), atLeast))
}

// success ends the pauses; it says whether there were any.
func (c *circuit) success() bool {
	had := c.failures > 0
	*c = circuit{}
	return had
}

// growing doubles least with every try after the first, up to most, and takes
// 75 to 100 % of that by chance.
func growing(least time.Duration, try int, most time.Duration) time.Duration {
	d := most
	if try < 20 {
		d = min(least<<max(0, try-1), most)
	}
	return d - rand.N(d/4+1)
}
