package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// scope is that of a side of the document.
func (b *builder) scope() *scope {
	return &scope{kind: b.kind, paths: b.paths, defaultDomain: b.defaultDomain, tables: b.tables, functions: functions(b.zone)}
}

// kind gives the type of a person's attribute, 0 where there is none.
func (b *builder) kind(path string) directory.Kind {
	if k, ok := b.extension[path]; ok {
		return k
	}
	return directory.KindAt(path)
}

func (b *builder) paths() []string {
	return slices.AppendSeq(directory.Paths(), maps.Keys(b.extension))
}

// targetScope is that of a target: the person's attributes, and as
// account.mail what is or becomes of an attribute that is chosen by
// firstUnique. Those are found beforehand, so that rules may stand in any order.
func (b *builder) targetScope(n ast.Node, unique map[string]bool) *scope {
	s := b.scope()
	if m, ok := n.(*ast.MappingNode); ok {
		for _, pair := range m.Values {
			if pair.Key.GetToken().Value == "attributes" {
				uniqueRules(pair.Value, unique)
			}
		}
	}
	s.kind = func(path string) directory.Kind {
		if name, ok := strings.CutPrefix(path, accountPrefix); ok && (unique[name] || name == Container) {
			return directory.Text
		}
		return b.kind(path)
	}
	s.paths = func() []string {
		paths := b.paths()
		for name := range unique {
			paths = append(paths, accountPrefix+name)
		}
		return paths
	}
	return s
}

// uniqueRules notes the attributes whose rule begins with firstUnique.
func uniqueRules(n ast.Node, unique map[string]bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return
	}
	for _, pair := range m.Values {
		value := pair.Value
		if shape, ok := value.(*ast.MappingNode); ok {
			for _, p := range shape.Values {
				if p.Key.GetToken().Value == "value" {
					value = p.Value
				}
			}
		}
		if v, ok := value.(ast.ScalarNode); ok {
			if text, ok := v.GetValue().(string); ok && givesCandidates(text) {
				unique[pair.Key.GetToken().Value] = true
			}
		}
	}
}

// givesCandidates tells whether the expression chooses among names.
func givesCandidates(text string) bool {
	text = strings.TrimSpace(text)
	for _, name := range []string{"firstUnique", "SelectUniqueValue", "unique"} {
		if len(text) > len(name) && strings.EqualFold(text[:len(name)], name) && strings.HasPrefix(strings.TrimSpace(text[len(name):]), "(") {
			return true
		}
	}
	return false
}

// target reads the target of a document.
func (b *builder) target(n ast.Node) {
	unique := map[string]bool{}
	t := &Target{scope: b.targetScope(n, unique), thresholds: map[string]Limit{}, Lifecycle: Lifecycle{
		Leave: Leave{At: Moment{From: FromEnd}, Parting: Parting{Disable: true}},
	}, EnabledAttribute: "enabled"}
	b.sys.Target, b.building = t, t
	var group ast.Node
	b.mapping(n, "target", map[string]key{
		"class":           {true, b.text("class", &t.Class)},
		"scope":           {false, func(n ast.Node) { t.Scope = b.rule("scope", n, directory.Boolean) }},
		"match":           {false, func(n ast.Node) { b.match(t, n) }},
		"container":       {false, func(n ast.Node) { t.Container = b.rule("container", n, directory.Text) }},
		"make_containers": {false, b.boolean("make_containers", &t.MakeContainers)},
		"name":            {false, func(n ast.Node) { t.Name = b.name(n) }},
		"attributes":      {true, func(n ast.Node) { t.Rules = b.rules(n, "attributes") }},
		"groups":          {false, b.list("groups", func(n ast.Node) { b.groupRule(t, n) })},
		"group":           {false, func(n ast.Node) { group = n }},
		"password":        {false, func(n ast.Node) { b.password(t, n) }},
		"lifecycle":       {false, func(n ast.Node) { b.lifecycle(t, n) }},
		"thresholds":      {false, func(n ast.Node) { b.thresholds(t, n) }},
		"both_ways":       {false, b.boolean("both_ways", &t.BothWays)},
		"mode":            {false, b.one("mode", []string{"apply", "preview"}, func(i int) { t.Preview = i == 1 })},
	})
	b.written(n, t)
	b.reserved(t)
	b.steady(t)
	b.groupTarget(group)
	if t.WriteBack {
		t.EnabledAttribute = ""
		t.Lifecycle = Lifecycle{}
		return
	}
	outside := t.Lifecycle.OutOfScope
	if len(t.Groups) > 0 || t.Lifecycle.Leave.Groups != KeepGroups || outside != nil && outside.Groups != KeepGroups || t.asksGroups() {
		t.MemberOf = MemberOf
	}
}

// written tells whether the target writes back to the records of the source,
// and refuses what has no place there: such a target only changes rows that the
// source's people have.
func (b *builder) written(n ast.Node, t *Target) {
	named := func(key string) ast.Node {
		if m, ok := n.(*ast.MappingNode); ok {
			for _, pair := range m.Values {
				if pair.Key.GetToken().Value == key {
					return pair.Key
				}
			}
		}
		return nil
	}
	s := b.sys.Source
	t.WriteBack = s != nil && !s.Joins && strings.EqualFold(s.Class, t.Class) && !t.BothWays
	if t.BothWays {
		if s == nil || s.Joins || !strings.EqualFold(s.Class, t.Class) {
			b.fault(named("both_ways"), "leave it out", "both_ways is for a system whose source makes people of the same class")
			t.BothWays = false
		}
		if k := named("match"); k != nil {
			b.fault(k, "leave it out; same_as in the source recognises whoever is there already", "where people go both ways, every object is a record or ours: match has no place")
		}
	}
	if !t.WriteBack {
		if named("name") == nil {
			b.fault(n, "", "target lacks the key name")
		}
		return
	}
	for _, key := range []string{"match", "container", "make_containers", "name", "groups", "password", "lifecycle", "group"} {
		if k := named(key); k != nil {
			b.fault(k, "leave it out; scope, attributes and thresholds are what it has", "a target that writes back to its source's records only changes them: %s has no place", key)
		}
	}
	for _, r := range t.Rules {
		if r.copies != nil || r.Person {
			continue
		}
		for _, v := range r.reads {
			i := slices.IndexFunc(s.rules, func(sr sourceRule) bool { return sr.path == v.path })
			if i >= 0 && slices.ContainsFunc(s.rules[i].reads, func(c *variable) bool { return strings.EqualFold(c.path, r.Attribute) }) {
				f := r.key
				f.Message, f.Hint = fmt.Sprintf("%s would feed on itself: the source fills %s from it", r.Attribute, v.path),
					"copy the attribute as it is, or change it in the source's rule"
				b.faults = append(b.faults, f)
			}
		}
	}
}

// reserved refuses rules for what other keys of the target decide.
func (b *builder) reserved(t *Target) {
	keys := map[string]string{"enabled": "lifecycle", "memberof": "groups", "unicodepwd": "password"}
	if t.WriteBack {
		keys = nil
	} else if t.Name != nil {
		keys[strings.ToLower(t.Name.Attribute)] = "name"
	} else {
		keys["cn"] = "name"
	}
	for _, r := range slices.Concat(t.Rules, t.Lifecycle.partings()) {
		if by, ok := keys[strings.ToLower(r.Attribute)]; ok {
			f := r.key
			f.Message, f.Hint = r.Attribute+" has no rule of its own", "it comes of the key "+by
			b.faults = append(b.faults, f)
		}
	}
}

// steady refuses rules that give another value each time wherever the value is
// looked at more than once.
func (b *builder) steady(t *Target) {
	rules := slices.Concat([]*Rule{t.Scope, t.MatchRule, t.Container, t.Name}, t.Groups, t.Lifecycle.Leave.parting(), t.Lifecycle.OutOfScope.parting())
	for _, r := range t.Rules {
		if r.Apply != OnCreate {
			rules = append(rules, r)
		}
	}
	for _, r := range rules {
		if r != nil && r.random {
			f := r.key
			f.Message, f.Hint = r.Attribute+" would get another value each time", "random values are for rules with apply: create"
			b.faults = append(b.faults, f)
		}
	}
}

// recipientName is how a recipient may be called.
var recipientName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._@-]{0,99}$`)

// IsRecipientName tells whether a recipient can be registered by a name.
func IsRecipientName(name string) bool {
	return recipientName.MatchString(name) && !strings.HasPrefix(strings.ToLower(name), "age1")
}

func (b *builder) password(t *Target, n ast.Node) {
	t.Password = &Password{Length: 20, ChangeAtSignIn: true}
	b.mapping(n, "password", map[string]key{
		"length": {false, b.integer("length", 12, &t.Password.Length)},
		"recipients": {false, b.list("recipients", func(n ast.Node) {
			if s, ok := b.scalar(n, "a recipient"); ok {
				switch {
				case strings.HasPrefix(strings.ToUpper(s), "AGE-SECRET") || strings.HasPrefix(s, "age1"):
					if err := sealed.CheckRecipient(s); err != nil {
						b.fault(n, "make one with drawbridge recipient keygen FILE", "recipients: %v", err)
					}
				case !recipientName.MatchString(s):
					b.fault(n, "manager, a name given with drawbridge recipient add NAME KEY, or a key (age1…)", "a recipient cannot be named so")
				}
				t.Password.Recipients = append(t.Password.Recipients, s)
			}
		})},
		"change_at_sign_in": {false, b.boolean("change_at_sign_in", &t.Password.ChangeAtSignIn)},
	})
}

func (b *builder) thresholds(t *Target, n ast.Node) {
	keys := map[string]key{}
	for class := range thresholds {
		keys[class] = key{false, b.limit(class, func(l Limit) { t.thresholds[class] = l })}
	}
	keys["window"] = key{false, func(n ast.Node) {
		s, ok := b.scalar(n, "window")
		if span, err := parseSpan(s); !ok || err != nil || span < time.Minute || span > 7*24*time.Hour {
			b.fault(n, "write it like 1h or 2d", "window is no time between 1m and 7d: %s", s)
		} else {
			t.Window = span
		}
	}}
	b.mapping(n, "thresholds", keys)
}

// String gives the limit as documents write it.
func (l Limit) String() string {
	switch {
	case l.None:
		return "none"
	case l.Share > 0:
		share := strconv.FormatFloat(l.Share*100, 'f', -1, 64) + "%"
		if l.Most > 0 {
			share += ", " + strconv.Itoa(l.Most)
		}
		return share
	}
	return strconv.Itoa(l.Count)
}
