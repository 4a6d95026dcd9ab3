package store

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	channel = "drawbridge"
	gather  = 5 * time.Millisecond // signals of many transactions are told together
)

// news tells other coordinators of signals, and raises theirs here. It is a
// hint: what is lost costs whoever waits until he looks by himself.
//
// It is told after the commit, not in it: a transaction that notifies keeps all
// others of the database from committing meanwhile.
type news struct {
	store *Store
	pool  *pgxpool.Pool
	me    string
	tell  chan *Signal
	end   context.CancelFunc
	heard chan struct{} // closed once it has tried to listen
	done  chan struct{} // each of the two loops sends when it ends
}

func listen(s *Store, pool *pgxpool.Pool) *news {
	ctx, end := context.WithCancel(context.Background())
	n := &news{store: s, pool: pool, me: rand.Text(), tell: make(chan *Signal, 64), end: end, heard: make(chan struct{}), done: make(chan struct{}, 2)}
	go n.hear(ctx)
	go n.say(ctx)
	<-n.heard
	return n
}

func (n *news) stop() {
	n.end()
	<-n.done
	<-n.done
}

// raised has a signal told to the others, unless too many wait already.
func (n *news) raised(sig *Signal) {
	select {
	case n.tell <- sig:
	default:
	}
}

// names gives each signal its word.
func (n *news) names() map[string]*Signal {
	s := n.store
	return map[string]*Signal{"due": &s.Due, "jobs": &s.Jobs, "systems": &s.Systems, "agents": &s.Agents}
}

func (n *news) say(ctx context.Context) {
	defer func() { n.done <- struct{}{} }()
	names := n.names()
	for {
		raised := map[*Signal]bool{}
		select {
		case <-ctx.Done():
			return
		case sig := <-n.tell:
			raised[sig] = true
		}
		timer := time.NewTimer(gather)
		for more := true; more; {
			select {
			case sig := <-n.tell:
				raised[sig] = true
			case <-timer.C:
				more = false
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
		text := n.me
		for name, sig := range names {
			if raised[sig] {
				text += " " + name
			}
		}
		_, _ = n.pool.Exec(ctx, "SELECT pg_notify($1, $2)", channel, text)
	}
}

func (n *news) hear(ctx context.Context) {
	defer func() { n.done <- struct{}{} }()
	first := sync.OnceFunc(func() { close(n.heard) })
	for again := false; ctx.Err() == nil; again = true {
		n.hearOnce(ctx, first, again)
		first()
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// hearOnce listens until the connection breaks, and calls ready once it does.
// When it listens again whoever waits is woken: something may have been told
// meanwhile.
func (n *news) hearOnce(ctx context.Context, ready func(), again bool) {
	c, err := n.pool.Acquire(ctx)
	if err != nil {
		return
	}
	conn := c.Hijack() // it listens, and never serves a transaction
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return
	}
	ready()
	names := n.names()
	for _, sig := range names {
		if again {
			sig.Raise()
		}
	}
	for {
		note, err := conn.WaitForNotification(ctx)
		if err != nil {
			return
		}
		words := strings.Fields(note.Payload)
		if len(words) == 0 || words[0] == n.me {
			continue
		}
		for _, w := range words[1:] {
			if sig := names[w]; sig != nil {
				sig.Raise()
			}
		}
	}
}
