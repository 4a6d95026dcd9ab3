package store

import "sync"

// A Signal tells everybody who waits that there may be something to do. It is a
// hint: whoever waits looks in the store for what it is, and also looks by
// himself now and then. The zero value is ready.
//
//	for {
//		woken := signal.Next() // before looking, so that nothing in between is missed
//		look()
//		<-woken
//	}
type Signal struct {
	mu   sync.Mutex
	next chan struct{}
}

// Next returns a channel that is closed by the next Raise.
func (s *Signal) Next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Raise wakes everybody who waits. Writing transactions do it by themselves after their commit.
func (s *Signal) Raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
