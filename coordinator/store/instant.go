package store

import "time"

// An Instant is milliseconds since 1970 in UTC. The zero value means none.
type Instant int64

// InstantOf cuts t to the millisecond; the zero time becomes none.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMilli())
}

// Time returns the instant in UTC; none becomes the zero time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// String returns the instant in RFC 3339, or "none".
func (i Instant) String() string {
	if i == 0 {
		return "none"
	}
	return i.Time().Format(time.RFC3339Nano)
}
