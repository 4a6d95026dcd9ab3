package mapping

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// A Clock is the instant at which a rule is evaluated. It notes at which later
// instants the outcome may be another one.
type Clock struct {
	now  time.Time
	next []time.Time
}

// reached tells whether an instant has come, and notes it where it has not.
func reached(args ...any) (any, error) {
	c, t := args[0].(*Clock), args[1].(time.Time)
	if t.IsZero() {
		return false, nil
	}
	if t.After(c.now) {
		c.next = append(c.next, t)
		return false, nil
	}
	return true, nil
}

// groups tells in which groups of the target the account is.
type groups struct{ in func(name string) bool } // nil: in none

func inGroup(args ...any) (any, error) {
	g := args[0].(*groups)
	return g.in != nil && g.in(args[1].(string)), nil
}

// A machine evaluates the expressions of one scope, one at a time.
type machine struct {
	vm     vm.VM
	vars   map[string]any
	state  []state // by slot of variable
	row    Object  // of a source
	clock  Clock
	groups groups
}

// A state is what is known of a variable.
type state struct {
	value any // of the variable's kind; its zero where absent or empty
	known bool
	empty bool
}

type machines struct{ pool sync.Pool }

func (m *machines) get(s *scope) *machine {
	if e, ok := m.pool.Get().(*machine); ok {
		return e
	}
	e := &machine{vars: make(map[string]any, len(s.variables)+4), state: make([]state, len(s.variables))}
	e.vars["@vars"], e.vars["@groups"] = e.vars, &e.groups
	return e
}

func (m *machines) put(e *machine) { m.pool.Put(e) }

// start begins the evaluation at an instant.
func (e *machine) start(now time.Time) {
	e.clock = Clock{now: now, next: e.clock.next[:0]}
	e.groups.in = nil
	e.vars["@now"] = now
	e.vars["@clock"] = &e.clock
}

// set tells what a variable holds. A nil value is none.
func (e *machine) set(v *variable, value any, known bool) {
	empty := value == nil
	if empty {
		value = zeros[v.kind]
	}
	e.state[v.slot] = state{value, known, empty}
	if v.machine {
		e.vars[v.name] = value
	}
}

// zeros holds each kind's zero once, so that absent attributes cost no memory.
var zeros = func() (z [directory.List + 1]any) {
	for k := directory.Text; k <= directory.List; k++ {
		z[k] = k.Zero()
	}
	return z
}()

// eval gives the outcome; nil where it is nothing. It is known where it is
// something, or where anything that the expression reads is known: only then
// may it clear what it feeds.
func (e *machine) eval(x *expression) (value any, known bool, err error) {
	switch {
	case x.copies != nil:
		s := &e.state[x.copies.slot]
		if s.empty {
			return nil, s.known && !x.silent, nil
		}
		return s.value, true, nil
	case x.program == nil:
		return x.constant, true, nil
	}
	if x.direct != nil {
		if s := x.direct(e); s != "" {
			return s, true, nil
		}
		return nil, e.known(x), nil
	}
	value, err = e.vm.Run(x.program, e.vars)
	if err != nil {
		return nil, false, plain(err)
	}
	if x.now {
		e.midnight()
	}
	if list, ok := value.([]any); ok {
		if value, err = flat(list); err != nil {
			return nil, false, err
		}
	}
	if present(value) {
		return value, true, nil
	}
	return nil, e.known(x), nil
}

// known tells of an expression that gives nothing whether it may clear what it feeds.
func (e *machine) known(x *expression) bool {
	return !x.silent && (len(x.reads) == 0 || slices.ContainsFunc(x.reads, func(v *variable) bool { return e.state[v.slot].known }))
}

// midnight notes the next day for an expression that reads the time itself:
// nothing else tells when its outcome changes.
func (e *machine) midnight() {
	y, m, d := e.clock.now.UTC().Date()
	e.clock.next = append(e.clock.next, time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC))
}

// plain takes the cause out of an error of the virtual machine.
func plain(err error) error {
	var f *file.Error
	if errors.As(err, &f) {
		if f.Prev != nil {
			return f.Prev
		}
		return fmt.Errorf("%s, at character %d of the expression", f.Message, f.From+1)
	}
	return err
}

// inputs gives what the expression read, for people.
func (e *machine) inputs(x *expression) []Input {
	if len(x.reads) == 0 {
		return nil
	}
	in := make([]Input, len(x.reads))
	for i, v := range x.reads {
		in[i].Name = v.path
		switch s := e.state[v.slot]; {
		case s.empty:
		case x.redacted:
			in[i].Value = Redacted
		default:
			in[i].Value = Text(s.value)
		}
	}
	return in
}
