package spool

import (
	"fmt"
	"time"
)

// Full says why no new work is taken: the disk is full. It is nil where it is.
func (s *Spool) Full() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

// Fullness returns a channel that gets a token when [Spool.Full] says something
// else than before. One receiver is meant.
func (s *Spool) Fullness() <-chan struct{} { return s.fullness }

// noRoom says why the reserve is not held. The file does not shrink: what is
// free within it serves results as well as the reserve.
func (s *Spool) noRoom() error {
	if err := s.reserve.fill(); err != nil && s.db.Stats().FreePageN*pageSize < s.reserve.size {
		return err
	}
	return nil
}

func (s *Spool) setFull(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.full == nil) == (cause == nil) {
		return
	}
	s.full = nil
	if cause != nil {
		s.full = fmt.Errorf("%w: free space on the disk of %s: %w", ErrFull, s.path, cause)
	}
	wake(s.fullness)
}

// recheck fires while the disk is full, so that it is noticed when it is not any more though nobody writes.
func (s *Spool) recheck() <-chan time.Time {
	if s.Full() == nil {
		return nil
	}
	return time.After(refill)
}
