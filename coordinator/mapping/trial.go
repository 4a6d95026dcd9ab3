package mapping

import (
	"strings"
)

// A Tried is the outcome of one rule, for somebody who is writing it.
type Tried struct {
	Attribute string
	Values    []string // of a unique rule the candidates
	// Known tells nothing that clears (true) from nothing that says nothing.
	Known bool
	Err   error // why the rule gives nothing
	Rule  string
	Line  int
	From  []Input // what it read
}

// Try evaluates every rule of the source over an object by itself: one that
// fails does not hide the others. An error is of the object, not of a rule.
func (s *Source) Try(object []byte) ([]Tried, error) {
	m := s.machines.get(s.scope)
	defer s.machines.put(m)
	if err := s.load(m, object); err != nil {
		return nil, err
	}
	var all []Tried
	if s.key != nil {
		t := m.try("key", s.key)
		if t.Err == nil && (len(t.Values) == 0 || strings.TrimSpace(t.Values[0]) == "") {
			t.Err = errNoKey
		}
		all = append(all, t)
	}
	if s.sameAs != nil {
		all = append(all, m.try("same_as "+s.SameAs, s.sameAs))
	}
	for _, r := range s.rules {
		t := m.try(r.path, r.expression)
		if v, _, err := m.eval(r.expression); err == nil && v != nil {
			if v, err = convert(v, r.kind); err != nil {
				t.Err, t.Values = err, nil
			} else {
				t.Values = textsOf(v)
			}
		}
		all = append(all, t)
	}
	return all, nil
}

func (e *machine) try(attribute string, x *expression) Tried {
	v, known, err := e.eval(x)
	return Tried{Attribute: attribute, Values: textsOf(v), Known: known, Err: err, Rule: x.text, Line: x.line, From: e.inputs(x)}
}

// Try evaluates one rule for somebody who is writing it. What is not for
// people's eyes is not shown.
func (v View) Try(r *Rule) Tried {
	t := v.machine.try(r.Attribute, r.expression)
	t.Values = r.Shown(t.Values)
	return t
}
