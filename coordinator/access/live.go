package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// lookEvery is how soon a request that goes on for long ends after its session or token.
const lookEvery = 5 * time.Second

// errEnded says that a session or token ended while a request of it went on.
var errEnded = errors.New("the session or token has ended")

// live are the requests under way, some of which follow something for hours.
type live struct {
	mu       sync.Mutex
	requests map[*request]struct{}
}

type request struct {
	who   Principal
	began time.Time
	end   context.CancelCauseFunc
}

// enter gives a context that ends with the session or token of who asks; leave must be called when the request has ended.
func (l *live) enter(ctx context.Context, who Principal) (_ context.Context, leave func()) {
	ctx, end := context.WithCancelCause(ctx)
	r := &request{who, time.Now(), end}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		l.requests = map[*request]struct{}{}
	}
	l.requests[r] = struct{}{}
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.requests, r)
		end(nil)
	}
}

// long gives the requests that have gone on for a while.
func (l *live) long() (list []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range l.requests {
		if time.Since(r.began) >= lookEvery {
			list = append(list, r)
		}
	}
	return list
}

// Run ends requests whose session or token has ended, and writes which sessions were used, until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), g.Flush(context.WithoutCancel(ctx)))
		case <-tick.C:
			if err := errors.Join(g.Flush(ctx), g.endLive(ctx)); err != nil {
				g.log.WarnContext(ctx, "Sessions not looked after", "err", err, "retry_in", lookEvery)
			}
		}
	}
}

func (g *Gate) endLive(ctx context.Context) error {
	list := g.live.long()
	if len(list) == 0 {
		return nil
	}
	good := map[[2]string]bool{}
	return g.store.Read(ctx, func(tx *store.Tx) error {
		for _, r := range list {
			key := [2]string{r.who.Means, r.who.ID}
			ok, known := good[key]
			if !known {
				var err error
				if ok, err = g.stillGood(tx, r.who); err != nil {
					return err
				}
				good[key] = ok
			}
			if !ok {
				r.end(errEnded)
			}
		}
		return nil
	})
}

func (g *Gate) stillGood(tx *store.Tx, who Principal) (ok bool, err error) {
	if who.Means == Session {
		var row store.Session
		row, err = tx.Session(who.ID)
		ok = g.lives(row, tx.Now)
	} else {
		var row store.APIToken
		row, err = tx.APIToken(who.ID)
		ok = row.Expires == 0 || row.Expires > tx.Now
	}
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return ok, err
}

// lives tells whether a session's time is not over.
func (g *Gate) lives(row store.Session, now store.Instant) bool {
	return row.Expires > now && row.Seen.Add(g.config.SessionIdle) > now
}
