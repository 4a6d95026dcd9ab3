package scim_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim"
	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func TestMain(m *testing.M) { connkit.Main(m, scim.New()) }

// A peer is a server that the connector is tried on.
type peer struct {
	client   connectorv1.ConnectorServiceClient
	url      string
	settings map[string]any
	secrets  map[string]string
	double   *double.Server // nil: it is scimmy
}

const token = "token-that-nobody-may-see"

// serveDouble runs a double and opens the connector on it; more are settings
// besides the address.
func serveDouble(t testing.TB, opt double.Options, more map[string]any) *peer {
	t.Helper()
	opt.Token = token
	d := double.New(opt)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	p := openPeer(t, server.URL, token, more)
	p.double = d
	return p
}

func openPeer(t testing.TB, url, token string, more map[string]any) *peer {
	t.Helper()
	p := &peer{url: url, settings: map[string]any{"url": url, "page_size": 7}, secrets: map[string]string{"token": token}}
	for key, value := range more {
		p.settings[key] = value
	}
	p.client = connkit.Open(t, scim.New(), p.settings, p.secrets)
	return p
}

// peers runs a test on scimmy, which others wrote, and on the plain double.
func peers(t *testing.T, test func(t *testing.T, p *peer)) {
	t.Run("double", func(t *testing.T) {
		t.Parallel()
		test(t, serveDouble(t, double.Options{}, nil))
	})
	t.Run("scimmy", func(t *testing.T) {
		t.Parallel()
		s := scimmy.StartTest(t, scimmy.Options{})
		test(t, openPeer(t, s.URL, s.Token, nil))
	})
}

const department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
const manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"

var person = []string{"userName", "externalId", "name.givenName", "name.familyName", `emails[type eq "work"].value`, `emails[type eq "home"].value`,
	`phoneNumbers[type eq "mobile"].value`, `addresses[type eq "work"].locality`, `addresses[type eq "work"].country`, "title", "enabled", "memberOf", department, manager}

func (p *peer) apply(t testing.TB, op *connectorv1.Operation) *connectorv1.ApplyResponse {
	t.Helper()
	if op.ReturnAttributes == nil {
		op.ReturnAttributes = person
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := p.client.Apply(ctx)
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

func (p *peer) done(t testing.TB, op *connectorv1.Operation, unchanged bool) *connectorv1.Object {
	t.Helper()
	r := p.apply(t, op)
	if r.GetOutcome() != sdk.OutcomeDone || r.GetUnchanged() != unchanged {
		t.Fatalf("%v = %v; want DONE, unchanged %v", op.GetVerb(), r, unchanged)
	}
	if r.GetObject() == nil {
		return nil
	}
	return connkit.Object(t, r.GetObject())
}

func attributes(pairs ...string) []*connectorv1.Attribute {
	var list []*connectorv1.Attribute
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &connectorv1.Attribute{Name: pairs[i], Values: []string{pairs[i+1]}})
	}
	return list
}

func create(name string, more ...string) *connectorv1.Operation {
	list := attributes(append([]string{"userName", name, "externalId", "x-" + name}, more...)...)
	return &connectorv1.Operation{Class: "User", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
		Name: name, Attributes: list, Enabled: true, Anchor: list[1]}}}
}

func group(name string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "Group", ReturnAttributes: []string{"displayName", "members"}, Verb: &connectorv1.Operation_Create{
		Create: &connectorv1.Create{Name: name, Enabled: true, Anchor: attributes("displayName", name)[0]}}}
}

func modify(id string, changes ...*connectorv1.Change) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "User", Id: id, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: changes}}}
}

func change(name, expect, want string) *connectorv1.Change {
	c := &connectorv1.Change{Name: name}
	if expect != "" {
		c.Expect = []string{expect}
	}
	if want != "" {
		c.Want = []string{want}
	}
	return c
}

func membership(id string, join, leave []string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "User", Id: id, Verb: &connectorv1.Operation_ChangeMembership{
		ChangeMembership: &connectorv1.ChangeMembership{Join: join, Leave: leave}}}
}

// values are the attributes of an object that have any.
func values(o *connectorv1.Object) map[string]string {
	list := map[string]string{}
	for _, a := range o.GetAttributes() {
		if len(a.GetValues()) > 0 {
			list[a.GetName()] = strings.Join(a.GetValues(), "|")
		}
	}
	return list
}

func (p *peer) read(t testing.TB, class string, cookie []byte, names ...string) connkit.Reading {
	t.Helper()
	r := connkit.Read(t, p.client, &connectorv1.ReadRequest{Classes: []string{class}, Attributes: names, Cookie: cookie})
	if r.End.GetOutcome() != sdk.OutcomeDone {
		t.Fatalf("read ended %v; want DONE", r.End)
	}
	return r
}

func (p *peer) find(t testing.TB, attribute string, wanted ...string) []*connectorv1.Object {
	t.Helper()
	r, err := p.client.Find(t.Context(), &connectorv1.FindRequest{Class: "User", Attribute: attribute, Values: wanted, ReturnAttributes: person})
	if err != nil || r.GetOutcome() != sdk.OutcomeDone {
		t.Fatalf("Find(%s) = %v, %v; want DONE", attribute, r, err)
	}
	var list []*connectorv1.Object
	for _, record := range r.GetRecords() {
		list = append(list, connkit.Object(t, record))
	}
	return list
}

// An account lives its whole life: each value that is written comes back, in
// the object that the write returns and in the next read.
func TestLife(t *testing.T) {
	t.Parallel()
	peers(t, life)
}

func life(t *testing.T, p *peer) {
	boss := p.done(t, create("boss@corp.example"), false).GetId()
	made := p.done(t, create("ada@corp.example", "name.givenName", "Ada", "name.familyName", "Lovelace", `emails[type eq "work"].value`, "ada@corp.example",
		`addresses[type eq "work"].locality`, "London", `addresses[type eq "work"].country`, "GB", "title", "Countess", department, "R&D", manager, boss), false)
	want := map[string]string{"userName": "ada@corp.example", "externalId": "x-ada@corp.example", "name.givenName": "Ada", "name.familyName": "Lovelace",
		`emails[type eq "work"].value`: "ada@corp.example", `addresses[type eq "work"].locality`: "London", `addresses[type eq "work"].country`: "GB",
		"title": "Countess", department: "R&D", manager: boss, "enabled": "true"}
	same := func(what string, o *connectorv1.Object) {
		t.Helper()
		if diff := cmp.Diff(want, values(o)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
	same("created", made)
	id := made.GetId()
	if again := p.done(t, create("ada@corp.example"), true); again.GetId() != id {
		t.Errorf("the same create again = %q; want %q", again.GetId(), id)
	}

	changes := modify(id, change("name.familyName", "Lovelace", "King"), change(`emails[type eq "work"].value`, "ada@corp.example", "king@corp.example"),
		change(`emails[type eq "home"].value`, "", "ada@home.example"), change(`phoneNumbers[type eq "mobile"].value`, "", "+44 1"),
		change(`addresses[type eq "work"].locality`, "London", "Ockham"), change("title", "Countess", ""), change(department, "R&D", "Computing"), change(manager, boss, ""))
	changed := p.done(t, changes, false)
	for name, value := range map[string]string{"name.familyName": "King", `emails[type eq "work"].value`: "king@corp.example", `emails[type eq "home"].value`: "ada@home.example",
		`phoneNumbers[type eq "mobile"].value`: "+44 1", `addresses[type eq "work"].locality`: "Ockham", department: "Computing"} {
		want[name] = value
	}
	delete(want, "title")
	delete(want, manager)
	same("changed", changed)
	same("changed again", p.done(t, changes, true))
	r := p.apply(t, modify(id, change("title", "Duchess", "Queen")))
	if r.GetOutcome() != sdk.OutcomeConflict || r.GetFault().GetAttribute() != "title" || r.GetFault().GetObject() != "ada@corp.example" {
		t.Errorf("a change of what is not there = %v; want CONFLICT at title of ada", r)
	}
	delete(want, `emails[type eq "home"].value`)
	same("changed back", p.done(t, modify(id, change(`emails[type eq "home"].value`, "ada@home.example", "")), false))
}

func TestEnableGroupsDelete(t *testing.T) {
	t.Parallel()
	peers(t, members)
}

func members(t *testing.T, p *peer) {
	id := p.done(t, create("ada@corp.example"), false).GetId()
	p.done(t, create("eve@corp.example"), false)
	var groups []string
	for _, name := range []string{"Staff", "Board", "Choir"} {
		g := p.done(t, group(name), false).GetId()
		if again := p.done(t, group(name), true).GetId(); again != g {
			t.Fatalf("group %s was made twice: %s, %s", name, g, again)
		}
		groups = append(groups, g)
	}
	disable := &connectorv1.Operation{Class: "User", Id: id, Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}}
	if got := values(p.done(t, disable, false))["enabled"]; got != "false" {
		t.Errorf("after disabling enabled = %s; want false", got)
	}
	p.done(t, disable, true)
	all := slices.Sorted(slices.Values(groups))
	if got := values(p.done(t, membership(id, groups, nil), false))["memberOf"]; got != strings.Join(all, "|") {
		t.Errorf("after joining memberOf = %s; want %s", got, all)
	}
	p.done(t, membership(id, groups[:1], nil), true)
	for _, o := range p.read(t, "user", nil, person...).Objects {
		if got, want := values(o)["memberOf"], map[bool]string{true: strings.Join(all, "|")}[o.GetId() == id]; got != want || o.GetClass() != "user" {
			t.Errorf("memberOf of %s = %q; want %q", o.GetAddress(), got, want)
		}
	}
	if got := values(p.done(t, membership(id, nil, groups[:2]), false))["memberOf"]; got != groups[2] {
		t.Errorf("after leaving memberOf = %s; want %s", got, groups[2])
	}
	p.done(t, membership(id, nil, groups[:2]), true)
	found := p.find(t, "externalId", "x-ada@corp.example", "nobody", `"; drop`)
	if len(found) != 1 || values(found[0])["memberOf"] != groups[2] {
		t.Errorf("found %v; want ada with group %s", found, groups[2])
	}
	remove := removal(id)
	p.done(t, remove, false)
	p.done(t, remove, true)
	if found := p.find(t, "userName", "ada@corp.example"); len(found) > 0 {
		t.Errorf("after the delete there is %v", found)
	}
	if r := p.apply(t, disable); r.GetOutcome() != sdk.OutcomeNotFound {
		t.Errorf("disabling what is gone = %v; want NOT_FOUND", r)
	}
}

// A name that belongs to another object is said to be taken, so that another
// can be tried.
func TestCreate_takenName(t *testing.T) {
	t.Parallel()
	peers(t, taken)
}

func taken(t *testing.T, p *peer) {
	p.done(t, create("ada@corp.example"), false)
	op := create("ada@corp.example")
	op.GetCreate().Anchor = attributes("externalId", "another person")[0]
	op.GetCreate().Attributes[1] = op.GetCreate().Anchor
	r := p.apply(t, op)
	if f := r.GetFault(); r.GetOutcome() != sdk.OutcomeConflict || !f.GetTaken() || f.GetAttribute() != "userName" {
		t.Errorf("create with a name of another = %v; want CONFLICT, userName taken", r)
	}
}

// Everything is read, over many pages, and once.
func TestRead_pages(t *testing.T) {
	t.Parallel()
	peers(t, pages)
}

func pages(t *testing.T, p *peer) {
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("user%02d", i)
		p.done(t, create(name), false)
		want = append(want, name)
	}
	var got []string
	for _, o := range p.read(t, "User", nil, "userName").Objects {
		got = append(got, values(o)["userName"])
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// After a full read only what has changed comes.
func TestReadChanges(t *testing.T) {
	t.Parallel()
	peers(t, func(t *testing.T, p *peer) {
		for i := range 12 {
			p.done(t, create(fmt.Sprintf("user%02d", i)), false)
		}
		id := p.find(t, "userName", "user03")[0].GetId()
		r := p.read(t, "User", nil, "userName", "title")
		if len(r.Objects) != 12 || len(r.End.GetCookie()) == 0 {
			t.Fatalf("full read = %d objects, cookie %q; want 12 and a cookie", len(r.Objects), r.End.GetCookie())
		}
		if r = p.read(t, "User", r.End.GetCookie(), "userName", "title"); len(r.Objects) != 0 {
			t.Errorf("changes = %v; want none", r.Objects)
		}
		p.done(t, modify(id, change("title", "", "Clerk")), false)
		p.done(t, create("later"), false)
		r = p.read(t, "User", r.End.GetCookie(), "userName", "title")
		if len(r.Objects) != 2 {
			t.Errorf("changes = %v; want two", r.Objects)
		}
		end := connkit.Read(t, p.client, &connectorv1.ReadRequest{Classes: []string{"User"}, Attributes: []string{"userName"}, Cookie: r.End.GetCookie()}).End
		if !end.GetResync() {
			t.Errorf("a cookie of other attributes ended %v; want resync", end)
		}
	})
}

func TestSchema(t *testing.T) {
	t.Parallel()
	peers(t, func(t *testing.T, p *peer) {
		r, err := p.client.Schema(t.Context(), &connectorv1.SchemaRequest{})
		if err != nil || r.GetFault() != nil {
			t.Fatalf("Schema() = %v, %v", r.GetFault(), err)
		}
		known := map[string]*connectorv1.AttributeType{}
		for _, class := range r.GetClasses() {
			for _, a := range class.GetAttributes() {
				known[class.GetName()+" "+a.GetName()] = a
			}
		}
		for _, name := range person {
			if known["User "+name] == nil {
				t.Errorf("User has no attribute %s", name)
			}
		}
		if a := known["User "+manager]; a.GetType() != connectorv1.Type_TYPE_REFERENCE || a.GetMulti() {
			t.Errorf("manager = %v; want one reference", a)
		}
		if a := known["Group members"]; a.GetType() != connectorv1.Type_TYPE_REFERENCE || !a.GetMulti() || a.GetReadOnly() {
			t.Errorf("members = %v; want references that can be written", a)
		}
		if a := known["User memberOf"]; !a.GetReadOnly() {
			t.Errorf("memberOf = %v; want it to be read alone", a)
		}
		if known["User password"] != nil {
			t.Error("the schema has a password, which cannot be read")
		}
	})
}

func TestProbe(t *testing.T) {
	t.Parallel()
	peers(t, func(t *testing.T, p *peer) {
		r, err := p.client.Probe(t.Context(), &connectorv1.ProbeRequest{Classes: []string{"User", "group"}})
		if err != nil || len(r.GetSteps()) != 4 {
			t.Fatalf("Probe() = %v, %v; want four steps", r, err)
		}
		for _, step := range r.GetSteps() {
			if step.GetOutcome() != sdk.OutcomeDone {
				t.Errorf("step %v; want DONE", step)
			}
		}
	})
}

func removal(id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "User", Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

func everybody() *connectorv1.ReadRequest {
	return &connectorv1.ReadRequest{Classes: []string{"User"}, Attributes: []string{"userName"}}
}

// connectorID makes an account and returns its native id, none if it cannot.
func connectorID(t *testing.T, p *peer, fails func(done bool)) string {
	t.Helper()
	r := p.apply(t, create("first@corp.example"))
	fails(r.GetOutcome() == sdk.OutcomeDone)
	return r.GetObject().GetId()
}
