package runner

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Whatever bytes a connector calls an object, what leaves holds nothing that is
// not mapped, or nothing leaves.
func FuzzRecord(f *testing.F) {
	for _, o := range []*connectorv1.Object{
		{},
		{Class: "user", Id: "1", Address: "CN=Ann", Attributes: []*connectorv1.Attribute{{Name: "title", Values: []string{"Clerk"}}, {Name: "SALARY", Values: []string{"1"}}}},
		{Attributes: []*connectorv1.Attribute{{Name: "TITLE"}, {Name: "title"}}},
	} {
		b, err := proto.Marshal(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, 0xfa, 0x3e, 3, 'a', 'b', 'c')) // a field of a later release
		f.Add(b[:len(b)/2])
	}
	allow := newAllowed([]string{"title", "mail"})
	f.Fuzz(func(t *testing.T, object []byte) {
		r := &connectorv1.Record{Id: "1", Object: object}
		if _, err := allow.strip(r); err != nil {
			return
		}
		var left connectorv1.Object
		if err := proto.Unmarshal(r.GetObject(), &left); err != nil {
			t.Fatalf("what leaves is no object: %v", err)
		}
		if unknown := left.ProtoReflect().GetUnknown(); len(unknown) > 0 {
			t.Errorf("fields that nobody knows leave: %x", unknown)
		}
		for _, a := range left.GetAttributes() {
			if name := strings.ToLower(a.GetName()); name != "title" && name != "mail" || len(a.ProtoReflect().GetUnknown()) > 0 {
				t.Errorf("attribute %q leaves", a.GetName())
			}
		}
	})
}
