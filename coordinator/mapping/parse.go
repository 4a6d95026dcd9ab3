package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// Parse compiles one document. name is the file's, for faults; the error is
// Faults, everything wrong with it at once.
func Parse(name string, text []byte) (*System, error) { return parse(name, text, 0) }

// ParseFile compiles the documents of a file, which are separated by lines of
// "---". Lines of faults count from the start of the file.
func ParseFile(name string, file []byte) ([]*System, error) {
	var systems []*System
	var faults Faults
	var text []byte
	base, line := 0, 0
	end := func() {
		if meaningful(text) {
			s, err := parse(name, text, base)
			if more, ok := err.(Faults); ok {
				faults = append(faults, more...)
			} else {
				if slices.ContainsFunc(systems, func(o *System) bool { return o.Name == s.Name }) {
					faults = append(faults, Fault{File: name, Line: base + 1, Message: fmt.Sprintf("the file has two systems called %s", s.Name)})
				}
				systems = append(systems, s)
			}
		}
		text, base = nil, line
	}
	for l := range bytes.Lines(file) {
		line++
		if bytes.HasPrefix(l, []byte("---")) && len(bytes.TrimSpace(l[3:])) == 0 {
			end()
			continue
		}
		text = append(text, l...)
	}
	end()
	if len(faults) > 0 {
		return nil, faults
	}
	if len(systems) == 0 {
		return nil, Faults{{File: name, Message: "the file holds no document", Hint: "begin with system: and a name"}}
	}
	return systems, nil
}

// meaningful tells whether there is more than comments.
func meaningful(text []byte) bool {
	for l := range bytes.Lines(text) {
		if l = bytes.TrimSpace(l); len(l) > 0 && l[0] != '#' {
			return true
		}
	}
	return false
}

// A builder reads a document into a System.
type builder struct {
	*document
	sys  *System
	zone *time.Location
	// defaultDomain is what DefaultDomain gives.
	defaultDomain string
	extension     map[string]directory.Kind
	tables        map[string]map[string]string
	keyed         bool // the source has a key
	building      *Target
}

func parse(name string, text []byte, base int) (*System, error) {
	d := &document{file: name, base: base}
	root := d.parse(text)
	if root == nil {
		return nil, d.result()
	}
	b := &builder{
		document: d, zone: time.UTC, extension: map[string]directory.Kind{}, tables: map[string]map[string]string{},
		sys: &System{
			Settings: json.RawMessage("{}"), Read: Schedule{Every: 15 * time.Minute, FullEvery: 24 * time.Hour},
			Gate: Gate{Drop: 0.2, Rows: 5, Empty: 0.2, Distinct: 0.5}, Document: string(text), file: name,
		},
	}
	var source, target, examples ast.Node
	s := b.sys
	d.mapping(root, "the document", map[string]key{
		"system":    {true, d.text("system", &s.Name)},
		"site":      {true, d.text("site", &s.Site)},
		"connector": {true, d.text("connector", &s.Connector)},
		"settings":  {false, func(n ast.Node) { d.pairs(n, "settings", func(string, ast.Node, ast.Node) {}); s.Settings = d.json(n) }},
		"read": {false, func(n ast.Node) {
			d.mapping(n, "read", map[string]key{
				"watch":      {false, d.boolean("watch", &s.Read.Watch)},
				"every":      {false, d.duration("every", &s.Read.Every)},
				"full_every": {false, d.duration("full_every", &s.Read.FullEvery)},
			})
		}},
		"gate":           {false, b.gate},
		"time_zone":      {false, b.timeZone},
		"default_domain": {false, d.text("default_domain", &b.defaultDomain)},
		"extension":      {false, b.declare},
		"tables":         {false, b.table},
		"source":         {false, func(n ast.Node) { source = n }},
		"target":         {false, func(n ast.Node) { target = n }},
		"examples":       {false, func(n ast.Node) { examples = n }},
	})
	if s.Name != "" && strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		d.fault(root, "", "the system's name may have lower-case letters, digits, -, _ and . only: %s", s.Name)
	}
	if source == nil && target == nil {
		d.fault(root, "give it a source, a target, or both", "the system is neither source nor target")
	}
	if source != nil {
		b.source(source)
	}
	if target != nil {
		b.target(target)
	}
	b.together(source)
	if examples != nil && (source != nil || target != nil) {
		b.examples(examples)
	}
	if err := d.result(); err != nil {
		return nil, err
	}
	s.environment = environmentOf(b)
	for _, t := range []*Target{s.Target, s.GroupTarget} {
		if t != nil {
			t.System, t.Attributes = s.Name, s.Attributes()
		}
	}
	s.mirrors()
	s.ofGroups()
	return s, nil
}

func (b *builder) gate(n ast.Node) {
	g := &b.sys.Gate
	b.mapping(n, "gate", map[string]key{
		"drop":     {false, b.share("drop", &g.Drop)},
		"rows":     {false, b.integer("rows", 0, &g.Rows)},
		"empty":    {false, b.share("empty", &g.Empty)},
		"distinct": {false, b.share("distinct", &g.Distinct)},
		"reuse":    {false, b.one("reuse", []string{"hold", "pass"}, func(i int) { g.Reuse = i == 1 })},
		"ignore": {false, b.list("ignore", func(n ast.Node) {
			if name, ok := b.scalar(n, "ignore"); ok {
				g.Ignore = append(g.Ignore, name)
			}
		})},
	})
}

// share reads a share such as 20%, or none for all.
func (b *builder) share(what string, to *float64) func(ast.Node) {
	return func(n ast.Node) {
		b.limit(what, func(l Limit) {
			if l.None {
				l.Share = 1
			}
			*to = l.Share
			if l.Share == 0 && l.Count > 0 {
				b.fault(n, `write it like "20%"`, "%s must be a share", what)
			}
		})(n)
	}
}

func (b *builder) timeZone(n ast.Node) {
	name, ok := b.scalar(n, "time_zone")
	if !ok {
		return
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		b.fault(n, `write it like "Europe/Berlin"`, "no time zone is called %s", name)
		return
	}
	b.zone = zone
}

// declare reads the attributes of people that are not standard.
func (b *builder) declare(n ast.Node) {
	b.pairs(n, "extension", func(path string, k, v ast.Node) {
		name, ok := b.scalar(v, path)
		if !ok {
			return
		}
		kind, ok := directory.KindOf(name)
		switch {
		case !ok:
			b.fault(v, "there are text, boolean, integer, instant and list", "an attribute cannot be %s", name)
		case directory.KindAt(path) != 0:
			b.fault(k, "leave it out here", "%s is a standard attribute", path)
		default:
			b.extension[path] = kind
		}
	})
}

func (b *builder) table(n ast.Node) {
	b.pairs(n, "tables", func(name string, _, v ast.Node) {
		t := map[string]string{}
		b.pairs(v, "the table", func(from string, _, to ast.Node) {
			if s, ok := b.scalar(to, from); ok {
				t[strings.ToLower(strings.TrimSpace(from))] = s
			}
		})
		b.tables[name] = t
	})
}

// compile reads an expression. want is the kind of outcome, 0 for any; nil is
// given where there is a fault.
func (b *builder) compile(s *scope, n ast.Node, what string, want directory.Kind) *expression {
	text, line, column, ok := b.expressionAt(n, what)
	if !ok {
		return nil
	}
	e, places := s.compile(text, want)
	if len(places) > 0 {
		for i := range places {
			places[i].message = what + ": " + places[i].message
		}
		b.places(n, text, line, column, places)
		return nil
	}
	e.line, e.column = line, column
	for _, n := range s.notes {
		b.sys.Notes = append(b.sys.Notes, Fault{File: b.file, Line: line, Column: column, Message: what + ": " + n.message, Hint: n.hint})
	}
	return e
}
