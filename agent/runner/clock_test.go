package runner

import (
	"io"
	"log/slog"
	"testing"
	"time"
)

// However the host's clock is set while the agent runs, jobs go by the time
// that the coordinator told.
func TestPain07_clockTwoDaysOff(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{0, 2 * time.Minute, 48 * time.Hour, -48 * time.Hour} {
		c := NewClock(slog.New(slog.NewTextHandler(io.Discard, nil)))
		c.Set(time.Now())
		c.host = func() time.Time { return time.Now().Add(step) }
		got := time.Until(c.Now())
		want := step
		if step.Abs() > leap {
			want = 0
		}
		if (got-want).Abs() > time.Minute || c.Off() != (step.Abs() > leap) {
			t.Errorf("after a step of %v the clock is off by %v, off = %v", step, got, c.Off())
		}
	}
	c := NewClock(slog.New(slog.NewTextHandler(io.Discard, nil)))
	c.Set(time.Now().Add(-48 * time.Hour)) // the agent was started with a clock two days ahead
	if got := time.Until(c.Now()); got > -47*time.Hour {
		t.Errorf("a host two days ahead of the coordinator has the time of %v ago; want two days", -got)
	}
}
