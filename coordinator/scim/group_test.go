package scim_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const groupURN = "urn:ietf:params:scim:schemas:core:2.0:Group"

// toAD has the groups that are pushed in a domain.
const toAD = `---
system: corp-ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  container: '"OU=Staff,DC=corp,DC=example"'
  name: name.givenName
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(name.givenName))', apply: create}
    employeeID: employeeNumber
  groups:
    - {directory: memberOf}
  group:
    container: '"OU=Groups,DC=corp,DC=example"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
    groups:
      - {directory: memberOf}
    remove: at once
  lifecycle: {leave: {groups: strip}}
`

// team is a Group; more are pairs of attribute and value.
func team(name string, members []string, more ...any) map[string]any {
	g := map[string]any{"schemas": []string{groupURN}, "displayName": name}
	if members != nil {
		list := []any{}
		for _, id := range members {
			list = append(list, map[string]any{"value": id})
		}
		g["members"] = list
	}
	for i := 0; i < len(more); i += 2 {
		g[more[i].(string)] = more[i+1]
	}
	return g
}

// crowd pushes users, and gives their ids by name.
func (h *hub) crowd(t *testing.T, names ...string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for i, name := range names {
		ids[name] = h.want(t, 201, h.push, "POST", "/Users", worker(fmt.Sprintf("E%d", i), name, "Doe")).body["id"].(string)
	}
	return ids
}

// members gives who is in a pushed group, by the names of ids.
func (h *hub) members(t *testing.T, token, path string, ids map[string]string) string {
	t.Helper()
	var names []string
	list, _ := h.want(t, 200, token, "GET", path, nil).body["members"].([]any)
	for _, m := range list {
		name := "somebody else"
		for n, id := range ids {
			if at(m, "value") == id && strings.HasSuffix(at(m, "$ref").(string), "/"+at(m, "type").(string)+"s/"+id) {
				name = n
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// groupsIn gives who is in which group of the domain.
func groupsIn(h *hub) map[string]string {
	groups := map[string]string{}
	names := map[string]string{}
	name := func(address string) string { return strings.TrimPrefix(strings.Split(address, ",")[0], "CN=") }
	for id, o := range h.Objects {
		if names[id] = name(o.GetAddress()); o.GetClass() == "group" {
			groups[names[id]] = ""
		}
	}
	for _, address := range h.Addresses() {
		if in := h.Value(address, "memberOf"); in != "" {
			for id := range strings.SplitSeq(in, ";") {
				groups[names[id]] = strings.TrimSpace(groups[names[id]] + " " + name(address))
			}
		}
	}
	return groups
}

// What an identity provider pushes of groups, in the words of Entra ID and of
// Okta, is in the domain: groups, who is in them, groups in them.
func TestGroups_pushedToADomain(t *testing.T) {
	t.Parallel()
	h := serveTo(t, pushed+toAD)
	ids := h.crowd(t, "Ada", "Bea", "Cem")
	step := func(what string, want map[string]string) {
		t.Helper()
		h.Settle()
		if diff := cmp.Diff(want, groupsIn(h)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
	staff := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team("Staff", []string{ids["Ada"]})).body["id"].(string)
	step("a group with a member", map[string]string{"Staff": "Ada"})
	patch := func(path string, ops ...map[string]any) {
		t.Helper()
		h.want(t, 204, h.push, "PATCH", path, patchOp(ops...))
	}
	patch(staff, map[string]any{"op": "Add", "path": "members", "value": []any{map[string]any{"$ref": nil, "value": ids["Bea"]}}})
	step("one more, as Entra ID says it", map[string]string{"Staff": "Ada Bea"})
	patch(staff, map[string]any{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", ids["Ada"])}, map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": ids["Cem"], "display": "Cem"}}})
	step("another, as Okta says it", map[string]string{"Staff": "Bea Cem"})
	everybody := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team("Everybody", []string{strings.TrimPrefix(staff, "/Groups/"), ids["Ada"]})).body["id"].(string)
	step("a group in a group", map[string]string{"Staff": "Bea Cem", "Everybody": "Ada Staff"})
	patch(staff, map[string]any{"op": "Replace", "path": "displayName", "value": "Crew"})
	step("a rename", map[string]string{"Crew": "Bea Cem", "Everybody": "Ada Crew"})
	h.want(t, 204, h.push, "DELETE", "/Users/"+ids["Bea"], nil)
	patch(staff, map[string]any{"op": "replace", "value": map[string]any{"id": strings.TrimPrefix(staff, "/Groups/"), "displayName": "Crew", "members": []any{}}})
	step("nobody any more", map[string]string{"Crew": "", "Everybody": "Ada Crew"})
	h.want(t, 200, h.push, "PUT", "/Users/"+ids["Ada"], worker("E0", "Ada", "King"))
	step("a member who is pushed again stays in it", map[string]string{"Crew": "", "Everybody": "Ada Crew"})
	h.want(t, 204, h.push, "DELETE", everybody, nil)
	step("the group goes", map[string]string{"Crew": ""})
	if in := h.want(t, 200, h.push, "GET", "/Users/"+ids["Ada"], nil).body["groups"]; in != nil {
		t.Errorf("after their group is gone Ada shows %v", in)
	}
}

// The group's key is what its members tell: a new one is told by all of them.
func TestGroups_keyedByName(t *testing.T) {
	t.Parallel()
	h := serveTo(t, strings.Replace(pushed, "key: id", "key: displayName", 1)+toAD)
	ids := h.crowd(t, "Ada", "Bea")
	path := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team("Staff", []string{ids["Ada"], ids["Bea"]})).body["id"].(string)
	h.Settle()
	h.want(t, 204, h.push, "PATCH", path, patchOp(map[string]any{"op": "replace", "path": "displayName", "value": "Crew"}))
	h.Settle()
	if diff := cmp.Diff(map[string]string{"Crew": "Ada Bea"}, groupsIn(h)); diff != "" {
		t.Errorf("after the rename (-want +got):\n%s", diff)
	}
}

// Each form in which members are said, and what is in the group then.
func TestGroups_forms(t *testing.T) {
	t.Parallel()
	h := serve(t)
	ids := h.crowd(t, "Ada", "Bea", "Cem")
	ids["Sub"] = h.want(t, 201, h.push, "POST", "/Groups", team("Sub", nil)).body["id"].(string)
	value := func(names ...string) []any {
		list := []any{}
		for _, n := range names {
			list = append(list, map[string]any{"value": ids[n]})
		}
		return list
	}
	op := func(verb, path string, value any) map[string]any {
		o := map[string]any{"op": verb}
		if path != "" {
			o["path"] = path
		}
		if value != nil {
			o["value"] = value
		}
		return o
	}
	for name, c := range map[string]struct {
		ops  []map[string]any
		want string
	}{
		"add one that is there":          {[]map[string]any{op("add", "members", value("Ada"))}, "Ada Sub"},
		"one object":                     {[]map[string]any{op("Add", "members", value("Bea")[0])}, "Ada Bea Sub"},
		"without a path":                 {[]map[string]any{op("add", "", map[string]any{"members": value("Bea", "Cem")})}, "Ada Bea Cem Sub"},
		"with its URN":                   {[]map[string]any{op("add", groupURN+":members", value("Bea"))}, "Ada Bea Sub"},
		"remove by value":                {[]map[string]any{op("Remove", "members", value("Ada", "Cem"))}, "Sub"},
		"remove one who is not there":    {[]map[string]any{op("remove", `members[value eq "nobody"]`, nil)}, "Ada Sub"},
		"remove two by a filter":         {[]map[string]any{op("remove", fmt.Sprintf("members[value eq %q or value eq %q]", ids["Ada"], ids["Sub"]), nil)}, ""},
		"remove by what they are":        {[]map[string]any{op("remove", `members[type eq "Group"]`, nil)}, "Ada"},
		"remove all":                     {[]map[string]any{op("remove", "members", nil)}, ""},
		"replace all":                    {[]map[string]any{op("replace", "members", value("Cem"))}, "Cem"},
		"replace by none":                {[]map[string]any{op("replace", "members", []any{})}, ""},
		"all away, one in":               {[]map[string]any{op("remove", "members", nil), op("add", "members", value("Bea"))}, "Bea"},
		"in and out":                     {[]map[string]any{op("add", "members", value("Bea")), op("remove", "members", value("Bea"))}, "Ada Sub"},
		"replace, and one out":           {[]map[string]any{op("replace", "members", value("Bea", "Cem")), op("remove", "members", value("Cem"))}, "Bea"},
		"a name, and nothing of members": {[]map[string]any{op("replace", "displayName", "Other")}, "Ada Sub"},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team(name, []string{ids["Ada"], ids["Sub"]})).body["id"].(string)
			before := h.want(t, 200, h.push, "GET", path+"?excludedAttributes=members", nil)
			h.want(t, 204, h.push, "PATCH", path, patchOp(c.ops...), "If-Match", before.header.Get("ETag"))
			if got := h.members(t, h.push, path, ids); got != c.want {
				t.Errorf("members are %q; want %q", got, c.want)
			}
			after := h.want(t, 200, h.push, "GET", path+"?excludedAttributes=members", nil)
			if after.body["members"] != nil || after.header.Get("ETag") == before.header.Get("ETag") {
				t.Errorf("without members it shows %v, of version %s as before", after.body["members"], after.header.Get("ETag"))
			}
		})
	}
	// Sent whole: members that are not named stay, an empty list takes them out.
	path := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team("Whole", []string{ids["Ada"]})).body["id"].(string)
	for _, c := range []struct {
		members []string
		want    string
	}{{nil, "Ada"}, {[]string{ids["Bea"], ids["Cem"]}, "Bea Cem"}, {[]string{}, ""}} {
		h.want(t, 200, h.push, "PUT", path, team("Whole", c.members))
		if got := h.members(t, h.push, path, ids); got != c.want {
			t.Errorf("after a PUT of %v members are %q; want %q", c.members, got, c.want)
		}
	}
}

// Groups are found as identity providers look for them, in pages, and described.
func TestGroups_found(t *testing.T) {
	t.Parallel()
	h := serve(t)
	ids := h.crowd(t, "Ada", "Bea")
	for i := range 5 {
		ids[fmt.Sprint("G", i)] = h.want(t, 201, h.push, "POST", "/Groups", team(fmt.Sprintf("Team %d", i/2), []string{ids["Ada"]}, "externalId", fmt.Sprintf("x-%d", i))).body["id"].(string)
	}
	h.want(t, 204, h.push, "PATCH", "/Groups/"+ids["G4"], patchOp(map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": ids["Bea"]}}}))
	for filter, want := range map[string]float64{
		`displayName eq "team 0"`: 2, `externalId eq "x-3"`: 1, fmt.Sprintf("id eq %q", ids["G4"]): 1, fmt.Sprintf("members eq %q", ids["Bea"]): 1,
		fmt.Sprintf("members.value eq %q", ids["Ada"]): 5, fmt.Sprintf("id eq %q and members eq %q", ids["G3"], ids["Bea"]): 0,
		fmt.Sprintf("id eq %q and members eq %q", ids["G4"], ids["Bea"]): 1, fmt.Sprintf("members[value eq %q]", ids["Bea"]): 1,
		fmt.Sprintf("displayName sw %q and not (members eq %q)", "Team", ids["Bea"]): 4, `members pr`: 5, `displayName eq "nobody"`: 0, `userName eq "ada"`: 0,
		`meta.lastModified gt "2020-01-01T00:00:00Z"`: 5, `meta.lastModified gt "2999-01-01T00:00:00Z"`: 0,
	} {
		r := h.want(t, 200, h.push, "GET", "/Groups?excludedAttributes=members&filter="+url.QueryEscape(filter), nil)
		if r.body["totalResults"] != want || want > 0 && at(r.body, "Resources", 0, "members") != nil {
			t.Errorf("%s finds %v, the first %v; want %v, without members", filter, r.body["totalResults"], at(r.body, "Resources", 0), want)
		}
	}
	seen := map[any]int{}
	for start := 1; start <= 5; start += 2 {
		r := h.want(t, 200, h.push, "GET", fmt.Sprintf("/Groups?count=2&startIndex=%d", start), nil)
		list, _ := r.body["Resources"].([]any)
		for _, g := range list {
			seen[at(g, "id")]++
		}
	}
	for _, name := range []string{"G0", "G1", "G2", "G3", "G4"} {
		if seen[ids[name]] != 1 || len(seen) != 5 {
			t.Errorf("pages have shown %s %d times, of %d; want once, of 5", name, seen[ids[name]], len(seen))
		}
	}
	ada := h.want(t, 200, h.push, "GET", "/Users/"+ids["Bea"], nil).body
	if at(ada, "groups", 0, "value") != ids["G4"] || at(ada, "groups", 0, "display") != "Team 2" || at(ada, "groups", 0, "type") != "direct" {
		t.Errorf("Bea shows the groups %v; want Team 2", ada["groups"])
	}
	all := h.want(t, 200, h.push, "GET", "/Users", nil).body
	if list, _ := all["Resources"].([]any); all["totalResults"] != 2.0 || len(list) != 2 {
		t.Errorf("beside groups there are %v Users, %d shown; want 2", all["totalResults"], len(list))
	}
	h.want(t, 201, h.push, "POST", "/Groups", team("Of a user's externalId", nil, "externalId", "E0"))
	for _, token := range []string{h.push, h.read} {
		h.want(t, 200, token, "GET", "/ResourceTypes/Group", nil)
		if parts := at(h.want(t, 200, token, "GET", "/Schemas/"+groupURN, nil).body, "attributes", 2, "name"); parts != "members" {
			t.Errorf("the schema of Group has %v; want members", parts)
		}
	}
	// A source whose document says nothing of groups has none.
	without, _, _ := strings.Cut(pushed, "  group:")
	h.Edit(without)
	h.want(t, 404, h.push, "GET", "/ResourceTypes/Group", nil)
	h.want(t, 403, h.push, "POST", "/Groups", team("Late", nil))
}

// An application reads the directory's groups: those that are pushed, and those
// that rules make; a version tells of members.
func TestGroups_readOfTheDirectory(t *testing.T) {
	t.Parallel()
	h := serveTo(t, pushed+strings.Replace(toAD, "    - {directory: memberOf}\n  group:", "    - {directory: memberOf}\n    - {value: department, make: true}\n  group:", 1))
	ids := h.crowd(t, "Ada", "Bea")
	g := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team("Staff", []string{ids["Ada"]})).body["id"].(string)
	h.Settle()
	people := map[string]string{}
	list, _ := h.want(t, 200, h.read, "GET", "/Users", nil).body["Resources"].([]any)
	for _, u := range list {
		people[at(u, "name", "givenName").(string)] = at(u, "id").(string)
	}
	find := func(name string) reply {
		t.Helper()
		found := h.want(t, 200, h.read, "GET", "/Groups?filter="+url.QueryEscape(fmt.Sprintf("displayName eq %q", name)), nil).body
		if found["totalResults"] != 1.0 {
			t.Fatalf("there are %v groups %s in the directory; want 1", found["totalResults"], name)
		}
		return h.want(t, 200, h.read, "GET", "/Groups/"+at(found, "Resources", 0, "id").(string), nil)
	}
	staff, made := find("Staff"), find("Research")
	for path, want := range map[string]string{"/Groups/" + staff.body["id"].(string): "Ada", "/Groups/" + made.body["id"].(string): "Ada Bea"} {
		if got := h.members(t, h.read, path, people); got != want {
			t.Errorf("in the directory's group are %q; want %q", got, want)
		}
	}
	h.want(t, 304, h.read, "GET", "/Groups/"+staff.body["id"].(string), nil, "If-None-Match", staff.header.Get("ETag"))
	h.want(t, 204, h.push, "PATCH", g, patchOp(map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": ids["Bea"]}}}))
	h.want(t, 200, h.read, "GET", "/Groups/"+staff.body["id"].(string), nil, "If-None-Match", staff.header.Get("ETag"))
	in := h.want(t, 200, h.read, "GET", "/Groups?excludedAttributes=members&filter="+url.QueryEscape(fmt.Sprintf("members eq %q", people["Bea"])), nil).body
	if in["totalResults"] != 2.0 || at(in, "Resources", 0, "members") != nil {
		t.Errorf("Bea is in %v; want 2 groups, shown without members", in)
	}
	bea := h.want(t, 200, h.read, "GET", "/Users/"+people["Bea"], nil).body
	if list, _ := bea["groups"].([]any); len(list) != 2 {
		t.Errorf("Bea shows %v; want 2 groups", bea["groups"])
	}
	h.want(t, 404, h.read, "GET", "/Users/"+staff.body["id"].(string), nil)
	h.want(t, 403, h.read, "DELETE", "/Groups/"+staff.body["id"].(string), nil)
}

// A group whose removal the gate holds keeps its members until it is believed.
func TestGroups_heldRemoval(t *testing.T) {
	t.Parallel()
	h := serveTo(t, pushed+toAD)
	ids := h.crowd(t, "Ada")
	var groups []string
	for i := range 10 {
		groups = append(groups, h.want(t, 201, h.push, "POST", "/Groups", team(fmt.Sprint("G", i), []string{ids["Ada"]})).body["id"].(string))
	}
	for _, id := range groups {
		h.want(t, 204, h.push, "DELETE", "/Groups/"+id, nil)
		h.want(t, 404, h.push, "GET", "/Groups/"+id, nil)
	}
	in := func() (n int) {
		h.Write(func(tx *store.Tx) error {
			rows, err := tx.Accounts("default", "hr-push", []string{ids["Ada"]})
			if err == nil {
				var in []store.Member
				in, err = tx.MembersOf("default", []string{rows[0].Person})
				n = len(in)
			}
			return err
		})
		return n
	}
	if list := h.want(t, 200, h.push, "GET", "/Groups", nil).body; list["totalResults"] != 0.0 || len(list["Resources"].([]any)) > 0 {
		t.Errorf("while removals are held the groups are %v; want none shown", list)
	}
	if n := in(); n != 6 {
		t.Fatalf("while removals are held Ada is in %d groups; want 6", n)
	}
	var held []store.Cycle
	h.Write(func(tx *store.Tx) (err error) {
		held, err = tx.CyclesIn("default", "hr-push", store.CycleHeld)
		return err
	})
	if len(held) != 1 {
		t.Fatalf("%d cycles are held; want 1", len(held))
	}
	if err := h.Intake.Believe(t.Context(), "default", held[0].ID, "me"); err != nil {
		t.Fatal(err)
	}
	if n := in(); n != 0 {
		t.Errorf("after that Ada is in %d groups; want none", n)
	}
}
