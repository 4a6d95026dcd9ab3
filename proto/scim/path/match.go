package path

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Lookup returns the member of an object whose name is key without regard to
// case (RFC 7643, 2.1), and the name as the object spells it.
func Lookup(object map[string]any, key string) (spelled string, value any, ok bool) {
	if value, ok = object[key]; ok {
		return key, value, true
	}
	for k, v := range object {
		if strings.EqualFold(k, key) {
			return k, v, true
		}
	}
	return key, nil, false
}

// Match tells whether the object, a resource or one complex value, fulfils f.
// Texts are compared without regard to case, unless exact tells that the path
// is compared exactly; instants as instants.
func (f *Filter) Match(object map[string]any, exact func(Path) bool) bool {
	switch f.Op {
	case "and":
		for _, t := range f.Terms {
			if !t.Match(object, exact) {
				return false
			}
		}
		return true
	case "or":
		for _, t := range f.Terms {
			if t.Match(object, exact) {
				return true
			}
		}
		return false
	case "not":
		return !f.Terms[0].Match(object, exact)
	case "[]":
		for _, v := range f.Path.Base().Values(object) {
			if element, ok := v.(map[string]any); ok && f.Terms[0].Match(element, exact) {
				return true
			}
		}
		return false
	}
	values := f.Path.Values(object)
	switch {
	case f.Op == "pr":
		return len(values) > 0
	case f.Op == "ne":
		eq := *f
		eq.Op = "eq"
		return !eq.Match(object, exact)
	case f.Op == "eq" && f.Value == nil:
		return len(values) == 0
	}
	fold := exact == nil || !exact(f.Path)
	for _, v := range values {
		if element, ok := v.(map[string]any); ok {
			_, v, _ = Lookup(element, "value")
		}
		if compare(f.Op, v, f.Value, fold) {
			return true
		}
	}
	return false
}

// Values returns what stands at p in an object: each value on its own, nothing
// that is null, an empty list or an empty text.
func (p Path) Values(object map[string]any) []any {
	if p.Schema != "" {
		if _, extension, ok := Lookup(object, p.Schema); ok {
			object, _ = extension.(map[string]any)
		} else if _, core, ok := strings.Cut(strings.ToLower(p.Schema), ":schemas:core:"); !ok || core == "" {
			return nil
		}
	}
	if p.Attr == "" {
		return []any{object}
	}
	_, value, _ := Lookup(object, p.Attr)
	var values []any
	for _, v := range flat(value) {
		element, complex := v.(map[string]any)
		if p.Filter != nil && (!complex || !p.Filter.Match(element, nil)) {
			continue
		}
		if p.Sub == "" {
			values = append(values, v)
		} else if complex {
			_, part, _ := Lookup(element, p.Sub)
			values = append(values, flat(part)...)
		}
	}
	return values
}

func flat(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
	case []any:
		var values []any
		for _, e := range v {
			values = append(values, flat(e)...)
		}
		return values
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
	}
	return []any{value}
}

func compare(op string, has, want any, fold bool) bool {
	h, w := text(has), text(want)
	if a, err := time.Parse(time.RFC3339Nano, h); err == nil {
		if b, err := time.Parse(time.RFC3339Nano, w); err == nil {
			return ordered(op, a.Compare(b))
		}
	}
	if a, ok := has.(json.Number); ok {
		if b, ok := want.(json.Number); ok {
			x, errX := a.Float64()
			y, errY := b.Float64()
			if errX == nil && errY == nil {
				switch {
				case x < y:
					return ordered(op, -1)
				case x > y:
					return ordered(op, 1)
				}
				return ordered(op, 0)
			}
		}
	}
	if _, truth := want.(bool); truth {
		return op == "eq" && strings.EqualFold(h, w) // a server may hold "True"
	}
	if fold {
		h, w = strings.ToLower(h), strings.ToLower(w)
	}
	switch op {
	case "co":
		return strings.Contains(h, w)
	case "sw":
		return strings.HasPrefix(h, w)
	case "ew":
		return strings.HasSuffix(h, w)
	}
	return ordered(op, strings.Compare(h, w))
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return false
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}
