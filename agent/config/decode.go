package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A decoder fills a struct from YAML and collects faults. It knows structs,
// slices, maps, numbers, true or false, and text, which is all that agent.yaml needs.
type decoder struct {
	file   string
	faults Faults
	broken bool            // the text is no YAML: do not look for what is missing
	places map[string]pos  // of every value, by its path such as "log.level"
	unread map[string]bool // paths whose value is of another kind: that was said
}

type pos struct{ line, column int }

// A Document is YAML that was decoded strictly into a struct, with the place of
// everything in it. agent.yaml is one, and so is the guardrail (agent/guard).
type Document struct{ *decoder }

// Decode fills the struct that into points to from text, calling it name in
// faults. Only fields with a yaml tag are filled: structs, slices, maps by text,
// whole numbers and text.
func Decode(name string, text []byte, into any) *Document {
	return &Document{decode(name, text, into)}
}

// Broken says that the text is no YAML, or no mapping: do not look for what is missing.
func (d *Document) Broken() bool { return d.broken }

// Line returns the line of the value at a path such as "log.level", 0 if it is not there.
func (d *Document) Line(path string) int { return d.places[path].line }

// FaultAt adds a fault of the value at path, or of where it should be.
func (d *Document) FaultAt(path, format string, args ...any) { d.faultAt(path, format, args...) }

// Err returns [Faults], in the order of lines, or nil.
func (d *Document) Err() error { return d.err() }

func (d *decoder) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.faults
}

// decode fills what into points to from text.
func decode(file string, text []byte, into any) *decoder {
	d := &decoder{file: file, places: make(map[string]pos), unread: make(map[string]bool)}
	tree, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.broken = true
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			at := syntax.Token.Position
			d.add(pos{at.Line, at.Column}, "%s", syntax.Message)
		} else {
			d.add(pos{}, "%v", err)
		}
		return d
	}
	var docs []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			docs = append(docs, doc.Body)
		}
	}
	if len(docs) > 1 {
		d.add(place(docs[1]), "a second document: one file holds one configuration")
	}
	if len(docs) > 0 {
		d.value("", docs[0], reflect.ValueOf(into).Elem())
	}
	return d
}

func (d *decoder) value(path string, node ast.Node, into reflect.Value) {
	d.places[path] = place(node)
	switch into.Kind() {
	case reflect.Struct:
		d.object(path, node, into)
	case reflect.Slice:
		d.list(path, node, into)
	case reflect.Map:
		d.table(path, node, into)
	case reflect.Bool:
		d.yesOrNo(path, node, into)
	case reflect.Int:
		d.number(path, node, into)
	default:
		d.text(path, node, into)
	}
}

func (d *decoder) object(path string, node ast.Node, into reflect.Value) {
	d.members(path, node, func(key string, at pos, value ast.Node) {
		if field, known := fieldOf(into, key); known {
			d.value(join(path, key), value, field)
		} else {
			d.add(at, "unknown key %q%s", join(path, key), hint(key, into.Type()))
		}
	})
}

// table fills a map, whose keys are names that the admin chose.
func (d *decoder) table(path string, node ast.Node, into reflect.Value) {
	into.Set(reflect.MakeMap(into.Type()))
	d.members(path, node, func(key string, _ pos, value ast.Node) {
		item := reflect.New(into.Type().Elem()).Elem()
		d.value(join(path, key), value, item)
		if !d.unread[join(path, key)] {
			into.SetMapIndex(reflect.ValueOf(key), item)
		}
	})
}

// members calls each for every key of a mapping, once.
func (d *decoder) members(path string, node ast.Node, each func(key string, at pos, value ast.Node)) {
	var members []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		members = n.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return
	default:
		d.add(place(node), "%s must be keys with values, not %s", what(path), kind(node))
		d.broken = d.broken || path == ""
		return
	}
	seen := make(map[string]int)
	for _, m := range members {
		key := m.Key.GetToken().Value
		at := place(m.Key)
		if line, twice := seen[key]; twice {
			d.add(at, "key %q is there twice, first in line %d", key, line)
			continue
		}
		seen[key] = at.line
		each(key, at, m.Value)
	}
}

func (d *decoder) list(path string, node ast.Node, into reflect.Value) {
	switch n := node.(type) {
	case *ast.SequenceNode:
		into.Set(reflect.MakeSlice(into.Type(), len(n.Values), len(n.Values)))
		for i, v := range n.Values {
			d.value(fmt.Sprintf("%s[%d]", path, i), v, into.Index(i))
		}
	case *ast.NullNode:
	default:
		d.unread[path] = true
		d.add(place(node), "%s must be a list, not %s", what(path), kind(node))
	}
}

func (d *decoder) number(path string, node ast.Node, into reflect.Value) {
	if n, isNumber := node.(*ast.IntegerNode); isNumber {
		if value, err := strconv.ParseInt(n.GetToken().Value, 10, 32); err == nil {
			into.SetInt(value)
			return
		}
	}
	d.unread[path] = true
	d.add(place(node), "%s must be a whole number, not %s", what(path), kind(node))
}

func (d *decoder) yesOrNo(path string, node ast.Node, into reflect.Value) {
	if n, is := node.(*ast.BoolNode); is {
		into.SetBool(n.Value)
		return
	}
	d.unread[path] = true
	d.add(place(node), "%s must be true or false, not %s", what(path), kind(node))
}

func (d *decoder) text(path string, node ast.Node, into reflect.Value) {
	switch n := node.(type) {
	case *ast.StringNode:
		into.SetString(n.Value)
	case *ast.LiteralNode:
		into.SetString(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode: // a hash of digits alone is a number to YAML
		into.SetString(node.GetToken().Value)
	case *ast.NullNode:
	default:
		d.unread[path] = true
		d.add(place(node), "%s must be text, not %s", what(path), kind(node))
	}
}

// faultAt adds a fault of the value at path, or where it should be.
func (d *decoder) faultAt(path, format string, args ...any) {
	if d.unread[path] {
		return
	}
	for at := path; ; {
		if p, ok := d.places[at]; ok || at == "" {
			d.add(p, path+" "+format, args...)
			return
		}
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
}

func (d *decoder) add(at pos, format string, args ...any) {
	d.faults = append(d.faults, Fault{File: d.file, Line: at.line, Column: at.column, Text: fmt.Sprintf(format, args...)})
}

func place(node ast.Node) pos {
	if m, ok := node.(*ast.MappingValueNode); ok {
		node = m.Key
	}
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	at := node.GetToken().Position
	return pos{at.Line, at.Column}
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if key != "" && v.Type().Field(i).Tag.Get("yaml") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func what(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func kind(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias"
	}
	return fmt.Sprintf("%q", node.String())
}

// hint names the key that was probably meant, or all there are.
func hint(key string, t reflect.Type) string {
	var keys []string
	best, least := "", max(2, len(key)/3)+1
	for i := range t.NumField() {
		known := t.Field(i).Tag.Get("yaml")
		if known == "" {
			continue
		}
		keys = append(keys, known)
		if n := distance(strings.ToLower(key), known); n < least {
			best, least = known, n
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; known here: " + strings.Join(keys, ", ")
}

// distance is how many letters must be put in, left out or replaced (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
