package scim

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A change of one attribute, checked.
type change struct {
	*attribute
	expect, want []string
	labels       map[string]string // of members, by value
}

// An operation of a PATCH (RFC 7644, 3.5.2).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

// A patch collects operations in the server's dialect.
type patch struct {
	dialect    Dialect
	labels     map[string]string // of members, by value
	now        map[string]any    // the object as it is
	operations []operation
	elements   []*element     // values that are not there yet
	values     map[string]any // what is replaced, for a form without paths
}

// An element is a new value of an attribute, put together from changes of its parts.
type element struct {
	at    path.Path
	value map[string]any
}

// newPatch returns the body that makes the changes of an object that is as now.
//
// Where the server bounds the members that one request may name there are
// several bodies, to be sent one after the other.
func newPatch(d Dialect, now map[string]any, changes []change) ([][]byte, error) {
	p := &patch{dialect: d, now: now, values: map[string]any{}}
	for _, c := range changes {
		if err := p.change(c); err != nil {
			return nil, err
		}
	}
	for _, e := range p.elements {
		p.add("add", e.at.Base().String(), []any{e.value})
	}
	if len(p.values) > 0 {
		p.operations = append([]operation{{Op: p.verb("replace"), Value: p.values}}, p.operations...)
	}
	return p.bodies()
}

// bodies packs the operations into as few requests as the dialect lets.
func (p *patch) bodies() ([][]byte, error) {
	var bodies [][]byte
	for rest := p.operations; len(rest) > 0; {
		n, size := 0, 0
		for ; n < len(rest); n++ {
			values, _ := rest[n].Value.([]any)
			if size += max(1, len(values)); n > 0 && p.dialect.MemberBatch > 0 && size > p.dialect.MemberBatch {
				break
			}
		}
		body, err := json.Marshal(map[string]any{"schemas": []string{patchSchema}, "Operations": rest[:n]})
		if err != nil {
			return nil, err
		}
		bodies, rest = append(bodies, body), rest[n:]
	}
	return bodies, nil
}

func (p *patch) verb(op string) string {
	if p.dialect.Op == "title" {
		return strings.ToUpper(op[:1]) + op[1:]
	}
	return op
}

func (p *patch) add(op, at string, value any) {
	p.operations = append(p.operations, operation{Op: p.verb(op), Path: at, Value: value})
}

func (p *patch) replace(at string, value any) {
	if p.dialect.Form == "values" {
		p.values[at] = value
		return
	}
	p.add("replace", at, value)
}

func (p *patch) change(c change) error {
	values := make([]any, len(c.want))
	for i, text := range c.want {
		var err error
		if values[i], err = c.json(text, p.dialect); err != nil {
			return err
		}
	}
	switch {
	case c.path.Filter != nil:
		p.element(c, values)
	case c.complex && c.multi:
		p.list(c)
	case len(values) == 0:
		p.add("remove", c.path.String(), nil)
	case c.complex && c.path.Sub == "": // manager: the value of a complex attribute
		p.replace(c.path.String(), map[string]any{"value": values[0]})
	case c.multi:
		p.replace(c.path.String(), values)
	default:
		p.replace(c.path.String(), values[0])
	}
	return nil
}

// element changes a part of a value that a filter chooses.
func (p *patch) element(c change, values []any) {
	there := len(c.path.Parent().Values(p.now)) > 0
	part := orElse(c.path.Sub, "value")
	switch {
	case len(values) == 0 && there && strings.EqualFold(part, "value"):
		p.add("remove", c.path.Parent().String(), nil)
	case len(values) == 0 && there:
		p.add("remove", c.path.String(), nil)
	case len(values) == 0:
	case there:
		p.replace(c.path.String(), values[0])
	default:
		at := c.path.Parent()
		i := slices.IndexFunc(p.elements, func(e *element) bool { return e.at.Equal(at) })
		if i < 0 {
			i = len(p.elements)
			p.elements = append(p.elements, &element{at, newElement(c.path, values[0])})
		}
		p.elements[i].value[part] = values[0]
	}
}

// list changes which values an attribute has.
func (p *patch) list(c change) {
	has, _ := c.of(p.now)
	p.members(c.path, without(c.want, has, c.attribute), without(has, c.want, c.attribute))
}

// members adds values to an attribute and removes others from it.
func (p *patch) members(at path.Path, join, leave []string) {
	batch := p.dialect.MemberBatch
	if batch == 0 {
		batch = max(len(join), len(leave), 1)
	}
	for some := range slices.Chunk(join, batch) {
		p.add("add", at.String(), listOf(some, p.labels))
	}
	if p.dialect.Members == "value" {
		for some := range slices.Chunk(leave, batch) {
			p.add("remove", at.String(), listOf(some, nil))
		}
	} else {
		for _, v := range leave {
			at.Filter = path.Equal(path.Path{Attr: "value"}, v)
			p.add("remove", at.String(), nil)
		}
	}
}

func listOf(values []string, labels map[string]string) []any {
	list := make([]any, len(values))
	for i, v := range values {
		member := map[string]any{"value": v}
		if kind := labels[v]; kind != "" {
			member["type"] = kind
		}
		list[i] = member
	}
	return list
}

func without(values, other []string, a *attribute) []string {
	var rest []string
	for _, v := range values {
		if !a.has(other, v) {
			rest = append(rest, v)
		}
	}
	return rest
}
