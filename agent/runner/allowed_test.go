package runner

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Whatever a connector returns, only what is mapped leaves, and nothing that
// this release cannot read.
func TestAllowed_strip(t *testing.T) {
	t.Parallel()
	attribute := func(name string) *connectorv1.Attribute {
		return &connectorv1.Attribute{Name: name, Values: []string{"v"}}
	}
	encode := func(o *connectorv1.Object, extra ...byte) []byte {
		b, err := proto.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return append(b, extra...)
	}
	hidden := attribute("mail")
	hidden.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 9, protowire.BytesType), "secret"))
	tests := map[string]struct {
		object   []byte
		kept     []string
		stripped bool
	}{
		"all mapped":       {encode(&connectorv1.Object{Id: "1", Class: "user", Attributes: []*connectorv1.Attribute{attribute("Mail"), attribute("title")}}), []string{"Mail", "title"}, false},
		"one not mapped":   {encode(&connectorv1.Object{Id: "1", Attributes: []*connectorv1.Attribute{attribute("mail"), attribute("salary")}}), []string{"mail"}, true},
		"without a name":   {encode(&connectorv1.Object{Attributes: []*connectorv1.Attribute{{Values: []string{"x"}}}}), nil, true},
		"unknown field":    {encode(&connectorv1.Object{Attributes: []*connectorv1.Attribute{attribute("mail")}}, protowire.AppendString(protowire.AppendTag(nil, 9, protowire.BytesType), "secret")...), []string{"mail"}, true},
		"hidden in values": {encode(&connectorv1.Object{Attributes: []*connectorv1.Attribute{hidden}}), nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &connectorv1.Record{Id: "1", Object: slices.Clone(tt.object)}
			stripped, err := newAllowed([]string{"mail", "TITLE"}).strip(r)
			if err != nil || (len(stripped) > 0) != tt.stripped {
				t.Fatalf("strip = %q, %v; want stripped %v", stripped, err, tt.stripped)
			}
			got := new(connectorv1.Object)
			if err := proto.Unmarshal(r.GetObject(), got); err != nil {
				t.Fatal(err)
			}
			var kept []string
			for _, a := range got.GetAttributes() {
				kept = append(kept, a.GetName())
				if len(a.ProtoReflect().GetUnknown()) > 0 {
					t.Errorf("attribute %s hides something", a.GetName())
				}
			}
			if !slices.Equal(kept, tt.kept) || len(got.ProtoReflect().GetUnknown()) > 0 {
				t.Errorf("kept %q with %d unknown bytes; want %q and none", kept, len(got.ProtoReflect().GetUnknown()), tt.kept)
			}
		})
	}
	if _, err := newAllowed(nil).strip(&connectorv1.Record{Id: "1", Object: []byte{0xff, 0xff}}); err == nil {
		t.Error("strip of what is no object = nil; want an error")
	}
}
