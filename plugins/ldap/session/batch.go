package session

import (
	"sync"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
)

// ValuesPerSearch go into one filter.
const ValuesPerSearch = 100

// A Batcher joins look-ups of single values that come at the same time into
// one search. Nobody waits for company: while one search is under way, those
// that come meanwhile are collected for the next.
type Batcher struct {
	mu      sync.Mutex
	waiting map[string][]*lookup // by kind of look-up
	leading map[string]bool
}

type lookup struct {
	value string
	found []*wire.Entry
	err   error
	done  chan struct{}
}

// NewBatcher returns one.
func NewBatcher() *Batcher {
	return &Batcher{waiting: map[string][]*lookup{}, leading: map[string]bool{}}
}

// Do looks value up by run, which gets many values of the same kind and
// returns what it found for all of them.
func (b *Batcher) Do(kind, value string, run func(values []string) ([]*wire.Entry, error)) ([]*wire.Entry, error) {
	l := &lookup{value: value, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting[kind] = append(b.waiting[kind], l)
	if !b.leading[kind] {
		b.leading[kind] = true
		go b.lead(kind, run) // ends when nobody waits, and each caller waits for its own
	}
	b.mu.Unlock()
	<-l.done
	return l.found, l.err
}

// lead runs look-ups of a kind until none is left.
func (b *Batcher) lead(kind string, run func(values []string) ([]*wire.Entry, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting[kind]) > 0 {
		batch := b.waiting[kind]
		batch = batch[:min(len(batch), ValuesPerSearch)]
		b.waiting[kind] = b.waiting[kind][len(batch):]
		b.mu.Unlock()
		values := make([]string, len(batch))
		for i, l := range batch {
			values[i] = l.value
		}
		found, err := run(values)
		for _, l := range batch {
			l.found, l.err = found, err
			close(l.done)
		}
		b.mu.Lock()
	}
	delete(b.leading, kind)
	delete(b.waiting, kind)
}
