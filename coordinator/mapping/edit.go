package mapping

import (
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// An Edit says whom a change of a target's document can touch: everybody,
// nobody, or those for whom one of the rules that differ gives something else.
// Who has an open job, a problem or a deviation is for the caller to think of:
// what they have is not what the rules said before. It is for one goroutine.
type Edit struct {
	was, is *Target
	all     bool
	pairs   []pair
}

// A pair is a rule of both documents; one is nil where only the other has it.
type pair struct{ was, is *Rule }

// EditOfTarget compares a document with the one that takes its place.
func EditOfTarget(was, is *System) *Edit {
	if is.Target == nil {
		return &Edit{}
	}
	if was.Target == nil || was.Target.frame() != is.Target.frame() || was.groupForm() != is.groupForm() {
		return &Edit{all: true}
	}
	e := &Edit{was: was.Target, is: is.Target}
	moved := was.environment != is.environment // every expression may give something else
	a, b := e.was, e.is
	e.compare(moved, pair{a.Scope, b.Scope}, pair{a.MatchRule, b.MatchRule}, pair{a.Container, b.Container}, pair{a.Name, b.Name})
	e.compare(moved, paired(a.Rules, b.Rules)...)
	e.parting(moved, &a.Lifecycle.Leave.Parting, &b.Lifecycle.Leave.Parting)
	e.parting(moved, a.Lifecycle.OutOfScope, b.Lifecycle.OutOfScope)
	if len(a.Groups) != len(b.Groups) {
		e.all = true
	} else {
		for i := range a.Groups {
			e.compare(moved, pair{a.Groups[i], b.Groups[i]})
		}
	}
	return e
}

// parting compares what becomes of accounts that are not wanted as they were; the frame tells whether both documents say so.
func (e *Edit) parting(moved bool, was, is *Parting) {
	if was != nil && is != nil {
		e.compare(moved, pair{was.Container, is.Container})
		e.compare(moved, paired(was.Rules, is.Rules)...)
	}
}

// groupForm gives the form of what a document wants of groups: it is edited
// rarely, and what it makes of groups touches whoever is in them.
func (s *System) groupForm() string {
	if s.GroupTarget == nil {
		return ""
	}
	return s.GroupTarget.form() + s.environment
}

// form gives the text of a rule that may be absent.
func (r *Rule) form() string {
	if r == nil {
		return ""
	}
	return r.text
}

// paired finds for each rule the one of the same attribute. A rule that is no
// more wants nothing of anybody.
func paired(was, is []*Rule) []pair {
	pairs := make([]pair, 0, len(is))
	for _, r := range is {
		i := slices.IndexFunc(was, func(w *Rule) bool { return strings.EqualFold(w.Attribute, r.Attribute) })
		if i < 0 {
			pairs = append(pairs, pair{nil, r})
		} else {
			pairs = append(pairs, pair{was[i], r})
		}
	}
	for _, w := range was { // its names are nobody's any more
		if w.Unique() && !slices.ContainsFunc(is, func(r *Rule) bool { return strings.EqualFold(w.Attribute, r.Attribute) }) {
			pairs = append(pairs, pair{w, nil})
		}
	}
	return pairs
}

// compare keeps the pairs whose outcome must be looked at.
func (e *Edit) compare(moved bool, pairs ...pair) {
	for _, p := range pairs {
		switch {
		case p.was == nil && p.is == nil:
		case p.was == nil && p.is.Apply == OnCreate:
		case p.is == nil || p.was == nil && (p.is.Unique() || p.is == e.is.Scope || !slices.Contains(e.is.Rules, p.is)):
			e.all = true
		case p.was == nil:
			e.keep(p)
		case p.was.Apply != p.is.Apply || p.was.Keep != p.is.Keep || p.was.KeepEmpty != p.is.KeepEmpty || p.was.Exact != p.is.Exact || p.was.Person != p.is.Person ||
			p.was.Unique() != p.is.Unique() || p.was.CoolOff != p.is.CoolOff || p.was.Drift != p.is.Drift ||
			p.was.Make != p.is.Make || p.was.Directory != p.is.Directory || p.was.Display.form() != p.is.Display.form():
			e.all = true
		case p.is.Apply == OnCreate: // whoever has an account keeps what it has
		case moved || p.was.text != p.is.text:
			e.keep(p)
		}
	}
}

// keep keeps a pair, unless its outcome depends on the account, which is not looked at.
func (e *Edit) keep(p pair) {
	for _, r := range []*Rule{p.was, p.is} {
		if r == nil {
			continue
		}
		e.all = e.all || r.groups || r.random || slices.ContainsFunc(r.reads, func(v *variable) bool { return strings.HasPrefix(v.path, accountPrefix) })
	}
	e.pairs = append(e.pairs, p)
}

// Everybody tells whether anybody may be touched, whatever is known of them.
func (e *Edit) Everybody() bool { return e.all }

// Nobody tells whether nobody is touched, whatever is known of them.
func (e *Edit) Nobody() bool { return !e.all && len(e.pairs) == 0 }

// Reads gives the paths of a person's attributes that the outcome of Touches depends on.
func (e *Edit) Reads() []string {
	var paths []string
	for _, p := range e.pairs {
		for _, r := range []*Rule{p.was, p.is} {
			if r == nil {
				continue
			}
			for _, v := range r.reads {
				if !slices.Contains(paths, v.path) {
					paths = append(paths, v.path)
				}
			}
		}
	}
	return paths
}

// Touches tells whether what is wanted of the person's account at an instant, or
// when that changes by itself, may be other than it was.
func (e *Edit) Touches(p directory.Person, now time.Time) bool {
	if e.all || len(e.pairs) == 0 {
		return e.all
	}
	was, is := e.was.View(p, now), e.is.View(p, now)
	defer was.Close()
	defer is.Close()
	for _, pair := range e.pairs {
		after, err := is.Eval(pair.is)
		if err != nil {
			return true
		}
		if pair.was == nil {
			if !after.Empty() || after.Known && !pair.is.KeepEmpty {
				return true
			}
			continue
		}
		before, err := was.Eval(pair.was)
		if err != nil || !before.equal(after) {
			return true
		}
	}
	return !slices.Equal(was.machine.clock.next, is.machine.clock.next)
}

func (v Value) equal(w Value) bool {
	if v.Empty() || w.Empty() {
		return v.Empty() && w.Empty() && v.Known == w.Known
	}
	return v.one == w.one && slices.Equal(v.list, w.list)
}

// SameReading tells whether what a read by one document found is all that
// another one needs: the same of the same system, and no attribute more.
func SameReading(before, after *System) bool {
	return before.Site == after.Site && before.Connector == after.Connector && string(before.Settings) == string(after.Settings) &&
		slices.Equal(before.Classes(), after.Classes()) && len(Unread(before, after)) == 0
}

// SameIdentity tells whether two documents find the same people for accounts
// and speak for the same names.
func SameIdentity(a, b *System) bool { return a.identityForm() == b.identityForm() }

func (s *System) identityForm() string {
	f := form{}
	for _, t := range []*Target{s.Target, s.GroupTarget} {
		if t == nil {
			f.add("none")
			continue
		}
		f.add("target", t.Class, t.WriteBack, t.BothWays, t.Match, t.MemberOf, t.EnabledAttribute, t.Owns)
		for _, r := range t.Rules {
			if r.Unique() {
				f.add(r.Attribute, r.CoolOff)
			}
		}
	}
	return f.String()
}

// An EditOfSource says of which records a change of a source's document makes something else.
type EditOfSource struct {
	was, is *Source
	all     bool
	none    bool
}

// EditOfRecords compares the source of a document with that of the one that takes its place.
func EditOfRecords(was, is *System) *EditOfSource {
	switch {
	case SameSource(was, is):
		return &EditOfSource{none: true}
	case was.Source == nil || is.Source == nil || was.Source.frame() != is.Source.frame() || was.GroupSource.form() != is.GroupSource.form():
		return &EditOfSource{all: true}
	}
	return &EditOfSource{was: was.Source, is: is.Source}
}

// frame gives the form of what a source makes of every record, whatever its rules say.
func (s *Source) frame() string {
	f := form{}
	f.add("source", s.Class, s.Joins, s.OfAccounts, s.SameAs, s.Precedence, s.key != nil)
	for _, r := range s.rules {
		f.add(r.path, r.kind, r.precedence)
	}
	return f.String()
}

// Nothing tells whether the same is made of every record.
func (e *EditOfSource) Nothing() bool { return e.none }

// Touches tells whether something else may be made of a record than was: also
// where it could not be taken.
func (e *EditOfSource) Touches(object []byte) bool {
	if e.all || e.none {
		return e.all
	}
	was, err1 := e.was.Read(object)
	is, err2 := e.is.Read(object)
	return err1 != nil || err2 != nil || was.Key != is.Key || was.SameAs != is.SameAs || len(is.Attributes.Changes(was.Attributes)) > 0
}
