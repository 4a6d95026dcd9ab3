package mapping

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A document is a YAML document being read. Reading goes on after a fault, so
// that all are found at once.
type document struct {
	file   string
	base   int // lines of the file before the document
	faults Faults
}

// A key is what a mapping may hold under one name.
type key struct {
	required bool
	read     func(ast.Node)
}

func (d *document) fault(n ast.Node, hint, format string, args ...any) {
	p := position(n)
	d.faults = append(d.faults, Fault{File: d.file, Line: d.base + p.Line, Column: p.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func position(n ast.Node) token.Position {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return *t.Position
	}
	return token.Position{Line: 1}
}

// parse gives the root of the document.
func (d *document) parse(text []byte) ast.Node {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		fault := Fault{File: d.file, Message: err.Error(), Hint: "this is no YAML; mind the indentation, and quote expressions that hold a colon, # or quotes"}
		var at yaml.Error
		if errors.As(err, &at) {
			fault.Message = at.GetMessage()
			if t := at.GetToken(); t != nil {
				fault.Line, fault.Column = d.base+t.Position.Line, t.Position.Column
			}
		}
		d.faults = append(d.faults, fault)
		return nil
	}
	for _, doc := range f.Docs {
		if doc.Body != nil {
			if _, comment := doc.Body.(*ast.CommentGroupNode); !comment {
				return doc.Body
			}
		}
	}
	d.faults = append(d.faults, Fault{File: d.file, Line: d.base + 1, Message: "the document is empty", Hint: "begin with system: and a name"})
	return nil
}

// mapping reads n by its keys.
func (d *document) mapping(n ast.Node, what string, keys map[string]key) {
	seen := map[string]bool{}
	d.pairs(n, what, func(name string, k, v ast.Node) {
		seen[name] = true
		if known, ok := keys[name]; ok {
			known.read(v)
			return
		}
		names := slices.Sorted(maps.Keys(keys))
		hint := suggest(name, names)
		if hint == "" {
			hint = "there are " + strings.Join(names, ", ")
		}
		d.fault(k, hint, "%s has no key %s", what, name)
	})
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if keys[name].required && !seen[name] {
			d.fault(n, "", "%s lacks the key %s", what, name)
		}
	}
}

// pairs calls visit for each pair of a mapping.
func (d *document) pairs(n ast.Node, what string, visit func(name string, k, v ast.Node)) {
	var list []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		list = n.Values
	case *ast.MappingValueNode:
		list = []*ast.MappingValueNode{n}
	default:
		d.fault(n, "", "%s must hold keys and values", what)
		return
	}
	for _, pair := range list {
		name, ok := d.name(pair.Key)
		if ok {
			visit(name, pair.Key, pair.Value)
		}
	}
}

func (d *document) name(k ast.MapKeyNode) (string, bool) {
	switch k := k.(type) {
	case *ast.MergeKeyNode:
		d.fault(k, "write the keys out", "merge keys are not read")
		return "", false
	case *ast.StringNode:
		return k.Value, true
	}
	return k.GetToken().Value, true
}

// scalar gives the text of a value that is no mapping and no list.
func (d *document) scalar(n ast.Node, what string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		d.fault(n, "", "%s has no value", what)
	case *ast.AnchorNode, *ast.AliasNode:
		d.fault(n, "write the value out", "anchors and aliases are not read")
	default:
		d.fault(n, "", "%s must be a single value", what)
	}
	return "", false
}

// text reads a value as it is.
func (d *document) text(what string, to *string) func(ast.Node) {
	return func(n ast.Node) {
		if s, ok := d.scalar(n, what); ok {
			*to = s
		}
	}
}

func (d *document) boolean(what string, to *bool) func(ast.Node) {
	return func(n ast.Node) {
		if b, ok := n.(*ast.BoolNode); ok {
			*to = b.Value
			return
		}
		d.fault(n, "", "%s must be true or false", what)
	}
}

func (d *document) integer(what string, least int, to *int) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := d.scalar(n, what)
		if !ok {
			return
		}
		i, err := strconv.Atoi(s)
		if err != nil || i < least {
			d.fault(n, "", "%s must be a whole number, %d or more", what, least)
			return
		}
		*to = i
	}
}

// one reads one word of several.
func (d *document) one(what string, words []string, to func(i int)) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := d.scalar(n, what)
		if !ok {
			return
		}
		i := slices.Index(words, s)
		if i < 0 {
			hint := suggest(s, words)
			if hint == "" {
				hint = "there are " + strings.Join(words, ", ")
			}
			d.fault(n, hint, "%s cannot be %s", what, s)
			return
		}
		to(i)
	}
}

func (d *document) duration(what string, to *time.Duration) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := d.scalar(n, what)
		if !ok {
			return
		}
		span, err := parseSpan(s)
		if err != nil || span <= 0 {
			d.fault(n, `write it like "15m", "24h" or "7d"`, "%s is no span of time: %s", what, s)
			return
		}
		*to = span
	}
}

// parseSpan reads a span such as 15m, 36h, 7d or 2w.
func parseSpan(s string) (time.Duration, error) {
	for unit, hours := range map[string]int{"d": 24, "w": 7 * 24} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			i, err := strconv.Atoi(n)
			return time.Duration(i*hours) * time.Hour, err
		}
	}
	return time.ParseDuration(s)
}

// share reads "20%", and count where it is a number.
func (d *document) limit(what string, to func(Limit)) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := d.scalar(n, what)
		if !ok {
			return
		}
		if s == "none" {
			to(Limit{None: true})
			return
		}
		s, number, both := strings.Cut(s, ",")
		most, err := strconv.Atoi(strings.TrimSpace(number))
		if both && (err != nil || most < 1 || !strings.HasSuffix(s, "%")) {
			d.fault(n, `write a share and the most that may go, such as "10%, 200"`, "%s is no limit: %s,%s", what, s, number)
			return
		}
		number, percent := strings.CutSuffix(s, "%")
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		switch {
		case err != nil || f < 0 || percent && f > 100 || !percent && f != float64(int(f)):
			d.fault(n, `write a share such as "10%", a number such as 5, or "none"`, "%s is no limit: %s", what, s)
		case percent && f == 0:
			to(Limit{})
		case percent:
			to(Limit{Share: f / 100, Count: min(5, cmp.Or(most, 5)), Most: most})
		default:
			to(Limit{Count: int(f)})
		}
	}
}

// list reads a sequence.
func (d *document) list(what string, item func(ast.Node)) func(ast.Node) {
	return func(n ast.Node) {
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fault(n, "begin each with -", "%s must be a list", what)
			return
		}
		for _, v := range seq.Values {
			item(v)
		}
	}
}

// json gives a value as JSON.
func (d *document) json(n ast.Node) json.RawMessage {
	var v any
	if err := yaml.NodeToValue(n, &v); err != nil {
		d.fault(n, "", "settings cannot be read: %s", err)
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		d.fault(n, "use texts as keys", "settings are no JSON object")
		return nil
	}
	return b
}

// expressionAt gives the text of an expression and where it begins.
func (d *document) expressionAt(n ast.Node, what string) (text string, line, column int, ok bool) {
	text, ok = d.scalar(n, what)
	if !ok {
		return
	}
	if strings.TrimSpace(text) == "" {
		d.fault(n, "", "%s is empty", what)
		return text, 0, 0, false
	}
	p := position(n)
	line, column = d.base+p.Line, p.Column
	switch n := n.(type) {
	case *ast.LiteralNode:
		line, column = line+1, 0
	case *ast.StringNode:
		if t := n.Token.Type; t == token.SingleQuoteType || t == token.DoubleQuoteType {
			column++
		}
	}
	return text, line, column, true
}

// places adds what is wrong with an expression.
func (d *document) places(n ast.Node, text string, line, column int, places []place) {
	for _, p := range places {
		before := []rune(text)[:min(p.at, len([]rune(text)))]
		row := strings.Count(string(before), "\n")
		from := 0
		if i := strings.LastIndexByte(string(before), '\n'); i >= 0 {
			from = len([]rune(string(before)[:i+1]))
		}
		at := len(before) - from
		f := Fault{File: d.file, Line: line + row, Message: p.message, Hint: p.hint}
		if row == 0 && column > 0 {
			f.Column = column + at + escapes(n, before)
		}
		shown := strings.Split(text, "\n")[row]
		f.Snippet = "    " + shown + "\n    " + strings.Repeat(" ", at) + "^"
		d.faults = append(d.faults, f)
	}
}

// escapes counts the characters that YAML's quotes put before a place.
func escapes(n ast.Node, before []rune) (extra int) {
	str, ok := n.(*ast.StringNode)
	if !ok {
		return 0
	}
	for _, r := range before {
		if str.Token.Type == token.SingleQuoteType && r == '\'' || str.Token.Type == token.DoubleQuoteType && (r == '"' || r == '\\') {
			extra++
		}
	}
	return extra
}

// result gives the faults in order of place; nil where there are none.
func (d *document) result() error {
	if len(d.faults) == 0 {
		return nil
	}
	sort.SliceStable(d.faults, func(i, j int) bool {
		a, b := d.faults[i], d.faults[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return d.faults
}
