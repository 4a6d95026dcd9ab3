package runner

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// allowed are the attributes that may leave the site, in lower case, and the
// spellings of them that were met. It is for one goroutine at a time: each
// worker has a clone.
type allowed map[string]bool

func newAllowed(attributes []string) allowed {
	a := make(allowed, len(attributes))
	for _, name := range attributes {
		a[strings.ToLower(name)] = true
	}
	return a
}

// among returns those of names that may leave, in ascending order.
func (a allowed) among(names []string) []string {
	var may []string
	for _, name := range names {
		if a[strings.ToLower(name)] {
			may = append(may, name)
		}
	}
	slices.Sort(may)
	return may
}

// strip takes out of a record what may not leave, and names it. Connectors are
// asked for no more than is allowed; this makes sure.
func (a allowed) strip(r *connectorv1.Record) (stripped []string, err error) {
	if r == nil || len(r.GetObject()) == 0 {
		return nil, nil
	}
	if a.clean(r.GetObject()) {
		return nil, nil
	}
	object := new(connectorv1.Object)
	if err := proto.Unmarshal(r.GetObject(), object); err != nil {
		return nil, fmt.Errorf("object %q cannot be decoded: %w", r.GetId(), err)
	}
	if len(object.ProtoReflect().GetUnknown()) > 0 {
		object.ProtoReflect().SetUnknown(nil)
		stripped = append(stripped, "fields that this release does not know")
	}
	kept := object.Attributes[:0]
	for _, attribute := range object.Attributes {
		if a[strings.ToLower(attribute.GetName())] && len(attribute.ProtoReflect().GetUnknown()) == 0 {
			kept = append(kept, attribute)
		} else {
			stripped = append(stripped, attribute.GetName())
		}
	}
	object.Attributes = kept
	r.Object, err = proto.MarshalOptions{Deterministic: true}.Marshal(object)
	return stripped, err
}

// clean says whether an encoded Object holds nothing but what may leave,
// without decoding it: nearly all do, and this is done for every one.
func (a allowed) clean(object []byte) bool {
	for len(object) > 0 {
		field, kind, n := protowire.ConsumeTag(object)
		if n < 0 || kind != protowire.BytesType || field < 1 || field > 4 {
			return false
		}
		value, m := protowire.ConsumeBytes(object[n:])
		if m < 0 || field == 4 && !a.cleanAttribute(value) || field != 4 && !utf8.Valid(value) { // the coordinator could not read it
			return false
		}
		object = object[n+m:]
	}
	return true
}

func (a allowed) cleanAttribute(attribute []byte) bool {
	named := false
	for len(attribute) > 0 {
		field, kind, n := protowire.ConsumeTag(attribute)
		if n < 0 || kind != protowire.BytesType || field < 1 || field > 2 {
			return false
		}
		value, m := protowire.ConsumeBytes(attribute[n:])
		if m < 0 || field == 1 && !a.spelled(value) || !utf8.Valid(value) {
			return false
		}
		named = named || field == 1
		attribute = attribute[n+m:]
	}
	return named
}

// spelled says whether a name is allowed. Spellings seen are kept, so that the
// next comparison makes no garbage; there are few.
func (a allowed) spelled(name []byte) bool {
	if a[string(name)] {
		return true
	}
	if !a[strings.ToLower(string(name))] {
		return false
	}
	if len(a) < 10_000 {
		a[string(name)] = true
	}
	return true
}
