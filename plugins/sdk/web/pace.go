package web

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Pauses where a server does not say how long to wait: 0.5, 1, 2, 4 … s, each
// with chance so that many clients do not come back at once.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = time.Minute
)

func backoff(try int) time.Duration {
	pause := min(firstPause<<min(try-1, 10), longestPause)
	return pause/2 + rand.N(pause/2+1)
}

// retryAfter is how long the server wants us to wait, and whether it said so:
// seconds or a date (RFC 9110, 10.2.3).
func (a *Answer) retryAfter(try int) (pause time.Duration, stated bool) {
	text := a.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e6 {
		return time.Duration(seconds * float64(time.Second)), true
	}
	if at, err := http.ParseTime(text); err == nil {
		now := time.Now()
		if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
			now = date // the server's clock is the one that it means
		}
		return max(at.Sub(now), 0), true
	}
	return backoff(try), false
}

// A pace holds back all requests of a client while its server wants a pause.
// The zero value lets them go.
type pace struct {
	mu    sync.Mutex
	until time.Time
}

func (p *pace) hold(pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(pause); until.After(p.until) {
		p.until = until
	}
}

func (p *pace) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		pause := time.Until(p.until)
		p.mu.Unlock()
		if pause <= 0 {
			return nil
		}
		if err := sleep(ctx, min(pause, time.Second)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
