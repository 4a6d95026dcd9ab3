package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A resource is what a server gave for one object. One without values is the
// answer that says nothing.
type resource struct {
	values   map[string]any
	version  string
	location string
}

func (r resource) empty() bool { return r.values == nil }

// id returns the native id, which some servers give as a number.
func (r resource) id() string { return r.text("id") }

// text returns the first value at a path of the core schema.
func (r resource) text(at string) string {
	attr, sub, _ := strings.Cut(at, ".")
	for _, v := range (path.Path{Attr: attr, Sub: sub}).Values(r.values) {
		return asText(v)
	}
	return ""
}

const (
	errorSchema = "urn:ietf:params:scim:api:messages:2.0:Error"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	bulkSchema  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
)

// parse reads one resource. What is no JSON, no UTF-8, or an error with the
// status of success is said so.
func (s *System) parse(text []byte, r web.Request) (resource, error) {
	var got resource
	values, fault := decode(text)
	if fault != "" {
		return got, s.strange(r, fault, text)
	}
	got.values = values
	if isError(values) {
		return got, s.strange(r, "an error with the status of success", text)
	}
	return got, nil
}

// decode reads a JSON object, or says what the text is instead.
func decode(text []byte) (values map[string]any, fault string) {
	if !utf8.Valid(text) {
		return nil, "text that is not UTF-8"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&values); err != nil || values == nil {
		return nil, "text that is no JSON object"
	}
	return values, ""
}

func isError(values map[string]any) bool {
	_, schemas, _ := path.Lookup(values, "schemas")
	list, _ := schemas.([]any)
	for _, v := range list {
		if text, ok := v.(string); ok && strings.EqualFold(text, errorSchema) {
			return true
		}
	}
	_, _, hasID := path.Lookup(values, "id")
	_, _, hasErrors := path.Lookup(values, "errors")
	_, _, hasError := path.Lookup(values, "error")
	return !hasID && (hasErrors || hasError)
}

// strange is the fault of an answer that is none.
func (s *System) strange(r web.Request, what string, text []byte) *sdk.Error {
	cause := fmt.Sprintf("%s answered %s (%s)", s.client.Host(), what, r.Doing)
	next := "Look whether url is the address of the SCIM interface, and have the server mended."
	e := sdk.Unavailable(cause, next)
	if !r.Safe && r.Method != "" && r.Method != "GET" {
		e = sdk.Unknown(cause, "Nothing: the object is read again before anything else is done to it; then have the server mended.")
	}
	e.Object, e.Raw = r.Object, excerpt(text)
	return e
}

func excerpt(text []byte) string {
	short := strings.Join(strings.Fields(strings.ToValidUTF8(string(text[:min(len(text), 300)]), "\uFFFD")), " ")
	if len(text) > 300 {
		short += "…"
	}
	return short
}

// at is where an object is.
func (t *resourceType) at(id string) string { return t.endpoint + "/" + url.PathEscape(id) }

// get reads one object, all of it or what holds the attributes. One that is not
// there is a fault of outcome NOT_FOUND.
func (s *System) get(ctx context.Context, t *resourceType, id string, wanted []*attribute) (resource, error) {
	r := web.Request{Path: t.at(id), Query: s.projection(t, wanted), Doing: "read " + t.name, Object: t.name + " " + id}
	got, err := s.call(ctx, r)
	if s.mayRefuseProjection(err, r) {
		r.Query.Del("attributes")
		if got, err = s.call(ctx, r); err == nil {
			s.wholly.Store(true)
		}
	}
	if err != nil {
		return got, err
	}
	if got.empty() {
		return got, s.strange(r, "nothing", nil)
	}
	return got, s.same(t, id, got)
}

// same checks that the answer is about the object that was asked for.
func (s *System) same(t *resourceType, id string, got resource) error {
	if got.empty() || got.id() == id {
		return nil
	}
	return sdk.Conflict(fmt.Sprintf("%s was asked for %s %s and answered with the id %q: its ids change", s.client.Host(), t.name, id, got.id()),
		"Have the server mended: ids must not change (RFC 7643, 3.1). The objects are read again.").On(t.name + " " + id).At("id")
}

// object shapes a resource.
func (t *resourceType) object(class string, got resource, attributes []*attribute) *sdk.Object {
	o := &sdk.Object{Class: class, ID: got.id(), Address: got.text(t.naming)}
	if o.Address == "" {
		o.Address = t.name + " " + o.ID
	}
	o.Attributes = make([]sdk.Attribute, 0, len(attributes))
	for _, a := range attributes {
		if values, known := a.of(got.values); known {
			o.Attributes = append(o.Attributes, sdk.Attribute{Name: a.name, Values: values})
		}
	}
	return o
}
