package connkit

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Case is a connector and a system that it is tried on, which holds some
// objects and nobody else changes meanwhile.
type Case struct {
	Connector  sdk.Connector
	Settings   any // see Open
	Secrets    map[string]string
	Class      string   // of which there are objects
	Attributes []string // some that most of them have; the first has a value of its own in each

	// Create, for a connector that creates, wants an object of Class that is
	// not there, and returns some of its attributes.
	Create *connectorv1.Operation
	// Change, for a connector that modifies, changes one attribute of what
	// Create makes from empty or its first value to another.
	Change *connectorv1.Change
}

// Conform checks what every connector must keep. Each is a subtest.
func Conform(t *testing.T, c Case) {
	t.Run("describes itself", c.describes)
	t.Run("refuses unknown settings and can be opened after it", c.refusesSettings)
	client := Open(t, c.Connector, c.Settings, c.Secrets)
	can := func(capability sdk.Capability) bool { return slices.Contains(c.Connector.Capabilities, capability) }
	t.Run("probes", func(t *testing.T) { c.probes(t, client) })
	t.Run("has a schema in order", func(t *testing.T) { c.schema(t, client) })
	if can(sdk.CanRead) {
		t.Run("reads the same twice", func(t *testing.T) { c.readsTwice(t, client) })
		t.Run("gives no attribute unasked", func(t *testing.T) { c.readsNothingElse(t, client) })
		t.Run("outlives a read that is given up", func(t *testing.T) { c.outlivesCancel(t, client) })
	}
	if can(sdk.CanReadChanges) {
		t.Run("has no changes when nothing has changed", func(t *testing.T) { c.readsChanges(t, client) })
	}
	if can(sdk.CanRead) && can(sdk.CanFind) {
		t.Run("finds what it reads", func(t *testing.T) { c.finds(t, client) })
	}
	t.Run("refuses what it cannot do", func(t *testing.T) { c.refusesVerbs(t, client) })
	if can(sdk.CanCreate) && c.Create != nil {
		t.Run("writes so that repeating is harmless", func(t *testing.T) { c.writes(t, client, can) })
	}
}

// Apply carries out one operation on a stream of its own.
func Apply(t testing.TB, client connectorv1.ConnectorServiceClient, op *connectorv1.Operation) *connectorv1.ApplyResponse {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Apply(ctx)
	if err == nil {
		err = stream.Send(&connectorv1.ApplyRequest{Tag: 7, Operation: op})
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil || r.GetTag() != 7 {
		t.Fatalf("answer = %v, %v; want one of tag 7", r, err)
	}
	if (r.GetOutcome() == sdk.OutcomeDone) != (r.GetFault() == nil) {
		t.Errorf("answer = %v; want a fault unless it is done", r)
	}
	if f := r.GetFault(); f != nil && (f.GetCause() == "" || f.GetNextStep() == "") {
		t.Errorf("fault = %v; want a cause and a next step", f)
	}
	return r
}

func (c Case) describes(t *testing.T) {
	client := Serve(t, c.Connector)
	for _, protocol := range []uint32{sdk.Protocol, sdk.Protocol + 1} {
		d, err := client.Describe(t.Context(), &connectorv1.DescribeRequest{Protocol: protocol})
		if err != nil || d.GetProtocol() != sdk.Protocol || d.GetName() != strings.ToLower(d.GetName()) || d.GetVersion() == "" {
			t.Errorf("Describe(%d) = %v, %v; want protocol %d, a name in lower case and a version", protocol, d, err, sdk.Protocol)
		}
		if !json.Valid([]byte(d.GetSettingsSchema())) {
			t.Errorf("the settings' schema is no JSON: %s", d.GetSettingsSchema())
		}
	}
}

func (c Case) refusesSettings(t *testing.T) {
	client := Serve(t, c.Connector)
	fault := OpenFault(t, client, `{"no such setting": 1}`, nil)
	if !strings.Contains(fault.GetCause(), "no such setting") || fault.GetNextStep() == "" {
		t.Errorf("fault = %v; want the unknown setting named, and what to do", fault)
	}
	if fault := OpenFault(t, client, c.Settings, c.Secrets); fault != nil {
		t.Errorf("fault of the right settings = %v; want none", fault)
	}
}

func (c Case) probes(t *testing.T, client connectorv1.ConnectorServiceClient) {
	r, err := client.Probe(t.Context(), &connectorv1.ProbeRequest{Classes: []string{c.Class}})
	if err != nil || len(r.GetSteps()) == 0 {
		t.Fatalf("Probe() = %v, %v; want steps", r, err)
	}
	for _, step := range r.GetSteps() {
		if step.GetName() == "" || step.GetOutcome() != sdk.OutcomeDone || step.GetTook() == nil {
			t.Errorf("step = %v; want a name, DONE and the time it took", step)
		}
	}
}

func (c Case) schema(t *testing.T, client connectorv1.ConnectorServiceClient) {
	r, err := client.Schema(t.Context(), &connectorv1.SchemaRequest{})
	if err != nil || r.GetFault() != nil {
		t.Fatalf("Schema() = %v, %v; want classes", r.GetFault(), err)
	}
	at := slices.IndexFunc(r.GetClasses(), func(class *connectorv1.Class) bool { return class.GetName() == c.Class })
	if at < 0 {
		t.Fatalf("the schema has no class %q", c.Class)
	}
	known, last := map[string]bool{}, ""
	for _, a := range r.GetClasses()[at].GetAttributes() {
		fold := strings.ToLower(a.GetName())
		if a.GetName() <= last || known[fold] || a.GetType() == connectorv1.Type_TYPE_UNSPECIFIED {
			t.Errorf("attribute %v after %q; want ascending names, each once, with a type", a, last)
		}
		known[fold], last = true, a.GetName()
	}
	for _, name := range c.Attributes {
		if !known[strings.ToLower(name)] {
			t.Errorf("the schema of %q has no attribute %q", c.Class, name)
		}
	}
}

func (c Case) request() *connectorv1.ReadRequest {
	return &connectorv1.ReadRequest{Classes: []string{c.Class}, Attributes: c.Attributes}
}

func (c Case) read(t *testing.T, client connectorv1.ConnectorServiceClient, request *connectorv1.ReadRequest) (Reading, map[string]*connectorv1.Object) {
	t.Helper()
	r, objects := Read(t, client, request), map[string]*connectorv1.Object{}
	if r.End.GetOutcome() != sdk.OutcomeDone {
		t.Fatalf("read ended %v; want DONE", r.End)
	}
	for _, o := range r.Objects {
		if o.GetId() == "" || objects[o.GetId()] != nil || o.GetClass() != c.Class {
			t.Errorf("object %v; want an id of its own and class %q", o, c.Class)
		}
		objects[o.GetId()] = o
	}
	return r, objects
}

func (c Case) readsTwice(t *testing.T, client connectorv1.ConnectorServiceClient) {
	_, first := c.read(t, client, c.request())
	_, second := c.read(t, client, c.request())
	if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" || len(first) == 0 {
		t.Errorf("of %d objects, the second read shows (-first +second):\n%s", len(first), diff)
	}
	for id, o := range first { // as bytes, for so the agent compares them
		a, errA := proto.MarshalOptions{Deterministic: true}.Marshal(o)
		b, errB := proto.MarshalOptions{Deterministic: true}.Marshal(second[id])
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("object %q is not the same twice", id)
		}
	}
}

func (c Case) readsNothingElse(t *testing.T, client connectorv1.ConnectorServiceClient) {
	request := c.request()
	request.Attributes = []string{strings.ToUpper(c.Attributes[0])} // by any spelling
	_, objects := c.read(t, client, request)
	some := false
	for _, o := range objects {
		for _, a := range o.GetAttributes() {
			some = some || len(a.GetValues()) > 0
			if !strings.EqualFold(a.GetName(), c.Attributes[0]) {
				t.Fatalf("object %q shows %q; want nothing but %q", o.GetId(), a.GetName(), c.Attributes[0])
			}
		}
	}
	if !some {
		t.Errorf("no object shows %q, asked for as %q", c.Attributes[0], request.Attributes[0])
	}
	request.Classes = []string{"no such class"}
	if r := Read(t, client, request); len(r.Objects) > 0 {
		t.Errorf("read of a class that is not there = %v; want nothing", r.Objects)
	}
}

func (c Case) outlivesCancel(t *testing.T, client connectorv1.ConnectorServiceClient) {
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.Read(ctx, c.request())
	cancel()
	for err == nil {
		_, err = stream.Recv()
	}
	c.read(t, client, c.request())
}

func (c Case) readsChanges(t *testing.T, client connectorv1.ConnectorServiceClient) {
	first, _ := c.read(t, client, c.request())
	request := c.request()
	if request.Cookie = first.End.GetCookie(); len(request.Cookie) == 0 {
		t.Fatal("the full read gave no cookie")
	}
	if r, objects := c.read(t, client, request); len(objects) > 0 || len(r.Gone) > 0 || len(r.End.GetCookie()) == 0 {
		t.Errorf("changes = %v, gone %q, cookie %q; want none, and a cookie", objects, r.Gone, r.End.GetCookie())
	}
	request.Cookie = []byte("no cookie of yours")
	if end := Read(t, client, request).End; !end.GetResync() || end.GetOutcome() != sdk.OutcomeConflict {
		t.Errorf("read with a foreign cookie ended %v; want resync", end)
	}
}

func (c Case) finds(t *testing.T, client connectorv1.ConnectorServiceClient) {
	_, objects := c.read(t, client, c.request())
	find := func(value string) *connectorv1.FindResponse {
		r, err := client.Find(t.Context(), &connectorv1.FindRequest{Class: c.Class, Attribute: c.Attributes[0],
			Values: []string{value}, ReturnAttributes: c.Attributes})
		if err != nil || r.GetOutcome() != sdk.OutcomeDone {
			t.Fatalf("Find(%s=%q) = %v, %v; want DONE", c.Attributes[0], value, r, err)
		}
		return r
	}
	tried := 0
	for id, o := range objects {
		at := slices.IndexFunc(o.GetAttributes(), func(a *connectorv1.Attribute) bool { return strings.EqualFold(a.GetName(), c.Attributes[0]) })
		if at < 0 || len(o.GetAttributes()[at].GetValues()) == 0 {
			continue
		}
		value := o.GetAttributes()[at].GetValues()[0]
		r := find(value)
		if len(r.GetRecords()) != 1 || r.GetRecords()[0].GetId() != id {
			t.Errorf("Find(%s=%q) = %v; want %q alone", c.Attributes[0], value, r, id)
		} else if diff := cmp.Diff(o, Object(t, r.GetRecords()[0]), protocmp.Transform()); diff != "" {
			t.Errorf("found and read differ (-read +found):\n%s", diff)
		}
		if tried++; tried == 20 {
			break
		}
	}
	for _, value := range []string{"nobody has this value", `*)(x=*`, `\2a`, "'; --"} {
		if r := find(value); len(r.GetRecords()) > 0 {
			t.Errorf("Find(%s=%q) = %v; want nothing", c.Attributes[0], value, r)
		}
	}
}

func (c Case) refusesVerbs(t *testing.T, client connectorv1.ConnectorServiceClient) {
	rule := &connectorv1.PasswordRule{Length: 20}
	for capability, op := range map[sdk.Capability]*connectorv1.Operation{
		sdk.CanCreate:           {Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{}}},
		sdk.CanModify:           {Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{}}},
		sdk.CanMove:             {Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{}}},
		sdk.CanSetEnabled:       {Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}},
		sdk.CanChangeMembership: {Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{}}},
		sdk.CanSetPassword:      {Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{Rule: rule}}},
		sdk.CanDelete:           {Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}},
		sdk.Capability(0):       {}, // a verb of a later release
	} {
		if slices.Contains(c.Connector.Capabilities, capability) {
			continue
		}
		op.Class, op.Id = c.Class, "none"
		if r := Apply(t, client, op); r.GetOutcome() != sdk.OutcomeInvalid {
			t.Errorf("an operation that needs %v = %v; want INVALID", capability, r)
		}
	}
}

func (c Case) writes(t *testing.T, client connectorv1.ConnectorServiceClient, can func(sdk.Capability) bool) {
	want := func(op *connectorv1.Operation, outcome connectorv1.Outcome, unchanged bool) *connectorv1.ApplyResponse {
		t.Helper()
		r := Apply(t, client, op)
		if r.GetOutcome() != outcome || r.GetUnchanged() != unchanged {
			t.Fatalf("answer = %v; want %v, unchanged %v", r, outcome, unchanged)
		}
		return r
	}
	id := want(c.Create, sdk.OutcomeDone, false).GetObject().GetId()
	if again := want(c.Create, sdk.OutcomeDone, true).GetObject().GetId(); id == "" || again != id {
		t.Fatalf("created %q, and repeated %q; want the same object", id, again)
	}
	if can(sdk.CanModify) && c.Change != nil {
		modify := func(id string, change *connectorv1.Change) *connectorv1.Operation {
			return &connectorv1.Operation{Class: c.Class, Id: id, Verb: &connectorv1.Operation_Modify{
				Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{change}}}}
		}
		want(modify(id, c.Change), sdk.OutcomeDone, false)
		want(modify(id, c.Change), sdk.OutcomeDone, true)
		want(modify(id, &connectorv1.Change{Name: c.Change.GetName(), Expect: []string{"never there"}, Want: c.Change.GetExpect()}), sdk.OutcomeConflict, false)
		want(modify(id, &connectorv1.Change{Name: c.Change.GetName(), Expect: c.Change.GetWant()}), sdk.OutcomeDone, false)
	}
	if can(sdk.CanDelete) {
		remove := &connectorv1.Operation{Class: c.Class, Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
		want(remove, sdk.OutcomeDone, false)
		want(remove, sdk.OutcomeDone, true)
	}
}
