// Package proto_test holds today's contracts to those of earlier releases.
//
// testdata/RELEASE/contracts.binpb is what buf compares today's contracts with
// (`make proto-lint`): no number is reused, no type changed. messages.txt beside
// it holds each message as that release encoded it, every field filled, one for
// each arm of a oneof; here today's code reads them. `make proto-release
// RELEASE=x` writes both.
package proto_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

var release = flag.String("release", "", "write testdata/RELEASE/messages.txt, which must not be there yet")

func contracts() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{connectorv1.File_connector_v1_connector_proto, linkv1.File_link_v1_link_proto}
}

// A message of an earlier release is read by today's code: every field is
// known, and is written again byte by byte.
func TestMessages_ofEarlierReleases(t *testing.T) {
	t.Parallel()
	if *release != "" {
		write(t, filepath.Join("testdata", *release, "messages.txt"))
	}
	files, err := filepath.Glob("testdata/*/messages.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus of a release, %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			name, encoded, _ := strings.Cut(line, " ")
			was, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatalf("%s line %d: %v", file, n+1, err)
			}
			kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
			if err != nil {
				t.Errorf("%s line %d: message %s is gone: %v", file, n+1, name, err)
				continue
			}
			m := kind.New().Interface()
			if err := proto.Unmarshal(was, m); err != nil {
				t.Errorf("%s line %d: %s is not read: %v", file, n+1, name, err)
				continue
			}
			if field := strange(m.ProtoReflect()); field != "" {
				t.Errorf("%s line %d: %s has a field that is not known any more", file, n+1, field)
			}
			if now, err := (proto.MarshalOptions{Deterministic: true}).Marshal(m); err != nil || !bytes.Equal(now, was) {
				t.Errorf("%s line %d: %s is written as %x, %v; was %x", file, n+1, name, now, err, was)
			}
		}
	}
}

// strange is the message, this or one within, that holds what is not known.
func strange(m protoreflect.Message) (name string) {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().FullName())
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap() || field.Message() == nil:
		case field.IsList():
			for i := range v.List().Len() {
				name = max(name, strange(v.List().Get(i).Message()))
			}
		default:
			name = strange(v.Message())
		}
		return name == ""
	})
	return name
}

func write(t *testing.T, file string) {
	if _, err := os.Stat(file); err == nil {
		t.Fatalf("%s is there: what was released is not written again", file)
	}
	var text strings.Builder
	for _, contract := range contracts() {
		for i := range contract.Messages().Len() {
			for _, m := range filled(t, contract.Messages().Get(i), 3) {
				b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&text, "%s %s\n", m.Descriptor().FullName(), base64.StdEncoding.EncodeToString(b))
			}
		}
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// filled returns messages with all fields set: one, or as many as its oneofs
// have arms. Messages within are filled to the depth.
func filled(t *testing.T, d protoreflect.MessageDescriptor, depth int) []protoreflect.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	var arms []protoreflect.FieldDescriptor
	for i := range d.Fields().Len() {
		if f := d.Fields().Get(i); f.ContainingOneof() != nil {
			arms = append(arms, f)
		}
	}
	if len(arms) == 0 {
		arms = append(arms, nil)
	}
	var all []protoreflect.Message
	for _, arm := range arms {
		m := kind.New()
		for i := range d.Fields().Len() {
			if f := d.Fields().Get(i); f.ContainingOneof() == nil || f == arm {
				fill(t, m, f, depth)
			}
		}
		all = append(all, m)
	}
	return all
}

func fill(t *testing.T, m protoreflect.Message, f protoreflect.FieldDescriptor, depth int) {
	t.Helper()
	value := func(f protoreflect.FieldDescriptor) (protoreflect.Value, bool) {
		switch f.Kind() {
		case protoreflect.MessageKind:
			if depth == 0 {
				return protoreflect.Value{}, false
			}
			within := filled(t, f.Message(), depth-1)
			return protoreflect.ValueOfMessage(within[int(f.Number())%len(within)]), true
		case protoreflect.EnumKind:
			values := f.Enum().Values()
			return protoreflect.ValueOfEnum(values.Get(values.Len() - 1).Number()), true
		case protoreflect.BoolKind:
			return protoreflect.ValueOfBool(true), true
		case protoreflect.StringKind:
			return protoreflect.ValueOfString("value of " + string(f.Name())), true
		case protoreflect.BytesKind:
			return protoreflect.ValueOfBytes([]byte{0, 255, byte(f.Number())}), true
		case protoreflect.Int32Kind:
			return protoreflect.ValueOfInt32(-int32(f.Number())), true
		case protoreflect.Int64Kind:
			return protoreflect.ValueOfInt64(-1 << 40), true
		case protoreflect.Uint32Kind:
			return protoreflect.ValueOfUint32(1 << 30), true
		case protoreflect.Uint64Kind:
			return protoreflect.ValueOfUint64(1 << 60), true
		case protoreflect.DoubleKind:
			return protoreflect.ValueOfFloat64(0.5), true
		}
		t.Fatalf("%s is of kind %s, which the corpus has not had: teach fill", f.FullName(), f.Kind())
		return protoreflect.Value{}, false
	}
	switch {
	case f.IsMap():
		if v, ok := value(f.MapValue()); ok {
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), v)
		}
	case f.IsList():
		if v, ok := value(f); ok {
			m.Mutable(f).List().Append(v)
		}
	default:
		if v, ok := value(f); ok {
			m.Set(f, v)
		}
	}
}

// Every release that is compared with has both files.
func TestReleases_areWhole(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no release, %v", err)
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(dir + "/*")
		if want := []string{dir + "/contracts.binpb", dir + "/messages.txt"}; err != nil || !slices.Equal(files, want) {
			t.Errorf("%s holds %q, %v; want %q", dir, files, err, want)
		}
	}
}
