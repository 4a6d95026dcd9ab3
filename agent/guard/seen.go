package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// mostSeen bounds each list of what was seen of a system.
const mostSeen = 2000

// seen is what jobs have asked of a system: names, no values.
type seen struct {
	Connector  string                     `json:"connector"`
	Since      time.Time                  `json:"since"`
	Verbs      map[string]bool            `json:"verbs"`
	Classes    map[string]bool            `json:"classes"`
	Into       map[string]bool            `json:"into"`       // containers that objects were put into
	Places     map[string]bool            `json:"places"`     // containers of objects that were touched
	Attributes map[string]map[string]bool `json:"attributes"` // by create and modify, as spelled
	Groups     map[string]bool            `json:"groups"`
	Recipients map[string]bool            `json:"recipients"`
	Peaks      map[string]*[2]int64       `json:"peaks"` // by verb: in an hour, in a day
}

func newSeen() *seen {
	return &seen{
		Verbs: map[string]bool{}, Classes: map[string]bool{}, Into: map[string]bool{}, Places: map[string]bool{},
		Attributes: map[string]map[string]bool{"create": {}, "modify": {}}, Groups: map[string]bool{}, Recipients: map[string]bool{}, Peaks: map[string]*[2]int64{},
	}
}

// of returns what was seen of a system. j.mu is held.
func (j *journal) of(system string) *seen {
	if j.seen[system] == nil {
		j.seen[system] = newSeen()
	}
	return j.seen[system]
}

// note adds to a list what is new.
func (j *journal) note(system string, list map[string]bool, what string) {
	if what != "" && !list[what] && len(list) < mostSeen {
		list[strings.Clone(what)] = true
		j.dirty[system] = true
	}
}

// saw notes what a job asks for, allowed or not.
func (j *journal) saw(system, connector string, op *connectorv1.Operation, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(system)
	if s.Connector != connector {
		s.Connector, s.Since = connector, now
		j.dirty[system] = true
	}
	verb, _ := verbOf(op)
	j.note(system, s.Verbs, verb)
	j.note(system, s.Classes, op.GetClass())
	var rule *connectorv1.PasswordRule
	switch v := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		rule = v.Create.GetPassword()
		j.note(system, s.Into, v.Create.GetContainer())
		for _, a := range v.Create.GetAttributes() {
			j.note(system, s.Attributes["create"], a.GetName())
		}
	case *connectorv1.Operation_Modify:
		for _, c := range v.Modify.GetChanges() {
			j.note(system, s.Attributes["modify"], c.GetName())
		}
	case *connectorv1.Operation_Move:
		j.note(system, s.Into, v.Move.GetContainer())
	case *connectorv1.Operation_SetPassword:
		rule = v.SetPassword.GetRule()
	}
	for _, r := range rule.GetRecipients() {
		j.note(system, s.Recipients, r)
	}
}

// sawObject notes where a touched object is, or which group was granted.
func (j *journal) sawObject(system string, o *connectorv1.Standing, group bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(system)
	if group {
		j.note(system, s.Groups, o.GetAddress())
		return
	}
	j.note(system, s.Places, containerOf(o.GetAddress()))
}

// peak notes how much was done at most. j.mu is held.
func (j *journal) peak(system, verb string, t *tally) {
	s := j.of(system)
	p := s.Peaks[verb]
	if p == nil {
		p = &[2]int64{}
		s.Peaks[verb] = p
	}
	if t.hours > p[0] || t.days > p[1] {
		p[0], p[1] = max(p[0], t.hours), max(p[1], t.days)
		j.dirty[system] = true
	}
}

// containerOf leaves the first part off a distinguished name.
func containerOf(address string) string {
	for i := 0; i < len(address); i++ {
		switch address[i] {
		case '\\':
			i++
		case ',':
			return address[i+1:]
		}
	}
	return ""
}

// Draft writes a policy that allows what was seen, and no more: for the
// domain's admin to read, cut, and put to use.
func (g *Guard) Draft() string {
	g.journal.mu.Lock()
	defer g.journal.mu.Unlock()
	var b strings.Builder
	b.WriteString("# Drafted from what jobs have asked for on this host. Read every line: what an\n# attacker asked for is in here, too. Put it to use with mode: enforce.\nmode: observe\n")
	if len(g.journal.seen) == 0 {
		b.WriteString("systems: {} # nothing was written yet\n")
		return b.String()
	}
	b.WriteString("systems:\n")
	for _, name := range slices.Sorted(maps.Keys(g.journal.seen)) {
		g.journal.seen[name].draft(&b, name)
	}
	return b.String()
}

func (s *seen) draft(b *strings.Builder, system string) {
	fmt.Fprintf(b, "  %s: # seen since %s\n    connector: %s\n", quote(system), s.Since.UTC().Format(time.DateOnly), quote(s.Connector))
	list := func(key string, of map[string]bool) {
		fmt.Fprintf(b, "    %s:%s\n", key, lines(slices.Sorted(maps.Keys(of)), "      "))
	}
	list("verbs", s.Verbs)
	list("classes", s.Classes)
	directory := s.Connector == activeDirectory
	if directory {
		places := maps.Clone(s.Places)
		maps.Copy(places, s.Into)
		fmt.Fprintf(b, "    bases:%s\n", lines(tops(slices.Collect(maps.Keys(places))), "      "))
	}
	if directory || len(s.Into) > 0 {
		fmt.Fprintf(b, "    destinations:%s\n", lines(tops(slices.Collect(maps.Keys(s.Into))), "      "))
	}
	b.WriteString("    attributes:\n")
	for _, verb := range []string{"create", "modify"} {
		fmt.Fprintf(b, "      %s:%s\n", verb, lines(slices.Sorted(maps.Keys(s.Attributes[verb])), "        "))
	}
	if directory {
		list("groups", s.Groups)
	}
	list("recipients", s.Recipients)
	if len(s.Peaks) > 0 {
		b.WriteString("    budgets: # twice the most that was done in an hour and in a day\n")
		for _, verb := range slices.Sorted(maps.Keys(s.Peaks)) {
			p := s.Peaks[verb]
			fmt.Fprintf(b, "      %s: {hour: %d, day: %d}\n", verb, 2*p[0]+10, 2*p[1]+20)
		}
	}
}

func lines(list []string, indent string) string {
	if len(list) == 0 {
		return " []"
	}
	var b strings.Builder
	for _, v := range list {
		b.WriteString("\n" + indent + "- " + quote(v))
	}
	return b.String()
}

// tops returns the containers that hold all the others; five or more in the
// same one become that.
func tops(containers []string) []string {
	for {
		slices.SortFunc(containers, func(a, b string) int { return len(a) - len(b) })
		var top []string
		for _, c := range containers {
			if !slices.ContainsFunc(top, func(t string) bool {
				base, err := parseName(t)
				return err == nil && withinAny(c, []name{base}, false)
			}) {
				top = append(top, c)
			}
		}
		children := make(map[string]int)
		joined := ""
		for _, c := range top {
			parent := containerOf(c)
			children[parent]++
			if children[parent] >= 5 && !strings.HasPrefix(strings.ToUpper(parent), "DC=") && parent != "" {
				joined = parent
			}
		}
		if joined == "" {
			slices.Sort(top)
			return top
		}
		containers = append(top, joined)
	}
}
