package fake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/fake"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

type settings map[string]any

func attribute(name string, values ...string) *connectorv1.Attribute {
	return &connectorv1.Attribute{Name: name, Values: values}
}

func create(login, name string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", ReturnAttributes: []string{"login", "enabled"},
		Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Container: "staff", Name: name,
			Attributes: []*connectorv1.Attribute{attribute("login", login), attribute("employeeNumber", login)},
			Anchor:     attribute("employeeNumber", login)}}}
}

func on(id string, op *connectorv1.Operation) *connectorv1.Operation {
	op.Class, op.Id = "user", id
	return op
}

func modify(id, name, expect, want string) *connectorv1.Operation {
	c := &connectorv1.Change{Name: name}
	if expect != "" {
		c.Expect = []string{expect}
	}
	if want != "" {
		c.Want = []string{want}
	}
	return on(id, &connectorv1.Operation{Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{c}}}})
}

// apply carries out one operation.
func apply(t *testing.T, client connectorv1.ConnectorServiceClient, op *connectorv1.Operation) *connectorv1.ApplyResponse {
	t.Helper()
	stream, err := client.Apply(t.Context())
	if err == nil {
		err = stream.Send(&connectorv1.ApplyRequest{Tag: 1, Operation: op})
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantOutcome(t *testing.T, r *connectorv1.ApplyResponse, want connectorv1.Outcome, unchanged bool) {
	t.Helper()
	if r.GetOutcome() != want || r.GetUnchanged() != unchanged {
		t.Errorf("answer = %v; want %v, unchanged %v", r, want, unchanged)
	}
}

// The directory keeps the contract: each operation wants a state, and what is
// not as expected is a conflict.
func TestOperations(t *testing.T) {
	t.Parallel()
	client := connkit.Open(t, fake.New(), settings{}, nil)
	wantOutcome(t, apply(t, client, create("ann", "Ann")), sdk.OutcomeDone, false)
	again := apply(t, client, create("ann", "Ann 2"))
	wantOutcome(t, again, sdk.OutcomeDone, true)
	id := again.GetObject().GetId()

	taken := create("bob", "Bob")
	taken.GetCreate().Attributes[0] = attribute("login", "ANN")
	r := apply(t, client, taken)
	if wantOutcome(t, r, sdk.OutcomeConflict, false); !r.GetFault().GetTaken() || r.GetFault().GetAttribute() != "login" {
		t.Errorf("fault = %v; want login taken", r.GetFault())
	}
	elsewhere := create("eve", "Eve")
	elsewhere.GetCreate().Container = "nowhere"
	wantOutcome(t, apply(t, client, elsewhere), sdk.OutcomeInvalid, false)
	elsewhere.GetCreate().MakeContainers = true
	wantOutcome(t, apply(t, client, elsewhere), sdk.OutcomeDone, false)

	wantOutcome(t, apply(t, client, modify(id, "Title", "", "Dr")), sdk.OutcomeDone, false)
	wantOutcome(t, apply(t, client, modify(id, "title", "", "Dr")), sdk.OutcomeDone, true)
	wantOutcome(t, apply(t, client, modify(id, "title", "Prof", "Mr")), sdk.OutcomeConflict, false)
	wantOutcome(t, apply(t, client, modify(id, "shoe", "", "44")), sdk.OutcomeInvalid, false)
	wantOutcome(t, apply(t, client, modify("user-99", "title", "", "Dr")), sdk.OutcomeNotFound, false)

	move := on(id, &connectorv1.Operation{Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{
		ExpectAddress: "staff/Ann", Container: "left", Name: "Ann"}}})
	wantOutcome(t, apply(t, client, move), sdk.OutcomeDone, false)
	wantOutcome(t, apply(t, client, move), sdk.OutcomeDone, true)
	move.GetMove().Container = "staff"
	wantOutcome(t, apply(t, client, move), sdk.OutcomeConflict, false)

	enable := on(id, &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: true}}})
	wantOutcome(t, apply(t, client, enable), sdk.OutcomeDone, false)
	wantOutcome(t, apply(t, client, enable), sdk.OutcomeDone, true)

	group := create("staff", "Staff")
	group.Class, group.GetCreate().Container = "group", "groups"
	group.GetCreate().Attributes, group.GetCreate().Anchor = group.GetCreate().Attributes[:1], attribute("login", "staff")
	gid := apply(t, client, group).GetObject().GetId()
	join := on(id, &connectorv1.Operation{ReturnAttributes: []string{"memberOf"},
		Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{gid}}}})
	joined := apply(t, client, join)
	wantOutcome(t, joined, sdk.OutcomeDone, false)
	if got := connkit.Object(t, joined.GetObject()).GetAttributes()[0].GetValues(); !cmp.Equal(got, []string{gid}) {
		t.Errorf("memberOf = %q; want %q", got, gid)
	}
	wantOutcome(t, apply(t, client, join), sdk.OutcomeDone, true)

	remove := on(id, &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
	wantOutcome(t, apply(t, client, remove), sdk.OutcomeDone, false)
	wantOutcome(t, apply(t, client, remove), sdk.OutcomeDone, true)
}

func TestPassword_isSealedToItsRecipient(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	client := connkit.Open(t, fake.New(), settings{"users": 1}, nil)
	r := apply(t, client, on("user-1", &connectorv1.Operation{Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{
		Rule: &connectorv1.PasswordRule{Length: 12, Recipients: []string{identity.Recipient().String()}}}}}))
	secret, err := sealed.Unseal(r.GetSealedPassword(), identity)
	if err != nil || len(secret.Reveal()) != 12 {
		t.Errorf("password of %d characters, %v; want 12", len(secret.Reveal()), err)
	}
}

// The second read gives what has changed, and what another process wrote.
func TestReadChanges(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	client := connkit.Open(t, fake.New(), settings{"users": 3, "state": state}, nil)
	request := &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"login", "title"}}
	first := connkit.Read(t, client, request)
	if len(first.Objects) != 3 {
		t.Fatalf("read = %v; want 3 users", first.Objects)
	}
	wantOutcome(t, apply(t, client, modify("user-2", "title", "", "Dr")), sdk.OutcomeDone, false)
	other, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := fmt.Fprint(other, `{"gone":"user-3"}`+"\n"+`{"object":{"class":"user","id":"mine","address":"staff/M"}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	request.Cookie = first.End.GetCookie()
	got := connkit.Read(t, client, request)
	var ids []string
	for _, o := range got.Objects {
		ids = append(ids, o.GetId())
	}
	if !cmp.Equal(ids, []string{"mine", "user-2"}) || !cmp.Equal(got.Gone, []string{"user-3"}) {
		t.Errorf("changes = %q, gone %q; want mine, user-2 and user-3", ids, got.Gone)
	}
	request.Cookie = []byte("fake1:999")
	if end := connkit.Read(t, client, request).End; !end.GetResync() || end.GetOutcome() != sdk.OutcomeConflict {
		t.Errorf("read with a strange cookie ended %v; want resync", end)
	}
}

// A write that a kill cut off never happened; all before it did.
func TestState_survives(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	client := connkit.Open(t, fake.New(), settings{"state": state}, nil)
	wantOutcome(t, apply(t, client, create("ann", "Ann")), sdk.OutcomeDone, false)
	f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"object":{"class":"us`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	client = connkit.Open(t, fake.New(), settings{"state": state}, nil)
	wantOutcome(t, apply(t, client, create("bob", "Bob")), sdk.OutcomeDone, false)
	client = connkit.Open(t, fake.New(), settings{"state": state}, nil)
	if got := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"user"}}); len(got.Objects) != 2 {
		t.Errorf("read = %v; want 2 users", got.Objects)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := settings{"users": 1, "state": state, "script": []settings{
		{"on": "modify", "call": 1, "do": "lose"},
		{"on": "modify", "call": 2, "times": 2, "do": "unavailable", "for": "3s"},
		{"on": "write", "call": 4, "do": "panic"},
		{"on": "modify", "call": 5, "do": "slow", "for": "100ms"},
		{"on": "read", "call": 1, "do": "denied", "given": 1},
	}}
	client := connkit.Open(t, fake.New(), s, nil)
	title := modify("user-1", "title", "", "Dr")
	wantOutcome(t, apply(t, client, title), sdk.OutcomeUnknown, false)
	r := apply(t, client, title)
	if wantOutcome(t, r, sdk.OutcomeUnavailable, false); r.GetFault().GetRetryAfter().AsDuration() != 3*time.Second {
		t.Errorf("fault = %v; want retry after 3 s", r.GetFault())
	}
	client = connkit.Open(t, fake.New(), s, nil) // goes on counting
	wantOutcome(t, apply(t, client, title), sdk.OutcomeUnavailable, false)
	wantOutcome(t, apply(t, client, title), sdk.OutcomeUnknown, false)
	began := time.Now()
	wantOutcome(t, apply(t, client, title), sdk.OutcomeDone, true) // the first did its work
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("a slow call took %v; want 100 ms or more", took)
	}
	got := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"user"}})
	if len(got.Objects) != 1 || got.End.GetOutcome() != sdk.OutcomeDenied {
		t.Errorf("read %v, end %v; want one object, then DENIED", got.Objects, got.End)
	}
}

// Users sees what a connector at work has written, and not the line that it is at.
func TestUsers(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	client := connkit.Open(t, fake.New(), settings{"state": state, "users": 1, "groups": 1}, nil)
	wantOutcome(t, apply(t, client, create("ann", "Ann")), sdk.OutcomeDone, false)
	wantOutcome(t, apply(t, client, on("user-1", &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})), sdk.OutcomeDone, false)
	f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"object":{"class":"user","id":"half`); err != nil {
		t.Fatal(err)
	}
	users, err := fake.Users(state)
	if err != nil || len(users) != 1 || users[0].Attributes["login"][0] != "ann" {
		t.Errorf("Users() = %+v, %v; want ann alone", users, err)
	}
}
