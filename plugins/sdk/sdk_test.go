package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A memory is a system that does what a test tells it to.
type memory struct {
	read   func(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error)
	modify func(t sdk.Target) (sdk.Result, error)
}

type noSettings struct{}

func connector(m *memory) sdk.Connector {
	return sdk.New(sdk.Description{Name: "memory", Version: "0.1.0", Summary: "for tests",
		Capabilities: []sdk.Capability{sdk.CanRead, sdk.CanModify}},
		func(context.Context, noSettings, *slog.Logger) (*memory, error) { return m, nil })
}

func (m *memory) Close() error                                { return nil }
func (m *memory) Probe(context.Context, []string, *sdk.Steps) {}
func (m *memory) Schema(context.Context) ([]*connectorv1.Class, error) {
	return nil, errors.New("no schema")
}
func (m *memory) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	return m.read(ctx, q, out)
}
func (m *memory) Modify(_ context.Context, t sdk.Target, _ []*connectorv1.Change) (sdk.Result, error) {
	return m.modify(t)
}

// Objects must arrive as proto.Marshal would write them, whatever is in them:
// the agent compares them byte by byte, and others decode them.
func TestRead_objectsAreMarshalledAsProtobuf(t *testing.T) {
	t.Parallel()
	m := &memory{}
	client := connkit.Open(t, connector(m), "", nil)
	names := []string{"a", "mail", "Mail", "sn", "Zoë", "x"}
	rapid.Check(t, func(rt *rapid.T) {
		wanted := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"A", "mail", "SN", "zoë"}), rapid.ID).Draw(rt, "wanted")
		var given []sdk.Object
		var want [][]byte
		for i := range rapid.IntRange(0, 4).Draw(rt, "objects") {
			o := sdk.Object{Class: "user", ID: fmt.Sprint("id-", i), Address: rapid.String().Draw(rt, "address")}
			plain := &connectorv1.Object{Class: o.Class, Id: o.ID, Address: o.Address}
			for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(rt, "names") {
				values := rapid.SliceOf(rapid.String()).Draw(rt, "values")
				o.Attributes = append(o.Attributes, sdk.Attribute{Name: name, Values: values})
				if slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, name) }) {
					plain.Attributes = append(plain.Attributes, &connectorv1.Attribute{Name: name, Values: values})
				}
			}
			slices.SortFunc(plain.Attributes, func(a, b *connectorv1.Attribute) int { return strings.Compare(a.Name, b.Name) })
			b, err := proto.MarshalOptions{Deterministic: true}.Marshal(plain)
			if err != nil {
				rt.Fatal(err)
			}
			given, want = append(given, o), append(want, b)
		}
		m.read = func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
			for i := range given {
				if err := out.Object(&given[i]); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}
		stream, err := client.Read(t.Context(), &connectorv1.ReadRequest{Attributes: wanted})
		if err != nil {
			rt.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			rt.Fatal(err)
		}
		var got [][]byte
		for _, r := range response.GetRecords() {
			got = append(got, r.GetObject())
		}
		if !cmp.Equal(got, want) {
			rt.Fatalf("objects = %q; want %q", got, want)
		}
	})
}

// Batches bound the agent's memory; none may lose or repeat an object.
func TestRead_batches(t *testing.T) {
	t.Parallel()
	m := &memory{read: func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
		o := sdk.Object{Class: "user", Attributes: []sdk.Attribute{{Name: "n", Values: []string{""}}}}
		for i := range 3000 {
			o.ID, o.Attributes[0].Values[0] = fmt.Sprint(i), strings.Repeat("x", i) // used again
			if err := out.Object(&o); err != nil {
				return nil, err
			}
		}
		return []byte("later"), out.Gone("gone")
	}}
	got := connkit.Read(t, connkit.Open(t, connector(m), "", nil), &connectorv1.ReadRequest{Attributes: []string{"n"}})
	for i, o := range got.Objects {
		if o.GetId() != fmt.Sprint(i) || len(o.GetAttributes()[0].GetValues()[0]) != i {
			t.Fatalf("object %d = %v; want id and length %d", i, o.GetId(), i)
		}
	}
	if len(got.Objects) != 3000 || !cmp.Equal(got.Gone, []string{"gone"}) || string(got.End.GetCookie()) != "later" {
		t.Errorf("read %d objects, gone %q, end %v; want 3000, gone, later", len(got.Objects), got.Gone, got.End)
	}
	if got.Batches < 36 || got.Batches > 45 { // 4.5 MB by 120 KiB
		t.Errorf("read came in %d batches; want some 40", got.Batches)
	}
}

func TestRead_anObjectThatCannotBeSentIsSetAside(t *testing.T) {
	t.Parallel()
	m := &memory{read: func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
		n := func(v string) []sdk.Attribute { return []sdk.Attribute{{Name: "n", Values: []string{v}}} }
		return nil, errors.Join(
			out.Object(&sdk.Object{ID: "1", Attributes: n("\xff")}),
			out.Object(&sdk.Object{ID: "2", Attributes: append(n("a"), n("b")...)}),
			out.Object(&sdk.Object{Address: "nowhere", Attributes: n("a")}),
			out.Object(&sdk.Object{ID: "4", Attributes: n("a")}),
			out.Reject("line \xff", "because", ""))
	}}
	got := connkit.Read(t, connkit.Open(t, connector(m), "", nil), &connectorv1.ReadRequest{Attributes: []string{"n"}})
	if len(got.Objects) != 1 || got.Objects[0].GetId() != "4" || len(got.Rejects) != 4 {
		t.Errorf("read = %v, rejects %v; want object 4 and four rejects", got.Objects, got.Rejects)
	}
}

func TestRead_ends(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		read    func() error
		outcome connectorv1.Outcome
		cause   string
	}{
		{"an error of its own kind", func() error { return sdk.Denied("no right", "Give it.") }, sdk.OutcomeDenied, "no right"},
		{"any other error", func() error { return errors.New("broken") }, sdk.OutcomeUnavailable, "broken"},
		{"a panic", func() error { panic("secret") }, sdk.OutcomeUnknown, "panicked (string)"},
		{"a refused cookie", func() error { return fmt.Errorf("server: %w", sdk.ErrResync) }, sdk.OutcomeConflict, "refuses to continue"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := &memory{read: func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
				return []byte("cookie"), errors.Join(out.Object(&sdk.Object{ID: "1"}), test.read())
			}}
			got := connkit.Read(t, connkit.Open(t, connector(m), "", nil), &connectorv1.ReadRequest{})
			if got.End.GetOutcome() != test.outcome || !strings.Contains(got.End.GetFault().GetCause(), test.cause) ||
				got.End.GetCookie() != nil || got.End.GetResync() != (test.outcome == sdk.OutcomeConflict) {
				t.Errorf("end = %v; want %v because %q", got.End, test.outcome, test.cause)
			}
		})
	}
}

// A reader must not run away from an agent that is slow.
func TestRead_waitsForTheAgent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	given := 0
	m := &memory{read: func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
		value := strings.Repeat("x", 10_000)
		for {
			mu.Lock()
			given++
			mu.Unlock()
			if err := out.Object(&sdk.Object{ID: "1", Attributes: []sdk.Attribute{{Name: "n", Values: []string{value}}}}); err != nil {
				return nil, err
			}
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := connkit.Open(t, connector(m), "", nil).Read(ctx, &connectorv1.ReadRequest{Attributes: []string{"n"}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // nothing is received
	mu.Lock()
	defer mu.Unlock()
	if given == 0 || given*10_000 > 4*sdk.Window {
		t.Errorf("the reader gave %d bytes to an agent that takes none; want some, less than %d", given*10_000, 4*sdk.Window)
	}
}

func apply(t *testing.T, client connectorv1.ConnectorServiceClient, ops ...*connectorv1.ApplyRequest) map[uint64]*connectorv1.ApplyResponse {
	t.Helper()
	stream, err := client.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		if err := stream.Send(op); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answers := map[uint64]*connectorv1.ApplyResponse{}
	for range ops {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		answers[r.GetTag()] = r
	}
	return answers
}

func modification(tag uint64, id string) *connectorv1.ApplyRequest {
	return &connectorv1.ApplyRequest{Tag: tag, Operation: &connectorv1.Operation{Class: "user", Id: id, ReturnAttributes: []string{"n"},
		Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{}}}}
}

// Each operation gets its own answer, whatever becomes of the others, and none
// waits for another: the first here waits for the last.
func TestApply(t *testing.T) {
	t.Parallel()
	last := make(chan struct{})
	object := &sdk.Object{Class: "user", ID: "found", Attributes: []sdk.Attribute{{Name: "n", Values: []string{"v"}}, {Name: "other"}}}
	m := &memory{modify: func(target sdk.Target) (sdk.Result, error) {
		switch target.ID {
		case "first":
			<-last
			return sdk.Result{Server: "dc1"}, nil
		case "same":
			return sdk.Result{Unchanged: true, Object: object}, nil
		case "panic":
			none := make([]int, 0, len(target.ID))
			none[len(target.ID)]++
		case "taken":
			e := sdk.Conflict("it is taken \xff", "Try another.").On("CN=x").At("mail")
			e.Taken, e.RetryAfter = true, time.Second
			return sdk.Result{Object: object}, fmt.Errorf("modify: %w", e)
		case "last":
			close(last)
		}
		return sdk.Result{}, errors.New("connection reset")
	}}
	create := &connectorv1.ApplyRequest{Tag: 6, Operation: &connectorv1.Operation{Class: "user",
		Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{}}}}
	got := apply(t, connkit.Open(t, connector(m), "", nil), modification(1, "first"), modification(2, "same"),
		modification(3, "panic"), modification(4, "taken"), create, modification(7, ""), modification(5, "last"))
	for tag, want := range map[uint64]struct {
		outcome connectorv1.Outcome
		cause   string
	}{
		1: {sdk.OutcomeDone, ""}, 2: {sdk.OutcomeDone, ""}, 3: {sdk.OutcomeUnknown, "index out of range"},
		4: {sdk.OutcomeConflict, "it is taken \uFFFD"}, 5: {sdk.OutcomeUnknown, "connection reset"},
		6: {sdk.OutcomeInvalid, "cannot carry out a create"}, 7: {sdk.OutcomeInvalid, "names no class or no object"},
	} {
		r := got[tag]
		if r.GetOutcome() != want.outcome || !strings.Contains(r.GetFault().GetCause(), want.cause) || (r.GetFault() == nil) != (want.cause == "") {
			t.Errorf("answer %d = %v; want %v %q", tag, r, want.outcome, want.cause)
		}
	}
	if f := got[4].GetFault(); !f.GetTaken() || f.GetObject() != "CN=x" || f.GetAttribute() != "mail" || f.GetRetryAfter().AsDuration() != time.Second {
		t.Errorf("fault of a taken value = %v; want all of it", f)
	}
	want := &connectorv1.Object{Class: "user", Id: "found", Attributes: []*connectorv1.Attribute{{Name: "n", Values: []string{"v"}}}}
	for _, tag := range []uint64{2, 4} {
		if diff := cmp.Diff(want, connkit.Object(t, got[tag].GetObject()), protocmp.Transform()); diff != "" {
			t.Errorf("object of answer %d (-want +got):\n%s", tag, diff)
		}
	}
	if !got[2].GetUnchanged() || got[4].GetUnchanged() || got[1].GetServer() != "dc1" {
		t.Errorf("answers = %v; want 2 unchanged, 1 by dc1", got)
	}
}

func TestService_needsToBeOpenedOnce(t *testing.T) {
	t.Parallel()
	client := connkit.Serve(t, connector(&memory{}))
	if _, err := client.Schema(t.Context(), &connectorv1.SchemaRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Schema before Open: %v; want FailedPrecondition", err)
	}
	if fault := connkit.OpenFault(t, client, "", nil); fault != nil {
		t.Fatal(fault)
	}
	if _, err := client.Open(t.Context(), &connectorv1.OpenRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("second Open: %v; want FailedPrecondition", err)
	}
	if r, err := client.Schema(t.Context(), &connectorv1.SchemaRequest{}); err != nil || r.GetFault().GetCause() != "no schema" {
		t.Errorf("Schema() = %v, %v; want the fault", r, err)
	}
	if _, err := client.Describe(t.Context(), &connectorv1.DescribeRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("Describe without a protocol: %v; want InvalidArgument", err)
	}
}

// A capability that is declared and not there, or the reverse, is found when
// the connector starts and not when a customer needs it.
func TestConnector_Check(t *testing.T) {
	t.Parallel()
	make := func(capabilities ...sdk.Capability) error {
		return sdk.New(sdk.Description{Name: "x", Version: "1.0.0", Summary: "s", Capabilities: capabilities},
			func(context.Context, noSettings, *slog.Logger) (*memory, error) { return nil, nil }).Check()
	}
	if err := make(sdk.CanRead, sdk.CanModify); err != nil {
		t.Errorf("Check() = %v; want nil", err)
	}
	if err := make(sdk.CanRead, sdk.CanModify, sdk.CanFind); err == nil || !strings.Contains(err.Error(), "does not implement sdk.Finder") {
		t.Errorf("Check() = %v; want Finder named", err)
	}
	if err := make(sdk.CanRead); err == nil || !strings.Contains(err.Error(), "implements sdk.Modifier") {
		t.Errorf("Check() = %v; want Modifier named", err)
	}
	type untagged struct{ Path string }
	err := sdk.New(sdk.Description{}, func(context.Context, untagged, *slog.Logger) (sdk.System, error) { return nil, nil }).Check()
	for _, want := range []string{"no name", "no version", "no summary", "untagged.Path", "concrete type"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check() = %v; want %q in it", err, want)
		}
	}
}
