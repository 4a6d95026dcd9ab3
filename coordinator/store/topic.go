package store

import (
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Topics of what changes in a tenant's rows, for those who look at them.
const (
	TopicPeople    = "people"
	TopicJobs      = "jobs"
	TopicHeld      = "held"
	TopicCycles    = "cycles"
	TopicAgents    = "agents"
	TopicSystems   = "systems"
	TopicProblems  = "problems"
	TopicPasswords = "passwords"
	TopicLog       = "log"
)

// Topics gives all topics.
func Topics() []string {
	return []string{TopicAgents, TopicCycles, TopicHeld, TopicJobs, TopicLog, TopicPasswords, TopicPeople, TopicProblems, TopicSystems}
}

// A subject is a tenant of whom something of a topic has changed.
type subject struct{ tenant, topic string }

// word is a subject as other coordinators are told of it; it has no space.
func (t subject) word() string { return "@" + url.QueryEscape(t.tenant) + "/" + t.topic }

func subjectOf(word string) (subject, bool) {
	tenant, topic, ok := strings.Cut(strings.TrimPrefix(word, "@"), "/")
	tenant, err := url.QueryUnescape(tenant)
	return subject{tenant, topic}, ok && err == nil && strings.HasPrefix(word, "@")
}

// touch has those who watch a tenant told, once the transaction is committed, that something of topics has changed.
func (tx *Tx) touch(tenant string, topics ...string) {
	for _, topic := range topics {
		if t := (subject{tenant, topic}); !slices.Contains(tx.touched, t) {
			tx.touched = append(tx.touched, t)
		}
	}
}

// watches are those who want to know what changes. The zero value is ready.
type watches struct {
	mu  sync.Mutex
	all map[*Watch]bool
}

// A Watch tells what topics of a tenant have changed since it was last asked.
// It is a hint, as a [Signal] is: who watches also looks by himself now and then.
type Watch struct {
	// Changed receives once something has.
	Changed <-chan struct{}

	wake    chan struct{}
	of      *watches
	tenant  string
	pending []string
}

// Watch watches a tenant until [Watch.Close].
func (s *Store) Watch(tenant string) *Watch {
	wake := make(chan struct{}, 1)
	w := &Watch{Changed: wake, wake: wake, of: &s.watches, tenant: tenant}
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	if s.watches.all == nil {
		s.watches.all = map[*Watch]bool{}
	}
	s.watches.all[w] = true
	return w
}

// Take returns the topics that have changed since the last Take, in order, each once.
func (w *Watch) Take() []string {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	topics := w.pending
	w.pending = nil
	slices.Sort(topics)
	return topics
}

// Close ends the watch.
func (w *Watch) Close() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	delete(w.of.all, w)
}

// tell tells whoever watches one of the tenants; "" is all of them.
func (ws *watches) tell(touched []subject) {
	if len(touched) == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		for _, t := range touched {
			if (t.tenant == "" || t.tenant == w.tenant) && !slices.Contains(w.pending, t.topic) {
				w.pending = append(w.pending, t.topic)
			}
		}
		if len(w.pending) > 0 {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
	}
}

// topicsOf are the topics that entries of the log of a kind tell of.
func topicsOf(kind string) []string {
	switch kind {
	case "planned", "written", "unchanged", "failed", "probe":
		return []string{TopicLog, TopicJobs}
	case "held", "approved", "rejected":
		return []string{TopicLog, TopicJobs, TopicHeld}
	case "config":
		return []string{TopicLog, TopicSystems}
	}
	return []string{TopicLog}
}
