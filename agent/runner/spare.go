package runner

import (
	"maps"
	"sync"
)

// spare lends each worker a set of allowed attributes of its own, because
// those remember the spellings that they met.
type spare struct{ pool sync.Pool }

func newSpare(a allowed) *spare {
	return &spare{pool: sync.Pool{New: func() any { return maps.Clone(a) }}}
}

func (s *spare) take() allowed  { return s.pool.Get().(allowed) }
func (s *spare) give(a allowed) { s.pool.Put(a) }
