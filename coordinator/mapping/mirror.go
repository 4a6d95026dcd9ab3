package mapping

import (
	"slices"
	"strings"
)

// A system may be source and target of one class at once: both ways. Each of its
// objects is then either a record, whose person has their home there, or a
// mirror: the account of somebody whose home is elsewhere. A mirror is no record.
// It tells of its person one thing only: in which of the system's own groups it is.

// groupsOf is the attribute of people and groups that tells of their groups.
const groupsOf = "memberOf"

// BothWays tells whether objects of a class are records as well as accounts.
func (s *System) BothWays(class string) bool {
	t := s.TargetOf(class)
	return t != nil && t.BothWays
}

// RecordOf gives the source by which an object of a class tells of its person;
// nil where it does not. Of a mirror that is one that makes nobody.
func (s *System) RecordOf(class string, mirror bool) *Source {
	for _, src := range []*Source{s.Source, s.GroupSource} {
		if src == nil || src.Class != class {
			continue
		}
		if mirror {
			return src.mirror
		}
		return src
	}
	return nil
}

// Records gives a source's view on the system: by it, objects that are mirrors
// are taken if mirror, and records else.
func (s *System) Records(mirror bool) *System {
	if !mirror || s.Source == nil || s.Source.mirror == nil {
		return s
	}
	view := *s
	view.Source = s.Source.mirror
	return &view
}

// mirrors settles what mirrors tell.
func (s *System) mirrors() {
	for _, src := range []*Source{s.Source, s.GroupSource} {
		if src == nil || !s.BothWays(src.Class) {
			continue
		}
		src.mirror = &Source{Class: src.Class, Joins: true, OfAccounts: true, OfGroups: src.OfGroups, Precedence: src.Precedence, scope: src.scope,
			rules: slices.DeleteFunc(slices.Clone(src.rules), func(r sourceRule) bool { return !strings.EqualFold(r.path, groupsOf) })}
	}
}
