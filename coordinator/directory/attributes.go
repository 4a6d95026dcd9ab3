package directory

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// Attributes are a person's attributes by path. The zero value holds none. They
// are filled by Set and from then on only read: copies share memory.
type Attributes struct {
	list []attribute // ascending by path
}

type attribute struct {
	path  string
	value any // string, bool, int64, time.Time, []string; nil: known to be empty
}

// Set gives the attribute at path a value: a string, bool, int64, time.Time or
// []string. Nil, "", an empty list and the zero time make it empty.
func (a *Attributes) Set(path string, value any) {
	value = normal(value)
	n := len(a.list)
	if n == 0 || a.list[n-1].path < path { // callers mostly set in order
		a.list = append(a.list, attribute{path, value})
		return
	}
	i, found := a.find(path)
	if found {
		a.list[i].value = value
		return
	}
	a.list = slices.Insert(a.list, i, attribute{path, value})
}

// Grow makes room for n attributes more.
func (a *Attributes) Grow(n int) { a.list = slices.Grow(a.list, n) }

// Get gives the value at path, nil where it is empty, and whether it is known
// at all.
func (a Attributes) Get(path string) (value any, known bool) {
	i, found := a.find(path)
	if !found {
		return nil, false
	}
	return a.list[i].value, true
}

// A Cursor finds one attribute after the other, of paths asked for in ascending order.
type Cursor struct{ left []attribute }

// Cursor begins before the first attribute.
func (a Attributes) Cursor() Cursor { return Cursor{a.list} }

// Get is [Attributes.Get] for a path that is not before the one asked for last.
func (c *Cursor) Get(path string) (value any, known bool) {
	for len(c.left) > 0 {
		switch first := &c.left[0]; {
		case first.path == path:
			return first.value, true
		case first.path > path:
			return nil, false
		}
		c.left = c.left[1:]
	}
	return nil, false
}

// Text gives the text at path; "" where there is none.
func (a Attributes) Text(path string) string {
	v, _ := a.Get(path)
	s, _ := v.(string)
	return s
}

// Time gives the instant at path; the zero time where there is none.
func (a Attributes) Time(path string) time.Time {
	v, _ := a.Get(path)
	t, _ := v.(time.Time)
	return t
}

// Bool gives the truth at path, and whether it is known and not empty.
func (a Attributes) Bool(path string) (value, known bool) {
	v, _ := a.Get(path)
	value, known = v.(bool)
	return value, known
}

// Len is the number of attributes known, empty ones included.
func (a Attributes) Len() int { return len(a.list) }

// All gives paths and values in ascending order of path; an empty attribute's
// value is nil.
func (a Attributes) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, e := range a.list {
			if !yield(e.path, e.value) {
				return
			}
		}
	}
}

// Equal tells whether both hold the same.
func (a Attributes) Equal(b Attributes) bool {
	return slices.EqualFunc(a.list, b.list, func(x, y attribute) bool { return x.path == y.path && same(x.value, y.value) })
}

// Changes gives the paths whose state differs, in ascending order.
func (a Attributes) Changes(b Attributes) []string {
	var paths []string
	for i, j := 0, 0; i < len(a.list) || j < len(b.list); {
		switch {
		case j == len(b.list) || i < len(a.list) && a.list[i].path < b.list[j].path:
			paths = append(paths, a.list[i].path)
			i++
		case i == len(a.list) || b.list[j].path < a.list[i].path:
			paths = append(paths, b.list[j].path)
			j++
		default:
			if !same(a.list[i].value, b.list[j].value) {
				paths = append(paths, a.list[i].path)
			}
			i, j = i+1, j+1
		}
	}
	return paths
}

func (a Attributes) find(path string) (int, bool) {
	return slices.BinarySearchFunc(a.list, path, func(e attribute, p string) int { return strings.Compare(e.path, p) })
}

// normal gives the one form in which a value is held.
func normal(value any) any {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil
		}
	case int:
		return int64(v)
	case time.Time:
		if v.IsZero() {
			return nil
		}
		if v.Location() != time.UTC {
			return v.UTC()
		}
	case []string:
		if len(v) == 0 {
			return nil
		}
	}
	return value
}

func same(a, b any) bool {
	switch a := a.(type) {
	case []string:
		b, ok := b.([]string)
		return ok && slices.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	}
	if _, list := b.([]string); list {
		return false
	}
	return a == b
}
