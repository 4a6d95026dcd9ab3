package scim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Attributes that no schema has.
const (
	enabledName  = "enabled"
	memberOfName = "memberOf"
	activeName   = "active"
)

// An attribute is one flat attribute of a class: a path, and what stands there.
type attribute struct {
	name     string
	path     path.Path
	kind     connectorv1.Type
	multi    bool
	readOnly bool
	exact    bool // texts are compared with their case
	unique   bool // the server keeps it unique
	complex  bool // the values are complex, and their "value" is meant
}

func (a *attribute) top() string { return a.path.Base().String() }

// of returns the values in a resource. They are not known only for memberOf,
// unless something was put there.
func (a *attribute) of(resource map[string]any) (values []string, known bool) {
	switch a.name {
	case enabledName:
		return []string{fmt.Sprint(isActive(resource))}, true
	case memberOfName:
		list, known := resource[memberOfName].([]string)
		slices.Sort(list) // servers give them in any order
		return list, known
	}
	for _, v := range a.path.Values(resource) {
		if element, ok := v.(map[string]any); ok {
			if _, v, _ = path.Lookup(element, "value"); v == nil {
				continue
			}
		}
		if text := a.text(v); text != "" && !slices.Contains(values, text) {
			values = append(values, text)
		}
		if !a.multi && len(values) == 1 {
			break // two work addresses: the first is the one that is shown and written
		}
	}
	if a.kind == connectorv1.Type_TYPE_REFERENCE && len(values) > 1 {
		slices.Sort(values) // servers give members in any order
	}
	return values, true
}

// text is a JSON value in the form that the contract has for its type.
func (a *attribute) text(v any) string {
	text := asText(v)
	switch a.kind {
	case connectorv1.Type_TYPE_BOOLEAN:
		return strings.ToLower(text)
	case connectorv1.Type_TYPE_TIMESTAMP:
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	return text
}

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return ""
	case map[string]any, []any:
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(b)
	}
	return fmt.Sprint(v)
}

// json is a text as the server takes it.
func (a *attribute) json(text string, d Dialect) (any, error) {
	bad := func(want string) error {
		return sdk.Invalid(fmt.Sprintf("%s takes %s", a.name, want), "Correct the rule of the attribute in the mapping.").At(a.name)
	}
	switch a.kind {
	case connectorv1.Type_TYPE_BOOLEAN:
		truth := strings.EqualFold(text, "true")
		if !truth && !strings.EqualFold(text, "false") {
			return nil, bad("true or false")
		}
		return truthOf(truth, d), nil
	case connectorv1.Type_TYPE_INTEGER:
		if !json.Valid([]byte(text)) || strings.ContainsAny(text, `"{[tfn`) {
			return nil, bad("a number")
		}
		return json.Number(text), nil
	}
	return text, nil
}

func truthOf(truth bool, d Dialect) any {
	switch {
	case d.Boolean != "text":
		return truth
	case truth:
		return "True"
	}
	return "False"
}

// isActive tells whether an object may be used; one that does not say so may.
func isActive(resource map[string]any) bool {
	_, v, ok := path.Lookup(resource, activeName)
	return !ok || v == nil || !strings.EqualFold(asText(v), "false")
}

// equal compares two sets of values by the attribute's rule.
func (a *attribute) equal(x, y []string) bool {
	if len(x) != len(y) {
		return false
	}
	return !slices.ContainsFunc(x, func(v string) bool { return !a.has(y, v) })
}

func (a *attribute) has(values []string, v string) bool {
	return slices.ContainsFunc(values, func(w string) bool {
		return v == w || a.kind == connectorv1.Type_TYPE_TIMESTAMP && a.text(v) == a.text(w)
	})
}

// set puts the values into a resource that is about to be sent.
func (a *attribute) set(resource map[string]any, want []string, d Dialect) error {
	values := make([]any, len(want))
	for i, text := range want {
		var err error
		if values[i], err = a.json(text, d); err != nil {
			return err
		}
	}
	if !a.multi && len(values) > 1 {
		return sdk.Invalid(a.name+" takes one value", "Correct the rule of the attribute in the mapping.").At(a.name)
	}
	holder := resource
	if a.path.Schema != "" {
		spelled, within, _ := path.Lookup(resource, a.path.Schema)
		extension, _ := within.(map[string]any)
		if extension == nil {
			extension = map[string]any{}
		}
		holder = extension
		defer func() {
			if resource[spelled] = extension; len(extension) == 0 {
				delete(resource, spelled)
			}
		}()
	}
	key, old, _ := path.Lookup(holder, a.path.Attr)
	var now any
	switch {
	case a.path.Filter != nil:
		now = setElement(old, a.path, values)
	case a.complex && a.multi:
		now = setList(old, values)
	case a.complex:
		now = setPart(old, orElse(a.path.Sub, "value"), values)
	case a.multi:
		now = values
	case len(values) == 1:
		now = values[0]
	}
	if list, isList := now.([]any); now == nil || isList && len(list) == 0 {
		delete(holder, key)
	} else {
		holder[key] = now
	}
	return nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func setPart(old any, part string, values []any) any {
	object, _ := old.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	key, _, _ := path.Lookup(object, part)
	if len(values) == 0 {
		delete(object, key)
	} else {
		object[key] = values[0]
		if strings.EqualFold(part, "value") { // what the server worked out of the old value is not sent back
			for _, derived := range []string{"$ref", "displayName", "display"} {
				delete(object, derived)
			}
		}
	}
	if len(object) == 0 {
		return nil
	}
	return object
}

// setList keeps the values that stay with all their parts.
func setList(old any, values []any) any {
	var kept []any
	for _, v := range values {
		kept = append(kept, map[string]any{"value": v})
		if elements, ok := old.([]any); ok {
			for _, e := range elements {
				if object, ok := e.(map[string]any); ok {
					if _, has, _ := path.Lookup(object, "value"); asText(has) == asText(v) {
						kept[len(kept)-1] = object
					}
				}
			}
		}
	}
	return kept
}

// setElement sets a part of the value that the path's filter chooses. A value
// that would be left with nothing but what chooses it goes.
func setElement(old any, p path.Path, values []any) any {
	elements, _ := old.([]any)
	elements = slices.Clone(elements)
	part := orElse(p.Sub, "value")
	for i, e := range elements {
		object, ok := e.(map[string]any)
		if !ok || !p.Filter.Match(object, nil) {
			continue
		}
		if len(values) == 0 {
			key, _, _ := path.Lookup(object, part)
			if delete(object, key); strings.EqualFold(part, "value") || bare(object, p.Filter) {
				return slices.Delete(elements, i, i+1)
			}
			return elements
		}
		setPart(object, part, values)
		return elements
	}
	if len(values) == 0 {
		return elements
	}
	return append(elements, newElement(p, values[0]))
}

// newElement is a value that the path's filter chooses.
func newElement(p path.Path, value any) map[string]any {
	object, _ := p.Filter.Pairs()
	if object == nil {
		object = map[string]any{}
	}
	object[orElse(p.Sub, "value")] = value
	return object
}

// bare tells that an element holds no more than what a filter asks for.
func bare(object map[string]any, f *path.Filter) bool {
	pairs, _ := f.Pairs()
	for key, v := range object {
		if _, _, chooses := path.Lookup(pairs, key); !chooses && !strings.EqualFold(key, "primary") && !strings.EqualFold(key, "type") && v != nil {
			return false
		}
	}
	return true
}
