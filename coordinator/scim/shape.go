package scim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// URNs of the schemas of a User.
const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	extension  = "urn:ietf:params:scim:schemas:extension:drawbridge:2.0:User"
)

// object is JSON as it is decoded.
type object = map[string]any

// inEnterprise are the attributes of people that the enterprise extension has.
var inEnterprise = []string{"employeeNumber", "costCenter", "organization", "division", "department", "manager"}

// inCore are those of the core schema that are neither name's nor of many values.
var inCore = []string{"userName", "externalId", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale",
	"timezone", "active", "entitlements", "roles"}

// typed are the attributes of many values that are told apart by their type.
var typed = []string{"emails", "phoneNumbers", "addresses"}

// spelled gives the names of attributes and their parts as the directory spells them, by their folded form.
var spelled = func() map[string]string {
	m := map[string]string{"value": "value", "type": "type", "primary": "primary", "display": "display"}
	for _, p := range directory.Paths() {
		for part := range strings.SplitSeq(p, ".") {
			m[strings.ToLower(part)] = part
		}
	}
	return m
}()

func spell(name string) string {
	if s, ok := spelled[strings.ToLower(name)]; ok {
		return s
	}
	return name
}

// schemaOf gives the schema that has the attribute of a person at a path.
func schemaOf(path string) string {
	top, _, _ := strings.Cut(path, ".")
	switch {
	case slices.Contains(inEnterprise, path):
		return enterprise
	case top == "name", slices.Contains(inCore, path), slices.Contains(typed, top):
		return coreUser
	}
	return extension
}

// put sets what a User shows for the attribute of a person at a path.
func put(user object, at string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case time.Time:
		value = v.UTC().Format(time.RFC3339Nano)
	case []string:
		value = v
		if schemaOf(at) == coreUser {
			list := make([]any, len(v))
			for i, s := range v {
				list[i] = object{"value": s}
			}
			value = list
		}
	}
	schema := schemaOf(at)
	if schema != coreUser {
		if strings.ContainsAny(at, ".:") {
			return // declared by a document with a name that SCIM has not
		}
		inner(user, schema)[at] = value
		return
	}
	parts := strings.Split(at, ".")
	switch {
	case len(parts) == 1:
		user[at] = value
	case parts[0] == "name":
		inner(user, "name")[parts[1]] = value
	default:
		part := "value"
		if len(parts) == 3 {
			part = parts[2]
		}
		list, _ := user[parts[0]].([]any)
		for _, e := range list {
			if element := e.(object); element["type"] == parts[1] {
				element[part] = value
				return
			}
		}
		user[parts[0]] = append(list, object{"type": parts[1], part: value})
	}
}

func inner(o object, key string) object {
	in, _ := o[key].(object)
	if in == nil {
		in = object{}
		o[key] = in
	}
	return in
}

// columns gives the columns that a mapping reads of a pushed User: named as
// the directory names them (emails.work, department), and by URN and name where
// the directory has no such attribute.
func columns(user object) map[string][]string {
	out := map[string][]string{}
	for key, value := range user {
		switch {
		case isServers(key) || strings.EqualFold(key, "schemas"):
		case strings.HasPrefix(strings.ToLower(key), "urn:"):
			in, _ := value.(object)
			for name, v := range in {
				column := key + ":" + name
				if at := spell(name); directory.KindAt(at) != 0 && schemaOf(at) != coreUser && isOurs(key) {
					column = at
				}
				if column == "manager" {
					if m, ok := v.(object); ok {
						_, v, _ = path.Lookup(m, "value")
					}
				}
				flatten(out, column, v)
			}
		default:
			flatten(out, spell(key), value)
		}
	}
	return out
}

func isOurs(urn string) bool {
	return strings.EqualFold(urn, enterprise) || strings.EqualFold(urn, extension)
}

// isServers tells of attributes that a client does not write, or that are never kept.
func isServers(key string) bool {
	return slices.ContainsFunc([]string{"id", "meta", "groups", "password"}, func(s string) bool { return strings.EqualFold(s, key) })
}

func flatten(out map[string][]string, column string, value any) {
	switch v := value.(type) {
	case nil:
		out[column] = nil
	case object:
		for name, part := range v {
			flatten(out, column+"."+spell(name), part)
		}
	case []any:
		if _, known := out[column]; !known {
			out[column] = nil // an empty list is known to be empty
		}
		for _, e := range v {
			element, complex := e.(object)
			if !complex {
				flatten(out, column, e)
				continue
			}
			_, kind, _ := path.Lookup(element, "type")
			_, plain, _ := path.Lookup(element, "value")
			if plain != nil {
				flatten(out, column, plain)
			}
			if kind, ok := kind.(string); ok && kind != "" {
				within := column + "." + strings.ToLower(kind)
				for name, part := range element {
					switch strings.ToLower(name) {
					case "type", "primary", "display":
					case "value":
						if len(out[within]) == 0 {
							flatten(out, within, part)
						}
					default:
						if at := within + "." + spell(name); len(out[at]) == 0 {
							flatten(out, at, part)
						}
					}
				}
			}
		}
	default:
		if text := fmt.Sprint(v); text != "" {
			out[column] = append(out[column], text)
		} else if _, known := out[column]; !known {
			out[column] = nil
		}
	}
}

// schemasIn gives the schemas that a resource holds something of.
func schemasIn(k kind, user object) []string {
	list := []string{k.schema()}
	for key := range user {
		if strings.HasPrefix(strings.ToLower(key), "urn:") {
			list = append(list, key)
		}
	}
	slices.Sort(list[1:])
	return list
}

// clone copies JSON deeply.
func clone(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// decode reads JSON, keeping numbers as they are written.
func decode(text []byte, to any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("there is more than one JSON value")
	}
	return nil
}
