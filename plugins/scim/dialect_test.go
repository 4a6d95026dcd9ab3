package scim_test

import (
	"fmt"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim"
	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Each named dialect, and each deviation alone, meets a server that takes
// nothing else; and the server refuses a connector that is not told.
func TestPain18_dialectsAreSpoken(t *testing.T) {
	t.Parallel()
	deviate := func(name string, value any) map[string]any {
		return map[string]any{"deviations": map[string]any{name: value}}
	}
	named := func(name string) map[string]any { return map[string]any{"dialect": name} }
	for name, row := range map[string]struct {
		server   double.Options
		settings map[string]any
		plain    bool // passes without being told, for the server tells
	}{
		"entra":           {double.Options{Undescribed: true, TitleOps: true, TextBooleans: true, MembersByValue: true, EqOnly: true}, named("entra"), false},
		"entra-2020":      {double.Options{Undescribed: true, ValuesOnly: true, EqOnly: true}, named("entra-2020"), false},
		"okta":            {double.Options{Undescribed: true, ActivePatch: true, EqOnly: true, NoProjection: true}, named("okta"), false},
		"aws":             {double.Options{EqOnly: true, NoProjection: true, MemberBatch: 100, PageLimit: 50, WrongTotal: true}, named("aws"), false},
		"minimal":         {double.Options{Undescribed: true, NoPatch: true, EqOnly: true, NoProjection: true, NoMatch404: true, WrongTotal: true, PlainJSON: true}, named("minimal"), false},
		"no patch":        {double.Options{NoPatch: true}, nil, true},
		"no description":  {double.Options{Undescribed: true}, nil, true},
		"etag":            {double.Options{ETag: true}, nil, true},
		"bulk":            {double.Options{Bulk: true}, nil, true},
		"sort":            {double.Options{Sort: true}, nil, true},
		"cursor":          {double.Options{Cursor: true, PageLimit: 3}, nil, true},
		"no filter":       {double.Options{NoFilter: true}, nil, true},
		"deaf filter":     {double.Options{DeafFilter: true}, nil, true},
		"silent":          {double.Options{Silent: true}, nil, true},
		"loose names":     {double.Options{LooseNames: true}, deviate("names", "loose"), false},
		"no projection":   {double.Options{NoProjection: true}, nil, true},
		"title ops":       {double.Options{TitleOps: true}, deviate("op", "title"), false},
		"text booleans":   {double.Options{TextBooleans: true}, deviate("boolean", "text"), false},
		"text, no patch":  {double.Options{TextBooleans: true, NoPatch: true}, deviate("boolean", "text"), false},
		"by value":        {double.Options{MembersByValue: true}, deviate("members", "value"), false},
		"values only":     {double.Options{ValuesOnly: true}, deviate("form", "values"), false},
		"no match is 404": {double.Options{NoMatch404: true}, deviate("no_match", "404"), false},
		"taken is 400":    {double.Options{Taken400: true}, deviate("taken", "400"), false},
		"plain JSON":      {double.Options{PlainJSON: true}, deviate("media_type", "json"), false},
		"wrong total":     {double.Options{WrongTotal: true}, deviate("total", "unreliable"), false},
		"no index":        {double.Options{IgnoresIndex: true, PageLimit: 1000}, deviate("paging", "none"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite := map[string]func(*testing.T, *peer){"life": life, "members": members, "taken": taken, "pages": pages}
			if name == "loose names" {
				delete(suite, "taken") // nothing is, there
			}
			for what, test := range suite {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					test(t, serveDouble(t, row.server, row.settings))
				})
			}
			if row.plain {
				return
			}
			t.Run("is needed", func(t *testing.T) {
				t.Parallel()
				p := serveDouble(t, row.server, nil)
				failed := false
				fails := func(done bool) { failed = failed || !done }
				id := connectorID(t, p, fails)
				if id != "" {
					fails(p.apply(t, modify(id, change("title", "", "Clerk"))).GetOutcome() == sdk.OutcomeDone)
					fails(p.apply(t, create("first@corp.example")).GetUnchanged())
					g := p.apply(t, group("Staff")).GetObject().GetId()
					fails(p.apply(t, membership(id, []string{g}, nil)).GetOutcome() == sdk.OutcomeDone)
					fails(p.apply(t, membership(id, nil, []string{g})).GetOutcome() == sdk.OutcomeDone)
					for i := range 60 {
						p.apply(t, create(fmt.Sprintf("u%d", i)))
					}
					r := connkit.Read(t, p.client, everybody())
					fails(len(r.Objects) == p.double.Count("Users") && r.End.GetOutcome() == sdk.OutcomeDone)
				}
				if !failed {
					t.Error("a connector that is not told of it works as well; the dialect or the double is not needed")
				}
			})
		})
	}
}

// A list longer than one request may name is sent in several.
func TestModify_manyMembers(t *testing.T) {
	t.Parallel()
	p := serveDouble(t, double.Options{MemberBatch: 100, EqOnly: true, NoProjection: true}, map[string]any{"dialect": "aws"})
	g := p.done(t, group("Everybody"), false).GetId()
	all := make([]string, 250)
	for i := range all {
		all[i] = fmt.Sprintf("u-%03d", i)
	}
	op := modify(g)
	op.Class, op.ReturnAttributes = "Group", []string{"members"}
	c := change("members", "", "")
	c.Want = all
	op.GetModify().Changes = append(op.GetModify().Changes, c)
	if got := p.done(t, op, false).GetAttributes()[0].GetValues(); len(got) != 250 {
		t.Errorf("the group has %d members; want 250", len(got))
	}
	p.done(t, op, true)
}

// With versions a change is refused by the server itself if somebody else was
// quicker: here between the GET and the PATCH.
func TestModify_meetsAnother(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]struct {
		title string // that somebody else writes
		want  sdk.Outcome
	}{
		"the same attribute": {"Queen", sdk.OutcomeConflict},
		"another attribute":  {"Clerk", sdk.OutcomeDone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			race := &racer{}
			p := serveDouble(t, double.Options{ETag: true, Hook: race.hook}, nil)
			id := p.done(t, create("ada", "title", "Clerk"), false).GetId()
			race.arm(func() {
				p.double.Edit(func(d *double.Server) {
					d.Put("Users", map[string]any{"id": id, "schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "ada", "active": true, "title": other.title, "nickName": "x"})
				})
			})
			r := p.apply(t, modify(id, change("title", "Clerk", "Duchess")))
			if r.GetOutcome() != other.want {
				t.Errorf("a change that meets another = %v; want %v", r, other.want)
			}
			if got := p.double.Get("Users", id); other.want == sdk.OutcomeDone && (got["title"] != "Duchess" || got["nickName"] != "x") || other.want != sdk.OutcomeDone && got["title"] != "Queen" {
				t.Errorf("afterwards the object is %v", got)
			}
		})
	}
}

// A delete that deactivates and marks is a delete for every later read.
func TestDelete_soft(t *testing.T) {
	t.Parallel()
	p := serveDouble(t, double.Options{}, map[string]any{"delete": "deactivate", "deleted_mark": map[string]string{"userType": "deleted"}})
	id := p.done(t, create("ada"), false).GetId()
	p.done(t, create("eve"), false)
	remove := removal(id)
	p.done(t, remove, false)
	p.done(t, remove, true)
	if o := p.double.Get("Users", id); o["active"] != false || o["userType"] != "deleted" {
		t.Errorf("the deleted object is %v; want it inactive and marked", o)
	}
	if r := p.read(t, "User", nil, "userName"); len(r.Objects) != 1 || len(r.Gone) != 1 || r.Gone[0] != id {
		t.Errorf("read = %v, gone %v; want eve, and ada gone", r.Objects, r.Gone)
	}
}

func TestConnector_describesItself(t *testing.T) {
	t.Parallel()
	if err := scim.New().Check(); err != nil {
		t.Error(err)
	}
}
