package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// twoDomains has the people and groups of one domain in another.
const twoDomains = `system: ad-a
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.a.example"], base: "DC=a,DC=example"}
source:
  class: user
  key: objectGUID
  attributes:
    displayName: cn
    memberOf: values(memberOf)
    manager: manager
  group:
    key: objectGUID
    attributes:
      displayName: cn
      description: description
      memberOf: values(memberOf)
---
system: ad-b
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.b.example"], base: "DC=b,DC=example"}
target:
  class: user
  container: '"OU=FromA,DC=b,DC=example"'
  name: displayName
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
    manager: {person: manager}
  groups:
    - {directory: memberOf}
  group:
    scope: not (displayName startsWith "Local")
    container: '"OU=Groups,DC=b,DC=example"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
      description: description
    groups:
      - {directory: memberOf}
    remove: at once
`

// object makes a user or group of domain A, in the groups with the ids.
func object(class, name string, groups ...string) *connectorv1.Object {
	id := "a-" + strings.ToLower(name)
	o := rehearsal.Object(class, id, "CN="+name+",DC=a,DC=example", "cn", name, "description", "", "manager", "", "objectGUID", id)
	for i, g := range groups {
		groups[i] = "a-" + g
	}
	o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: "memberOf", Values: groups})
	slices.SortFunc(o.Attributes, func(x, y *connectorv1.Attribute) int { return strings.Compare(x.GetName(), y.GetName()) })
	return o
}

// Groups that one domain brings are made in another, nested ones too, whoever
// comes first; a circle is refused and named; what goes there goes here.
func TestGroups_ofTheDirectory(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(twoDomains)
	at := func(name string) string { return "CN=" + name + ",OU=Groups,DC=b,DC=example" }
	step := func(what string, want map[string][]string, objects ...*connectorv1.Object) {
		t.Helper()
		if len(objects) > 0 {
			w.Read("ad-a", objects...)
		}
		w.Settle()
		if diff := cmp.Diff(want, in(w)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
	step("a member before the group is known", map[string][]string{}, object("user", "Ann", "staff"))
	step("the group, in another that is not known", map[string][]string{at("Staff"): {"Ann"}}, object("group", "Staff", "all"))
	step("which comes", map[string][]string{at("Staff"): {"Ann"}, at("All"): {"Staff"}}, object("group", "All"), object("group", "Local Admins"))
	step("one more member", map[string][]string{at("Staff"): {"Ann", "Bob"}, at("All"): {"Staff"}}, object("user", "Bob", "staff", "local admins"))
	step("a circle", map[string][]string{at("Staff"): {"Ann", "Bob"}, at("All"): {"Staff"}}, object("group", "All", "staff"))
	w.Write(func(tx *store.Tx) error {
		all, err := tx.PeopleByKey(rehearsal.Tenant, []string{"group:a-all"})
		if err != nil {
			return err
		}
		problems, err := tx.ProblemsOf(rehearsal.Tenant, []string{all[0].ID})
		if len(problems) != 1 || problems[0].Kind != "circle" || !strings.Contains(problems[0].Fault, "group:a-all in group:a-staff in group:a-all") {
			t.Errorf("problems of the group in itself: %+v", problems)
		}
		return err
	})
	described := object("group", "Staff", "all")
	described.Attributes[1].Values = []string{"All of us"}
	step("what is so already stays so", map[string][]string{at("Staff"): {"Ann", "Bob"}, at("All"): {"Staff"}}, described)
	step("and none any more", map[string][]string{at("Staff"): {"Ann", "Bob"}, at("All"): {"Staff"}}, object("group", "All"))
	step("one leaves", map[string][]string{at("Staff"): {"Bob"}, at("All"): {"Staff"}}, object("user", "Ann"))
	renamed := object("group", "Staff", "all")
	for _, a := range renamed.Attributes {
		if a.Name == "cn" {
			a.Values = []string{"Everybody"}
		}
	}
	step("a rename", map[string][]string{at("Everybody"): {"Bob"}, at("All"): {"Everybody"}}, renamed)
	w.Write(func(tx *store.Tx) error { return w.Intake.Gone(tx, rehearsal.Tenant, "ad-a", []string{"a-staff"}) })
	step("the group goes", map[string][]string{at("All"): nil})
	step("and comes back", map[string][]string{at("Everybody"): {"Bob"}, at("All"): {"Everybody"}}, renamed)
	if n := w.Settle(); n != 0 {
		t.Errorf("%d more operations", n)
	}
}

// Only members by rule stay in an authoritative group: neither somebody of ours
// who was put in by hand nor an account that is nobody's. In any other group,
// only who we put in is taken out.
func TestGroups_authoritativeAndAdditive(t *testing.T) {
	t.Parallel()
	for _, authoritative := range []bool{true, false} {
		w := rehearsal.New(t)
		w.Apply(strings.Replace(departments, "authoritative: 'true'", fmt.Sprintf("authoritative: '%v && displayName != \"Other\"'", authoritative), 1))
		w.Read("hr", member("E1", "Ann", "Sales", "100"), member("E2", "Bob", "Research", "200"))
		w.Settle()
		group := ""
		for id, o := range w.Objects {
			if strings.HasPrefix(o.GetAddress(), "CN=Sales,") {
				group = id
			}
		}
		for _, o := range w.Objects { // Bob is put in Sales by hand
			if strings.HasPrefix(o.GetAddress(), "CN=Bob") {
				for _, a := range o.Attributes {
					if a.Name == "memberOf" {
						a.Values = append(a.Values, group)
					}
				}
				w.Read("corp-ad", proto.CloneOf(o))
			}
		}
		service := rehearsal.Object("user", "svc", "CN=svc-backup,OU=Services,DC=corp,DC=example", "memberOf", group, "sAMAccountName", "svc-backup")
		w.Objects["svc"] = service
		w.Read("corp-ad", proto.CloneOf(service))
		w.Settle()
		want := []string{"Ann Doe", "Bob Doe", "svc-backup"}
		if authoritative {
			want = want[:1]
		}
		if diff := cmp.Diff(want, in(w)["CN=Sales,OU=Groups,DC=corp,DC=example"]); diff != "" {
			t.Errorf("authoritative %v (-want +got):\n%s", authoritative, diff)
		}
		if n := w.Settle(); n != 0 {
			t.Errorf("authoritative %v: %d more operations", authoritative, n)
		}
	}
}

// One more member of a group with 100,000 is a job with one member, and nobody
// else, nor the group, is looked at.
func TestGroups_oneMoreOfManyIsOneJob(t *testing.T) {
	t.Parallel()
	const members = 100_000
	w := rehearsal.New(t)
	w.Apply(departments)
	w.Read("hr", member("E1", "Ann", "Sales", "100"))
	w.Settle()
	w.Write(func(tx *store.Tx) error {
		rows := make([]store.Member, members)
		for i := range rows {
			rows[i] = store.Member{Tenant: rehearsal.Tenant, Group: "group:corp-ad:100", Member: fmt.Sprint("p", i), Via: "corp-ad", Display: "Sales"}
		}
		return tx.PutMembers(rows)
	})
	w.Read("hr", member("E2", "Bob", "Sales", "100"))
	planned, memberships := 0, []*connectorv1.ChangeMembership{}
	for range 10 {
		n, err := w.Planner.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		planned += n
		claimed := w.Claim(1000)
		for _, j := range claimed {
			if m := j.GetApply().GetChangeMembership(); m != nil {
				memberships = append(memberships, m)
			}
		}
		w.Finish(w.Results(claimed...)...)
	}
	if planned > 3 || len(memberships) != 1 || len(memberships[0].GetJoin()) != 1 || len(memberships[0].GetLeave()) != 0 {
		t.Errorf("one more of %d members: looked at %d times, memberships %v; want Bob alone looked at, and one job with one group", members, planned, memberships)
	}
}

// A group whose manager is not known yet, or has no account there yet, gets them
// the moment they have one; nobody else is looked at for it.
func TestGroups_lateManager(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(strings.NewReplacer("      description: description\n      memberOf: values(memberOf)\n", "      description: description\n      manager: manager\n",
		"      description: description\n    groups:", "      description: description\n      managedBy: {person: manager}\n    groups:",
		"OU=FromA,DC=b,DC=example\"'\n", "OU=FromA,DC=b,DC=example\"'\n  scope: title != \"External\"\n",
		"    memberOf: values(memberOf)\n    manager: manager\n", "    memberOf: values(memberOf)\n    title: title\n",
		"    manager: {person: manager}\n  groups:", "  groups:").Replace(twoDomains))
	managed := func() string { return w.Value("CN=Staff,OU=Groups,DC=b,DC=example", "managedBy") }
	staff := object("group", "Staff")
	for _, a := range staff.Attributes {
		if a.Name == "manager" {
			a.Values = []string{"a-ann"}
		}
	}
	w.Read("ad-a", staff, object("user", "Bob"))
	w.Settle()
	if got := managed(); got != "" || len(w.Objects) != 2 {
		t.Fatalf("managedBy = %q in %v; want none, and the group made all the same", got, w.Addresses())
	}
	titled := func(title string) *connectorv1.Object {
		ann := object("user", "Ann")
		ann.Attributes = append(ann.Attributes, &connectorv1.Attribute{Name: "title", Values: []string{title}})
		return ann
	}
	w.Read("ad-a", titled("External"))
	w.Settle()
	if got := managed(); got != "" {
		t.Fatalf("managedBy = %q of somebody who has no account there", got)
	}
	w.Read("ad-a", titled("Head"))
	done := w.Settle()
	ann := ""
	for id, o := range w.Objects {
		if strings.HasPrefix(o.GetAddress(), "CN=Ann,") {
			ann = id
		}
	}
	if got := managed(); ann == "" || got != ann || done != 2 {
		t.Errorf("managedBy = %q after %d operations; want %q after the create and the change of the group", got, done, ann)
	}
	w.Write(func(tx *store.Tx) error { return w.Intake.Gone(tx, rehearsal.Tenant, "ad-b", []string{ann}) })
	delete(w.Objects, ann)
	w.Settle()
	if got := managed(); got == ann || got == "" {
		t.Errorf("managedBy = %q after the manager's account was deleted and made again", got)
	}
}

// Who is in a group before anything is known of it joins the moment it is
// there; and so does a group in a group.
func TestGroups_lateMember(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(twoDomains)
	w.Read("ad-a", object("group", "Staff"), object("group", "All"))
	w.Settle()
	w.Read("ad-a", object("user", "Ann", "staff"))
	if done := w.Settle(); done != 2 {
		t.Errorf("a late member is %d operations; want the account and its membership", done)
	}
	w.Read("ad-a", object("group", "Staff", "all"))
	if done := w.Settle(); done != 1 {
		t.Errorf("a group that comes to be in another is %d operations; want one", done)
	}
	w.Read("ad-a", object("user", "Bob", "later"))
	w.Settle()
	w.Read("ad-a", object("group", "Later"))
	if done := w.Settle(); done != 2 {
		t.Errorf("a late group is %d operations; want it and its member", done)
	}
	at := func(name string) string { return "CN=" + name + ",OU=Groups,DC=b,DC=example" }
	if diff := cmp.Diff(map[string][]string{at("Staff"): {"Ann"}, at("All"): {"Staff"}, at("Later"): {"Bob"}}, in(w)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}
