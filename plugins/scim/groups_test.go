package scim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// of makes an operation one on a group.
func ofGroup(op *connectorv1.Operation) *connectorv1.Operation {
	op.Class, op.ReturnAttributes = "Group", []string{"displayName", "memberOf"}
	return op
}

// A group is made, renamed and removed like any object, and is in other groups
// as a user is: told on its side, written as a small change of the other.
func TestGroups(t *testing.T) {
	t.Parallel()
	t.Run("put", func(t *testing.T) {
		t.Parallel()
		groups(t, serveDouble(t, double.Options{NoPatch: true, ETag: true}, nil))
	})
	t.Run("entra", func(t *testing.T) {
		t.Parallel()
		groups(t, serveDouble(t, double.Options{TitleOps: true, MembersByValue: true, Undescribed: true, TextBooleans: true, EqOnly: true}, map[string]any{"dialect": "entra"}))
	})
	t.Run("shown by users", func(t *testing.T) {
		t.Parallel()
		groups(t, serveDouble(t, double.Options{}, map[string]any{"deviations": map[string]any{"memberships": "users"}}))
	})
	t.Run("versions", func(t *testing.T) {
		t.Parallel()
		s := scimmy.StartTest(t, scimmy.Options{Versions: true})
		groups(t, openPeer(t, s.URL, s.Token, nil))
	})
	peers(t, groups)
}

func groups(t *testing.T, p *peer) {
	outer, inner := p.done(t, group("Outer"), false).GetId(), p.done(t, group("Inner"), false).GetId()
	ada := p.done(t, create("ada@corp.example"), false).GetId()
	p.done(t, membership(ada, []string{inner}, nil), false)
	nest := ofGroup(membership(inner, []string{outer}, nil))
	if got := values(p.done(t, nest, false))["memberOf"]; got != outer {
		t.Errorf("a group in a group tells memberOf %q; want %q", got, outer)
	}
	p.done(t, nest, true)
	if got := values(p.done(t, ofGroup(modify(inner, change("displayName", "Inner", "Within"))), false))["displayName"]; got != "Within" {
		t.Errorf("after the change the group is called %q; want Within", got)
	}
	r := connkit.Read(t, p.client, &connectorv1.ReadRequest{Classes: []string{"User", "Group"}, Attributes: []string{"displayName", "memberOf"}})
	got := map[string]string{}
	for _, o := range r.Objects {
		got[o.GetId()] = values(o)["displayName"] + " in " + values(o)["memberOf"]
	}
	if diff := cmp.Diff(map[string]string{outer: "Outer in ", inner: "Within in " + outer, ada: " in " + inner}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if p.double != nil {
		if got := text(p.double.Get("Groups", outer)["members"]); !strings.Contains(got, `"type":"Group"`) {
			t.Errorf("the other group has the members %s; want them to be called Group", got)
		}
	}
	if got := values(p.done(t, ofGroup(membership(inner, nil, []string{outer})), false))["memberOf"]; got != "" {
		t.Errorf("a group that left tells memberOf %q; want none", got)
	}
	remove := ofGroup(removal(inner))
	p.done(t, remove, false)
	p.done(t, remove, true)
	if found := p.find(t, "userName", "ada@corp.example"); len(found) != 1 || values(found[0])["memberOf"] != "" {
		t.Errorf("after their group is gone: %v; want ada in none", found)
	}
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Who reads users and groups reads the members of groups once.
func TestGroups_membersAreReadOnce(t *testing.T) {
	t.Parallel()
	reads := 0
	p := serveDouble(t, double.Options{Hook: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/Groups" && strings.Contains(r.URL.Query().Get("attributes"), "members") {
			reads++
		}
		return false
	}}, nil)
	p.done(t, group("Staff"), false)
	reads = 0
	r := connkit.Read(t, p.client, &connectorv1.ReadRequest{Classes: []string{"User", "Group"}, Attributes: []string{"displayName", "memberOf"}})
	if reads != 1 || len(r.Objects) != 1 {
		t.Errorf("members were read %d times, with %d objects; want once, 1", reads, len(r.Objects))
	}
}

// A server whose groups hold users alone is asked for nothing else.
func TestGroups_ofUsersAlone(t *testing.T) {
	t.Parallel()
	schema := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{"id":"urn:ietf:params:scim:schemas:core:2.0:Group","name":"Group",
		"attributes":[{"name":"displayName","type":"string"},{"name":"members","type":"complex","multiValued":true,"subAttributes":[
		{"name":"value","type":"string"},{"name":"$ref","type":"reference","referenceTypes":["User"]}]}]}]}`
	p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/Schemas" {
			_, _ = w.Write([]byte(schema))
		}
		return r.URL.Path == "/Schemas"
	}}, nil)
	outer, inner := p.done(t, group("Outer"), false).GetId(), p.done(t, group("Inner"), false).GetId()
	r := p.apply(t, ofGroup(membership(inner, []string{outer}, nil)))
	if r.GetOutcome() != sdk.OutcomeInvalid || !strings.Contains(r.GetFault().GetCause(), "takes no Group into groups") {
		t.Errorf("a group in a group = %v; want INVALID with the cause", r)
	}
}
