package sdk

import "sync"

// A Batcher joins what several callers want of the same thing at the same time
// into one request: look-ups of single values into one search, members of one
// group into one change. Nobody waits for company: while one request for a key
// is under way, what comes meanwhile is collected for the next. It is safe for
// concurrent use and starts no goroutine.
type Batcher[K comparable, V, R any] struct {
	most int

	mu      sync.Mutex
	waiting map[K][]*batched[V, R] // a key is there while a request for it is under way
}

// NewBatcher returns one whose requests have at most so many values each.
func NewBatcher[K comparable, V, R any](most int) *Batcher[K, V, R] {
	return &Batcher[K, V, R]{most: most, waiting: map[K][]*batched[V, R]{}}
}

type batched[V, R any] struct {
	value  V
	turn   chan bool // true: it is to lead; false: it was carried out
	result R
	among  int
	err    error
}

// Do has run carry out value, or has another caller's run do so, each with all
// the values of the key that came meanwhile, in the order in which they came.
// among is with how many, itself included; all of them get the same result and
// error. run must not depend on the caller's context: it works for others, too.
func (b *Batcher[K, V, R]) Do(key K, value V, run func(values []V) (R, error)) (result R, among int, err error) {
	c := &batched[V, R]{value: value, turn: make(chan bool, 1)}
	b.mu.Lock()
	before, busy := b.waiting[key]
	b.waiting[key] = append(before, c)
	b.mu.Unlock()
	if !busy || <-c.turn {
		b.lead(key, run)
	}
	return c.result, c.among, c.err
}

// lead carries out what waits, the caller's value first, and has the first of
// those that came meanwhile lead next. Where run panics, so does the caller, and
// the rest hear that nobody knows what was done.
func (b *Batcher[K, V, R]) lead(key K, run func(values []V) (R, error)) {
	b.mu.Lock()
	batch := b.waiting[key]
	batch = batch[:min(len(batch), b.most)]
	b.waiting[key] = b.waiting[key][len(batch):]
	b.mu.Unlock()

	var result R
	var err error = Unknown("the connector has a fault: it panicked at a request for several objects", "Report it with the agent's log; the object is looked at again by itself.")
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, c := range batch {
			c.result, c.among, c.err = result, len(batch), err
			if i > 0 {
				c.turn <- false
			}
		}
		if next := b.waiting[key]; len(next) > 0 {
			next[0].turn <- true
		} else {
			delete(b.waiting, key)
		}
	}()
	values := make([]V, len(batch))
	for i, c := range batch {
		values[i] = c.value
	}
	result, err = run(values)
}
