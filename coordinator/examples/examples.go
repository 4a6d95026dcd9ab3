// Package examples runs the examples that system documents carry: what each
// says is compared with what the rules make of it, by the same code that
// plans for real people, and without a server, a store or a system.
//
//	row of a source ─► Source.Person ─► person ─► reconcile.Plan ─► account in memory ─► compared
//
// Every name is free in it, every group is there, and whoever is referred to
// has an account, whose native id is their key. An example that cannot be
// evaluated is a failure that says why.
package examples

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Failure is an example that does not hold.
type Failure struct {
	File    string // of the document
	Line    int    // of what does not hold
	Example string // its name; "" where it has none
	Message string
}

// String gives the failure as compilers write theirs.
func (f Failure) String() string {
	where := fmt.Sprintf("%s:%d: ", f.File, f.Line)
	if f.Example != "" {
		where += f.Example + ": "
	}
	return where + f.Message
}

// Run runs the examples of all documents, at now where they do not name an
// instant. It tells how many there are.
func Run(systems []*mapping.System, now time.Time) (run int, failures []Failure) {
	for _, s := range systems {
		for _, e := range s.Examples {
			run++
			t := trial{systems: systems, system: s, example: e, now: e.At}
			if t.now.IsZero() {
				t.now = now
			}
			if err := t.run(); err != nil {
				t.fail(e.Line, "%v", err)
			}
			failures = append(failures, t.failures...)
		}
	}
	return run, failures
}

// A trial is one example being run.
type trial struct {
	systems  []*mapping.System
	system   *mapping.System
	example  mapping.Example
	now      time.Time
	failures []Failure
}

func (t *trial) fail(line int, format string, args ...any) {
	t.failures = append(t.failures, Failure{t.system.File(), line, t.example.Name, fmt.Sprintf(format, args...)})
}

func (t *trial) run() error {
	p, err := t.person()
	if err != nil {
		return err
	}
	got := func(name string) []string {
		if strings.EqualFold(name, "key") {
			return []string{p.Key}
		}
		v, _ := p.Attributes.Get(name)
		return mapping.Texts(v)
	}
	if t.system.Target != nil {
		a, err := t.account(p)
		if err != nil {
			return err
		}
		got = a.get
	}
	for _, want := range t.example.Expect {
		if have := got(want.Name); !same(want.Values, have) {
			t.fail(want.Line, "%s is %s, not %s", want.Name, shown(have), shown(want.Values))
		}
	}
	return nil
}

// person makes the person out of what the example gives.
func (t *trial) person() (directory.Person, error) {
	p := directory.Person{Key: "example", HasSource: true, Attributes: t.example.Person}
	for _, s := range t.systems {
		row, given := t.example.Rows[s.Name]
		if !given {
			continue
		}
		if s.Source == nil {
			return p, fmt.Errorf("given: %s is no source", s.Name)
		}
		o := &connectorv1.Object{Class: s.Source.Class, Id: "example"}
		for name, values := range row {
			o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: name, Values: values})
		}
		slices.SortFunc(o.Attributes, func(a, b *connectorv1.Attribute) int { return strings.Compare(a.GetName(), b.GetName()) })
		text, err := proto.Marshal(o)
		if err != nil {
			return p, err
		}
		record, err := s.Source.Read(text)
		if err != nil {
			return p, fmt.Errorf("given: %s: %w", s.Name, err)
		}
		p.Key = directory.Fold(record.Key)
		for path, value := range record.Attributes.All() {
			p.Attributes.Set(path, value)
		}
	}
	for name := range t.example.Rows {
		if !slices.ContainsFunc(t.systems, func(s *mapping.System) bool { return s.Name == name }) {
			return p, fmt.Errorf("given: no document here describes a system %s", name)
		}
	}
	return p, nil
}

// account plays what happens to the person's account until nothing more does.
func (t *trial) account(p directory.Person) (*account, error) {
	a, groups := &account{}, present{}
	target := t.system.Target
	if t.example.Group {
		target = t.system.GroupTarget
	}
	for range 10 {
		known, err := a.known()
		if err != nil {
			return nil, err
		}
		out := reconcile.Plan(reconcile.Input{Now: t.now, Person: p, Target: target, Account: known, Names: everything{}, Refs: everything{}, Groups: groups})
		if out.Problem != nil {
			return nil, errors.New(out.Problem.Fault.GetCause())
		}
		if len(out.Ops) == 0 {
			return a, nil
		}
		for _, m := range out.Made {
			groups[directory.Fold(m.Key)] = m.Display
		}
		for _, op := range out.Ops {
			a.apply(op.Operation)
		}
	}
	return nil, errors.New("the rules never come to rest: each look at the account changes it again")
}

// everything is a world in which every name is free and everybody has an account.
type everything struct{}

func (everything) Pick(_ string, candidates iter.Seq[string]) (string, bool) {
	for c := range candidates {
		return c, true
	}
	return "", false
}

// present are groups of the directory that are there: those that rules make, by
// how they are shown, and all others by their keys.
type present map[string]string

func (p present) DirectoryGroup(key string) string {
	if shown, made := p[key]; made {
		return shown
	}
	return strings.TrimPrefix(key, directory.GroupKey(""))
}

func (present) Owned(string) bool              { return false }
func (present) Circle(string, string) []string { return nil }

func (everything) Account(key string) string { return key }
func (everything) Group(name string) string  { return name }

// same compares values in any order. Instants and booleans are compared as the
// document writes them.
func same(want, have []string) bool {
	if len(want) != len(have) {
		return false
	}
	have = slices.Clone(have)
	for _, w := range want {
		i := slices.IndexFunc(have, func(h string) bool { return h == w || sameInstant(w, h) })
		if i < 0 {
			return false
		}
		have = slices.Delete(have, i, i+1)
	}
	return true
}

func sameInstant(a, b string) bool {
	t, err := time.Parse(time.RFC3339, a)
	if err != nil {
		return false
	}
	u, err := time.Parse(time.RFC3339, b)
	return err == nil && t.Equal(u)
}

func shown(values []string) string {
	if len(values) == 0 {
		return "empty"
	}
	return `"` + strings.Join(values, `", "`) + `"`
}
