package scim

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A projection says which attributes are shown (RFC 7644, 3.9).
type projection struct {
	only    []path.Path // nil: all
	without []path.Path
}

func projectionOf(only, without string) (p projection, err error) {
	if only != "" && without != "" {
		return p, badf("invalidValue", "give attributes or excludedAttributes, not both")
	}
	for _, one := range []struct {
		text string
		to   *[]path.Path
	}{{only, &p.only}, {without, &p.without}} {
		for name := range strings.SplitSeq(one.text, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if _, urn := strings.CutPrefix(strings.ToLower(name), "urn:"); urn && (isOurs(name) || isCore(name)) {
				*one.to = append(*one.to, path.Path{Schema: name})
				continue
			}
			at, err := path.Parse(name)
			if err != nil || at.Filter != nil {
				return p, badf("invalidPath", "%q is no name of an attribute", name)
			}
			*one.to = append(*one.to, at)
		}
	}
	return p, nil
}

// of gives what is shown of a resource. Its id and schemas always are.
func (p projection) of(r *resource) object {
	switch {
	case len(p.only) > 0:
		out := object{"schemas": r.body["schemas"], "id": r.id}
		for _, at := range p.only {
			from, to, key := r.body, out, at.Attr
			if at.Schema != "" && !isCore(at.Schema) {
				spelled, in, _ := path.Lookup(r.body, at.Schema)
				inside, _ := in.(object)
				if inside == nil {
					continue
				}
				if key == "" {
					out[spelled] = in
					continue
				}
				from, to = inside, inner(out, spelled)
			}
			if key == "" {
				continue
			}
			spelled, value, ok := path.Lookup(from, key)
			if ok && at.Sub != "" {
				before := to[spelled]
				value = parts(value, before, at.Sub)
			}
			if ok && value != nil {
				to[spelled] = value
			}
		}
		return out
	case len(p.without) > 0:
		out := clone(r.body).(object)
		for _, at := range p.without {
			from := out
			if at.Schema != "" && !isCore(at.Schema) {
				spelled, in, _ := path.Lookup(out, at.Schema)
				if at.Attr == "" {
					delete(out, spelled)
					continue
				}
				from, _ = in.(object)
			}
			spelled, value, ok := path.Lookup(from, at.Attr)
			switch {
			case !ok || spelled == "id" || spelled == "schemas":
			case at.Sub == "":
				delete(from, spelled)
			default:
				for _, element := range elements(value) {
					s, _, _ := path.Lookup(element, at.Sub)
					delete(element, s)
				}
			}
		}
		return out
	}
	return r.body
}

// parts gives value with only the named part of it, and what stands in before.
func parts(value, before any, name string) any {
	pick := func(element, into object) object {
		if into == nil {
			into = object{}
		}
		if spelled, v, ok := path.Lookup(element, name); ok {
			into[spelled] = v
		}
		return into
	}
	switch v := value.(type) {
	case object:
		into, _ := before.(object)
		return pick(v, into)
	case []any:
		old, _ := before.([]any)
		out := make([]any, len(v))
		for i, e := range v {
			element, ok := e.(object)
			if !ok {
				out[i] = e
				continue
			}
			var into object
			if i < len(old) {
				into, _ = old[i].(object)
			}
			out[i] = pick(element, into)
		}
		return out
	}
	return nil
}

func elements(value any) []object {
	switch v := value.(type) {
	case object:
		return []object{v}
	case []any:
		var list []object
		for _, e := range v {
			if o, ok := e.(object); ok {
				list = append(list, o)
			}
		}
		return list
	}
	return nil
}

// page is a list of resources.
func (p projection) page(found []*resource, total *int, start int) object {
	list := make([]any, len(found))
	for i, r := range found {
		list[i] = p.of(r)
	}
	return listing(slices.Clip(list), total, start)
}

func sum(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text)) // never fails
	return h.Sum64()
}
