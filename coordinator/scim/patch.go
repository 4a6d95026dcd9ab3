package scim

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A patcher changes a resource of a kind.
type patcher struct {
	kind     kind
	resource object
	members  *delta                   // of a group
	held     func() ([]object, error) // who is in the group now
}

// patch changes the resource as a PatchOp says (RFC 7644, 3.5.2). What clients are
// known to send besides is taken: operations in any case, dotted names and URNs
// as names of a value, and a replace of a typed value that is not there yet.
func (p *patcher) patch(data []byte) error {
	var request struct {
		Schemas    []string
		Operations []struct {
			Op    string
			Path  string
			Value any
		}
	}
	if err := decode(data, &request); err != nil || !slices.Contains(request.Schemas, "urn:ietf:params:scim:api:messages:2.0:PatchOp") || len(request.Operations) == 0 {
		return badf("invalidSyntax", "the body is no PatchOp with Operations (RFC 7644, 3.5.2)")
	}
	for i, op := range request.Operations {
		verb := strings.ToLower(op.Op)
		if verb != "add" && verb != "replace" && verb != "remove" {
			return badf("invalidSyntax", "op of operation %d must be add, replace or remove, not %q", i+1, op.Op)
		}
		if op.Path != "" {
			if err := p.at(verb, op.Path, op.Value); err != nil {
				return err
			}
			continue
		}
		values, ok := op.Value.(object)
		if verb == "remove" || !ok {
			return badf("noTarget", "operation %d has no path: give one, or an object as value", i+1)
		}
		for key, value := range values {
			if strings.EqualFold(key, "schemas") || isServers(key) {
				continue
			}
			if in, ok := value.(object); ok && strings.HasPrefix(strings.ToLower(key), "urn:") {
				spelled, _, _ := path.Lookup(p.resource, key)
				for name, v := range in {
					if err := assign(inner(p.resource, spelled), verb, path.Path{Attr: name}, v); err != nil {
						return err
					}
				}
				continue
			}
			if err := p.at(verb, key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// at carries out an operation at a path.
func (p *patcher) at(verb, text string, value any) error {
	if isOurs(text) { // the whole extension
		spelled, _, _ := path.Lookup(p.resource, text)
		if p.resource[spelled] = value; verb == "remove" {
			delete(p.resource, spelled)
		}
		return nil
	}
	at, err := path.Parse(text)
	if err != nil {
		return badf("invalidPath", "%v", err)
	}
	if isServers(at.Attr) && !strings.EqualFold(at.Attr, "password") {
		return badf("mutability", "%s is the server's: leave it out", at.Attr)
	}
	holder := p.resource
	switch core := at.Schema == "" || strings.EqualFold(at.Schema, p.kind.schema()); {
	case !core:
		spelled, _, _ := path.Lookup(p.resource, at.Schema)
		holder = inner(p.resource, spelled)
	case p.members != nil && strings.EqualFold(at.Attr, members):
		return p.members.patchMembers(verb, at, value, p.held)
	case verb == "remove" && at.Filter == nil && at.Sub == "" && strings.EqualFold(at.Attr, p.kind.named()):
		return badf("mutability", "%s is required and cannot be removed: replace it", p.kind.named())
	}
	return assign(holder, verb, at, value)
}

// assign carries out an operation on an attribute of holder.
func assign(holder object, verb string, at path.Path, value any) error {
	key, old, _ := path.Lookup(holder, at.Attr)
	key = spell(key)
	list, isList := old.([]any)
	switch {
	case at.Filter != nil:
		return assignWhere(holder, key, list, verb, at, value)
	case at.Sub != "" && isList:
		for _, e := range elements(old) {
			set(e, verb, at.Sub, value)
		}
	case at.Sub != "":
		into, _ := old.(object)
		if into == nil {
			into = object{}
		}
		set(into, verb, at.Sub, value)
		if holder[key] = into; len(into) == 0 {
			delete(holder, key)
		}
	case verb == "remove" && value != nil && isList: // those values alone
		gone, many := value.([]any)
		if !many {
			gone = []any{value}
		}
		list = slices.DeleteFunc(list, func(e any) bool { return slices.ContainsFunc(gone, func(g any) bool { return sameValue(e, g) }) })
		holder[key] = list
	case verb == "remove":
		delete(holder, key)
	case verb == "add" && (isList || slices.Contains(typed, key) || key == "roles" || key == "entitlements"):
		more, many := value.([]any)
		if !many {
			more = []any{value}
		}
		for _, m := range more {
			if !slices.ContainsFunc(list, func(e any) bool { return reflect.DeepEqual(e, m) }) {
				list = onePrimary(append(list, m), len(list))
			}
		}
		holder[key] = list
	case verb == "add" || verb == "replace":
		into, complex := old.(object)
		from, both := value.(object)
		if complex && both { // parts that are not named stay (RFC 7644, 3.5.2.1)
			for name, v := range from {
				set(into, verb, name, v)
			}
			return nil
		}
		if holder[key] = value; value == nil || value == "" {
			delete(holder, key)
		}
	}
	return nil
}

// set gives a part of a complex value.
func set(o object, verb, name string, value any) {
	spelled, _, _ := path.Lookup(o, name)
	if spelled == name {
		spelled = spell(name)
	}
	if o[spelled] = value; verb == "remove" || value == nil || value == "" {
		delete(o, spelled)
	}
}

// assignWhere carries out an operation on those values of an attribute that match a filter.
func assignWhere(holder object, key string, list []any, verb string, at path.Path, value any) error {
	var kept []any
	found := -1
	for _, e := range list {
		o, ok := e.(object)
		if !ok || !at.Filter.Match(o, nil) {
			kept = append(kept, e)
			continue
		}
		switch {
		case verb == "remove" && at.Sub == "":
			continue
		case at.Sub != "":
			set(o, verb, at.Sub, value)
			if _, rest, _ := path.Lookup(o, "value"); strings.EqualFold(at.Sub, "value") && rest == nil {
				continue // a value without its value is none
			}
		default:
			from, ok := value.(object)
			if !ok {
				return badf("invalidValue", "%s takes an object", at)
			}
			for name, v := range from {
				set(o, verb, name, v)
			}
		}
		found = len(kept)
		kept = append(kept, o)
	}
	if found < 0 && verb != "remove" && (value != nil && value != "") {
		pairs, plain := at.Filter.Pairs()
		if !plain {
			return badf("noTarget", "no value matches %s: add one first", at)
		}
		o := object(pairs)
		if at.Sub != "" {
			o[spell(at.Sub)] = value
		} else if from, ok := value.(object); ok {
			for name, v := range from {
				set(o, verb, name, v)
			}
		}
		found = len(kept)
		kept = append(kept, o)
	}
	if found >= 0 {
		kept = onePrimary(kept, found)
	}
	if holder[key] = kept; len(kept) == 0 {
		delete(holder, key)
	}
	return nil
}

// onePrimary takes primary off the other values where the one at i has it.
func onePrimary(list []any, i int) []any {
	if o, ok := list[i].(object); !ok || o["primary"] != true {
		return list
	}
	for j, e := range list {
		if o, ok := e.(object); ok && j != i && o["primary"] == true {
			delete(o, "primary")
		}
	}
	return list
}

func sameValue(a, b any) bool {
	x, ok1 := a.(object)
	y, ok2 := b.(object)
	if ok1 && ok2 {
		return reflect.DeepEqual(x["value"], y["value"])
	}
	p, _ := json.Marshal(a)
	q, _ := json.Marshal(b)
	return string(p) == string(q)
}
