package scim_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connector "github.com/drawbridge-id/drawbridge/plugins/scim"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func TestMain(m *testing.M) { connkit.Main(m, connector.New()) }

// The scim connector reads and writes the server as it does anybody's, and the
// conformance kit finds nothing wrong with the two.
func TestPeer_connector(t *testing.T) {
	t.Parallel()
	h := serve(t)
	for i := range 25 {
		h.want(t, 201, h.push, "POST", "/Users", worker(fmt.Sprintf("E%d", i), fmt.Sprintf("Given%d", i), "Family"))
	}
	h.want(t, 201, h.push, "POST", "/Groups", team("crew", nil))
	settings := map[string]any{"url": h.url, "page_size": 7}
	secrets := map[string]string{"token": h.push}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report, err := connkit.Run(t.Context(), connkit.Config{
		Executable: self, Dir: t.TempDir(),
		Connector: "scim", Settings: settings, Secrets: secrets, Class: "User", Attributes: []string{"userName", "title", "enabled"},
		Create: &connkit.Create{Name: "kit-{n}", Anchor: "externalId", Enabled: true, Attributes: map[string]connkit.Values{
			"userName": {"kit-{n}@corp.example"}, "externalId": {"{n}"}, "name.givenName": {"Zoë"}, "name.familyName": {"O'Brien"},
			`emails[type eq "work"].value`: {"kit-{n}@corp.example"}}},
		Group: &connkit.Group{Class: "Group", Attribute: "displayName", Value: "crew", ShownIn: "memberOf"},
		Samples: map[string][2]connkit.Values{
			"title": {{"Clerk"}, {"Head"}}, enterprise + ":department": {{"Sales"}, {"Research & Development"}},
			`emails[type eq "home"].value`: {{"a@x.example"}, {"b@x.example"}}, "active": {{"true"}, {"false"}},
			"urn:ietf:params:scim:schemas:extension:drawbridge:2.0:User:office": {{"B 12"}, {"C 3"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		// People have no passwords here, which the server says and the connector reports.
		found := slices.DeleteFunc(r.Found, func(text string) bool { return strings.Contains(text, "User has no password") })
		if r.Verdict == connkit.Failed && len(found) > 0 {
			t.Errorf("%s: %s", r.What, strings.Join(found, "; "))
		}
	}
	// Groups are made, nested, renamed and removed as at anybody's.
	pusher := connkit.Open(t, connector.New(), settings, secrets)
	do := func(id string, op *connectorv1.Operation) *connectorv1.Object {
		t.Helper()
		op.Class, op.Id, op.ReturnAttributes = "Group", id, []string{"displayName", "memberOf"}
		r := connkit.Apply(t, pusher, op)
		if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || r.GetUnchanged() {
			t.Fatalf("%v = %v; want it done", op.GetVerb(), r)
		}
		return connkit.Object(t, r.GetObject())
	}
	create := func(name string) string {
		return do("", &connectorv1.Operation{Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
			Name: name, Enabled: true, Anchor: &connectorv1.Attribute{Name: "displayName", Values: []string{name}}}}}).GetId()
	}
	outer, inner := create("Outer"), create("Inner")
	do(inner, &connectorv1.Operation{Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{outer}}}})
	do(inner, &connectorv1.Operation{Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{
		{Name: "displayName", Expect: []string{"Inner"}, Want: []string{"Within"}}}}}})
	read := connkit.Read(t, pusher, &connectorv1.ReadRequest{Classes: []string{"Group"}, Attributes: []string{"displayName", "memberOf"}})
	in := map[string]string{}
	for _, o := range read.Objects {
		in[o.GetId()] = fmt.Sprint(o.GetAttributes())
	}
	if len(read.Objects) != 3 || !strings.Contains(in[inner], "Within") || !strings.Contains(in[inner], outer) || strings.Contains(in[outer], inner) {
		t.Errorf("groups are read as %v; want Within in Outer, and crew", in)
	}
	// An application's token reads the directory, the same people.
	client := connkit.Open(t, connector.New(), settings, map[string]string{"token": h.read})
	r := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"User"}, Attributes: []string{"userName", "externalId", enterprise + ":department"}})
	if len(r.Objects) < 25 {
		t.Errorf("the connector read %d people of the directory (%v); want 25 or more", len(r.Objects), r.End)
	}
}
