package double

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An Effect is what a [Fault] does to an operation.
type Effect string

// The effects. An operation that meets DropAfter has been done, but its answer
// is lost with the connection.
const (
	Nothing           Effect = ""
	AnswerBusy        Effect = "busy"
	AnswerUnavailable Effect = "unavailable"
	DropBefore        Effect = "drop-before"
	DropAfter         Effect = "drop-after"
)

// A Fault hits the next operations that it fits.
type Fault struct {
	Do    Effect        `json:"do"`
	Delay time.Duration `json:"delay"` // before anything else; also with Nothing
	Ops   []string      `json:"ops"`   // bind, search, add, modify, delete, rename, compare; none means all
	Text  string        `json:"text"`  // only those whose request has these bytes, such as an RDN
	Count int           `json:"count"` // how many to hit; 0 means 1, -1 all
}

type faults struct {
	armed atomic.Bool // so that the common case costs no lock
	mu    sync.Mutex
	list  []Fault
}

var operationNames = map[string]byte{
	"bind": bindRequest, "search": searchRequest, "add": addRequest, "modify": modifyRequest,
	"delete": deleteRequest, "rename": renameRequest, "compare": compareRequest,
}

// Fail arms a fault. Faults are tried in the order they were armed.
func (s *Server) Fail(f Fault) error {
	for _, op := range f.Ops {
		if operationNames[op] == 0 {
			return fmt.Errorf("fault: no operation %q", op)
		}
	}
	switch f.Do {
	case Nothing, AnswerBusy, AnswerUnavailable, DropBefore, DropAfter:
	default:
		return fmt.Errorf("fault: no effect %q", f.Do)
	}
	if f.Count == 0 {
		f.Count = 1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, f)
	s.faults.armed.Store(true)
	return nil
}

// Heal takes all faults away.
func (s *Server) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
	s.faults.armed.Store(false)
}

// next returns the fault that hits this operation, if any.
func (f *faults) next(op byte, body string) Fault {
	if !f.armed.Load() {
		return Fault{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		c := &f.list[i]
		if !c.fits(op, body) {
			continue
		}
		hit := *c
		if c.Count > 0 {
			if c.Count--; c.Count == 0 {
				f.list = append(f.list[:i:i], f.list[i+1:]...)
				f.armed.Store(len(f.list) > 0)
			}
		}
		return hit
	}
	return Fault{}
}

func (f *Fault) fits(op byte, body string) bool {
	if !strings.Contains(body, f.Text) {
		return false
	}
	for _, name := range f.Ops {
		if operationNames[name] == op {
			return true
		}
	}
	return len(f.Ops) == 0
}
