package api

import (
	"context"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// indexSlice is how many people a transaction puts into the index of words.
	indexSlice = 1000
	// indexPause is after people have changed: until then a search looks through them.
	indexPause = 2 * time.Second
	// indexShare is the part of the time that indexing takes while there is more: one in so many. The rest is the writers'.
	indexShare = 5
	// indexLook is how often it is looked for people by itself.
	indexLook = 5 * time.Minute
	// tidyEvery is how often what is too old is removed.
	tidyEvery = 6 * time.Hour
)

// Run keeps what the API finds things by, until ctx ends, and returns its cause.
func (s *Server) Run(ctx context.Context) error {
	tidied := time.Time{}
	for {
		woken := s.Store.Due.Next() // before looking: nothing in between is missed
		began := time.Now()
		n, err := s.index(ctx)
		pause := indexPause
		if err == nil && n == indexSlice {
			pause = (indexShare - 1) * time.Since(began)
		}
		if err == nil && time.Since(tidied) > tidyEvery {
			tidied, err = time.Now(), s.tidy(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "People not indexed", "err", err)
		}
		if err == nil && n < indexSlice {
			if !wait(ctx, indexLook, woken) {
				return context.Cause(ctx)
			}
		}
		if !wait(ctx, pause, nil) {
			return context.Cause(ctx)
		}
	}
}

// wait waits until woken or the pause is over, and tells whether to go on.
func wait(ctx context.Context, pause time.Duration, woken <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-woken:
	case <-timer.C:
	}
	return true
}

// index makes the next people found by their words. It takes the writer only where there are any.
func (s *Server) index(ctx context.Context) (n int, err error) {
	some := false
	err = s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		some, err = tx.Unindexed()
		return err
	})
	if err != nil || !some {
		return 0, err
	}
	err = s.Store.Write(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.IndexPeople(indexSlice, words)
		return err
	})
	return n, err
}

// words gives the words of somebody that an earlier release has stored.
func words(row store.Person) string {
	p := directory.Person{Key: row.Shown()}
	if a, err := directory.ParseAttributes(row.Attributes); err == nil {
		p.Attributes = a
	}
	return strings.Join(p.Words(), " ")
}

// tidy removes what is too old: counts, idempotency keys, names that are kept from nobody any more.
func (s *Server) tidy(ctx context.Context) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		tenants, err := tx.Tenants()
		for _, t := range tenants {
			if err == nil {
				err = tx.ForgetTallies(t.ID)
			}
		}
		if err == nil {
			err = tx.ForgetKeyed(tx.Now.Add(-onceLife))
		}
		if err == nil {
			_, err = tx.ForgetKeptNames()
		}
		return err
	})
}
