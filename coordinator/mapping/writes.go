package mapping

import (
	"regexp"
	"slices"
	"strings"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// literal is a text within an expression.
var literal = regexp.MustCompile("\"([^\"]*)\"|'([^']*)'")

// placeOfLiteral finds the part of a literal from which on it is a distinguished name.
var placeOfLiteral = regexp.MustCompile(`(?i)(?:^|,\s*)((?:OU|CN|DC)=.*DC=[^,]+)$`)

// unitClass is the class of the containers that are made.
const unitClass = "organizationalUnit"

// Writes gives what operations by this document need at the system, one for
// each container that its texts name; with no container where they name none.
// It says what may be written, not what will be.
func (s *System) Writes() []*connectorv1.Access {
	t := s.Target
	if t == nil {
		return nil
	}
	var verbs []string
	if !t.WriteBack {
		verbs = append(verbs, "create")
	}
	var attributes []string
	for _, r := range slices.Concat(t.Rules, t.Lifecycle.partings()) {
		attributes = append(attributes, r.Attribute)
	}
	slices.Sort(attributes)
	attributes = slices.Compact(attributes)
	l, outside := t.Lifecycle, Parting{}
	if l.OutOfScope != nil {
		outside = *l.OutOfScope
	}
	for verb, wanted := range map[string]bool{
		"modify": len(attributes) > 0, "move": t.Container != nil || l.Leave.Container != nil || outside.Container != nil,
		"enable": t.EnabledAttribute != "", "disable": t.EnabledAttribute != "" && (l.Leave.Disable || outside.Disable),
		"password": t.Password != nil, "delete": l.Deletes(),
	} {
		if wanted {
			verbs = append(verbs, verb)
		}
	}
	slices.Sort(verbs)
	var all []*connectorv1.Access
	for _, container := range containersOf(t.Container, l.Leave.Container, outside.Container) {
		all = append(all, &connectorv1.Access{Class: t.Class, Container: container, Verbs: verbs, Attributes: attributes})
		if t.MakeContainers {
			all = append(all, &connectorv1.Access{Class: unitClass, Container: container, Verbs: []string{"create"}})
		}
	}
	if s.groups != nil && s.groups.Target != nil {
		all = append(all, s.groups.Writes()...)
	}
	if len(t.Groups) > 0 {
		all = append(all, &connectorv1.Access{Class: groupClass, Verbs: []string{"membership"}})
	}
	return all
}

// containersOf gives the containers that rules name as texts, without those
// that lie in another of them; one that is "" where there are none.
func containersOf(rules ...*Rule) []string {
	var found []string
	for _, r := range rules {
		if r == nil {
			continue
		}
		for _, m := range literal.FindAllStringSubmatch(r.Text(), -1) {
			if at := placeOfLiteral.FindStringSubmatch(m[1] + m[2]); at != nil {
				found = append(found, at[1])
			}
		}
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) })
	var top []string
	for _, c := range found {
		if !slices.ContainsFunc(top, func(t string) bool {
			return strings.EqualFold(c, t) || strings.HasSuffix(strings.ToLower(c), ","+strings.ToLower(t))
		}) {
			top = append(top, c)
		}
	}
	if len(top) == 0 {
		return []string{""}
	}
	return top
}
