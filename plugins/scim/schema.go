package scim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A definition is an attribute as a schema describes it (RFC 7643, 7).
type definition struct {
	Name            string
	Type            string
	MultiValued     bool
	Mutability      string
	Returned        string
	Uniqueness      string
	CaseExact       bool
	CanonicalValues []any
	ReferenceTypes  []string
	SubAttributes   []definition
}

// A resourceType is a class of objects.
type resourceType struct {
	name       string
	endpoint   string // with its slash
	schema     string
	extensions []string
	naming     string // attribute that people know an object by
	active     bool   // whether it can be switched off
	password   bool   // whether it has one
	groups     bool   // whether it can be in groups
	shows      bool   // whether it shows the groups that it is in

	attributes []*attribute          // in order of name
	byName     map[string]*attribute // by folded name
	tops       map[string]definition // by folded path of the attribute
}

// newType works out the flat attributes of a type from its schemas.
func newType(name, endpoint, schema string, extensions []string, schemas map[string][]definition, types map[string][]string) *resourceType {
	t := &resourceType{name: name, endpoint: "/" + strings.Trim(endpoint, "/"), schema: schema, extensions: extensions,
		byName: map[string]*attribute{}, tops: map[string]definition{}}
	text := definition{Type: "string"}
	t.simple(path.Path{}, definition{Name: "id", Type: "string", Mutability: "readOnly", CaseExact: true})
	t.simple(path.Path{}, definition{Name: "externalId", Type: "string", CaseExact: true})
	for _, part := range []string{"created", "lastModified"} {
		t.add(&attribute{path: path.Path{Attr: "meta", Sub: part}, kind: connectorv1.Type_TYPE_TIMESTAMP, readOnly: true})
	}
	t.tops["meta"], t.tops["id"], t.tops["externalid"] = definition{Name: "meta", Type: "complex", Mutability: "readOnly"}, text, text
	for i, urn := range append([]string{schema}, extensions...) {
		at := path.Path{}
		if i > 0 {
			at.Schema = urn
		}
		for _, d := range schemas[strings.ToLower(urn)] {
			t.define(at, d, types)
		}
	}
	for _, candidate := range []string{"userName", "displayName", "name"} {
		if a := t.byName[strings.ToLower(candidate)]; a != nil && t.naming == "" {
			t.naming = a.name
		}
	}
	t.naming = cmp.Or(t.naming, "id")
	_, t.active = t.tops[activeName]
	_, t.password = t.tops["password"]
	_, t.shows = t.tops["groups"]
	t.groups = t.shows || t.nests()
	if t.active {
		t.add(&attribute{name: enabledName, kind: connectorv1.Type_TYPE_BOOLEAN, readOnly: true})
	}
	if t.groups {
		t.add(&attribute{name: memberOfName, kind: connectorv1.Type_TYPE_REFERENCE, multi: true, readOnly: true})
	}
	slices.SortFunc(t.attributes, func(a, b *attribute) int { return strings.Compare(a.name, b.name) })
	return t
}

func (t *resourceType) add(a *attribute) {
	if a.name == "" {
		a.name = a.path.String()
	}
	if key := strings.ToLower(a.name); t.byName[key] == nil {
		t.byName[key] = a
		t.attributes = append(t.attributes, a)
	}
}

// nests tells whether the members of the type may be of the type: groups in groups.
func (t *resourceType) nests() bool {
	d, ok := t.tops["members"]
	if !ok || !d.refers() {
		return false
	}
	is := func(v any) bool { return strings.EqualFold(asText(v), t.name) }
	ref, _ := d.part("$ref")
	kind, _ := d.part("type")
	return (len(ref.ReferenceTypes) == 0 || slices.ContainsFunc(ref.ReferenceTypes, func(v string) bool { return is(v) })) &&
		(len(kind.CanonicalValues) == 0 || slices.ContainsFunc(kind.CanonicalValues, is))
}

// define adds what an attribute of a schema is as flat attributes.
func (t *resourceType) define(at path.Path, d definition, types map[string][]string) {
	at.Attr = d.Name
	t.tops[strings.ToLower(at.String())] = d
	if strings.EqualFold(d.Returned, "never") || strings.EqualFold(d.Mutability, "writeOnly") {
		return // a password: it has an operation of its own
	}
	if len(d.SubAttributes) == 0 {
		t.simple(path.Path{Schema: at.Schema}, d)
		return
	}
	value, hasValue := d.part("value")
	if hasValue {
		t.add(t.part(at, d, value))
	}
	if !d.MultiValued {
		for _, sub := range d.SubAttributes {
			if !strings.EqualFold(sub.Name, "value") && sub.Name != "$ref" {
				at.Sub = sub.Name
				t.add(t.part(at, d, sub))
			}
		}
		return
	}
	if kind, ok := d.part("type"); ok && !strings.EqualFold(d.Mutability, "readOnly") && !d.refers() {
		for _, of := range typesOf(d, kind, types) {
			at.Filter = path.Equal(path.Path{Attr: "type"}, of)
			t.parts(at, d)
		}
	}
	if _, ok := d.part("primary"); ok {
		at.Filter = path.Equal(path.Path{Attr: "primary"}, true)
		t.parts(at, d)
	}
}

func (t *resourceType) parts(at path.Path, d definition) {
	for _, sub := range d.SubAttributes {
		switch strings.ToLower(sub.Name) {
		case "type", "primary", "$ref":
			continue
		}
		at.Sub = sub.Name
		t.add(t.part(at, d, sub))
	}
}

func (t *resourceType) simple(at path.Path, d definition) {
	at.Attr = d.Name
	t.tops[strings.ToLower(at.String())] = d
	a := t.part(at, d, d)
	a.complex = false
	t.add(a)
}

// part is the flat attribute of a part of an attribute. That called value
// stands for the attribute unless a filter chooses one.
func (t *resourceType) part(at path.Path, d, sub definition) *attribute {
	if at.Filter == nil && strings.EqualFold(at.Sub, "value") {
		at.Sub = ""
	}
	a := &attribute{path: at, kind: sub.kind(), complex: len(d.SubAttributes) > 0, multi: at.Filter == nil && (d.MultiValued || sub.MultiValued),
		readOnly: strings.EqualFold(d.Mutability, "readOnly") || strings.EqualFold(sub.Mutability, "readOnly"),
		exact:    sub.CaseExact, unique: d.unique() || sub.unique()}
	if at.Sub == "" && at.Filter == nil && a.complex {
		if a.kind == connectorv1.Type_TYPE_STRING && d.refers() {
			a.kind, a.exact = connectorv1.Type_TYPE_REFERENCE, true
		}
		a.readOnly = strings.EqualFold(d.Mutability, "readOnly") // members are immutable one by one, not as a whole
	}
	return a
}

func (d definition) part(name string) (definition, bool) {
	i := slices.IndexFunc(d.SubAttributes, func(s definition) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return definition{}, false
	}
	return d.SubAttributes[i], true
}

// refers tells whether the values are ids of other resources: $ref then leads
// to one of them.
func (d definition) refers() bool {
	ref, ok := d.part("$ref")
	return ok && slices.ContainsFunc(ref.ReferenceTypes, func(t string) bool { return t != "uri" && t != "external" }) ||
		ok && len(ref.ReferenceTypes) == 0
}

func (d definition) unique() bool {
	return strings.EqualFold(d.Uniqueness, "server") || strings.EqualFold(d.Uniqueness, "global")
}

func (d definition) kind() connectorv1.Type {
	switch strings.ToLower(d.Type) {
	case "boolean":
		return connectorv1.Type_TYPE_BOOLEAN
	case "integer":
		return connectorv1.Type_TYPE_INTEGER
	case "datetime":
		return connectorv1.Type_TYPE_TIMESTAMP
	case "binary":
		return connectorv1.Type_TYPE_BINARY
	}
	return connectorv1.Type_TYPE_STRING
}

// typesOf gives the types of values that have names of their own: those of the
// schema, else those of RFC 7643, and those of the settings.
func typesOf(d, kind definition, more map[string][]string) []string {
	var list []string
	for _, v := range kind.CanonicalValues {
		list = append(list, asText(v))
	}
	if len(list) == 0 {
		switch strings.ToLower(d.Name) {
		case "emails", "addresses":
			list = []string{"work", "home", "other"}
		case "phonenumbers":
			list = []string{"work", "home", "mobile", "fax", "pager", "other"}
		}
	}
	for name, types := range more {
		if strings.EqualFold(name, d.Name) {
			list = append(list, types...)
		}
	}
	return list
}

// class is the type as the contract describes classes.
func (t *resourceType) class() *connectorv1.Class {
	c := &connectorv1.Class{Name: t.name}
	for _, a := range t.attributes {
		c.Attributes = append(c.Attributes, &connectorv1.AttributeType{Name: a.name, Type: a.kind, Multi: a.multi, ReadOnly: a.readOnly})
	}
	return c
}

// attribute finds an attribute by its name, however it is spelled, also one
// that the schema does not spell out: a value of a type of its own.
func (t *resourceType) attribute(name string) *attribute {
	if a := t.byName[strings.ToLower(name)]; a != nil {
		return a
	}
	p, err := path.Parse(name)
	if err != nil {
		return nil
	}
	if strings.EqualFold(p.Schema, t.schema) {
		p.Schema = ""
	}
	if p.Filter == nil && strings.EqualFold(p.Sub, "value") {
		p.Sub = ""
	}
	if a := t.byName[strings.ToLower(p.String())]; a != nil {
		return a
	}
	d, ok := t.tops[strings.ToLower(p.Base().String())]
	if !ok {
		return nil
	}
	sub, ok := d.part(orElse(p.Sub, "value"))
	if !ok || p.Filter != nil && !d.MultiValued {
		return nil
	}
	a := t.part(p, d, sub)
	a.name = p.String()
	return a
}

// readable gives the attributes of these names that there are.
func (t *resourceType) readable(names []string) []*attribute {
	var list []*attribute
	for _, name := range names {
		if a := t.attribute(name); a != nil && !slices.ContainsFunc(list, func(b *attribute) bool { return strings.EqualFold(a.name, b.name) }) {
			list = append(list, a)
		}
	}
	return list
}

// writable finds an attribute that can be written.
func (t *resourceType) writable(name string) (*attribute, error) {
	a := t.attribute(name)
	if a == nil {
		return nil, sdk.Invalid(fmt.Sprintf("%s has no attribute %q", t.name, name),
			"Correct the name in the mapping: attributes are named by their SCIM path, such as name.givenName or emails[type eq \"work\"].value.").At(name)
	}
	if a.readOnly {
		return nil, sdk.Invalid(fmt.Sprintf("%s of %s is written by the system alone", a.name, t.name), "Take it out of the mapping.").At(a.name)
	}
	return a, nil
}
