package store

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	channel = "drawbridge"
	gather  = 5 * time.Millisecond // signals of many transactions are told together
	most    = 60                   // words in one telling: PostgreSQL takes 8,000 bytes
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
	tell  chan string // words
	end   context.CancelFunc
	heard chan struct{} // closed once it has tried to listen
	done  chan struct{} // each of the two loops sends when it ends
}

func listen(s *Store, pool *pgxpool.Pool) *news {
	ctx, end := context.WithCancel(context.Background())
	n := &news{store: s, pool: pool, me: rand.Text(), tell: make(chan string, 256), end: end, heard: make(chan struct{}), done: make(chan struct{}, 2)}
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

// raised has what a transaction makes interesting told to the others, unless too much waits already.
func (n *news) raised(tx *Tx) {
	var words []string
	for name, sig := range n.names() {
		if slices.Contains(tx.raised, sig) {
			words = append(words, name)
		}
	}
	for _, t := range tx.touched {
		words = append(words, t.word())
	}
	for _, w := range words {
		select {
		case n.tell <- w:
		default:
		}
	}
}

// names gives each signal its word.
func (n *news) names() map[string]*Signal {
	s := n.store
	return map[string]*Signal{"due": &s.Due, "jobs": &s.Jobs, "systems": &s.Systems, "agents": &s.Agents, "notices": &s.Notices, "releases": &s.Releases}
}

func (n *news) say(ctx context.Context) {
	defer func() { n.done <- struct{}{} }()
	for {
		words := []string{n.me}
		select {
		case <-ctx.Done():
			return
		case w := <-n.tell:
			words = append(words, w)
		}
		timer := time.NewTimer(gather)
		for more := true; more; {
			select {
			case w := <-n.tell:
				if !slices.Contains(words, w) {
					words = append(words, w)
				}
				more = len(words) < most
			case <-timer.C:
				more = false
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
		_, _ = n.pool.Exec(ctx, "SELECT pg_notify($1, $2)", channel, strings.Join(words, " "))
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
	if again {
		for _, topic := range Topics() {
			n.store.watches.tell([]subject{{"", topic}})
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
			} else if t, ok := subjectOf(w); ok {
				n.store.watches.tell([]subject{t})
			}
		}
	}
}
