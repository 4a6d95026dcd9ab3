package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
)

// scimGroups are a domain whose people and groups an application has by SCIM,
// and an identity provider that pushes others, which domain and application have.
const scimGroups = `system: company
site: hq
connector: activedirectory
settings:
  servers: [%[1]q]
  ca: %[2]q
  bind: %[3]q
  base: "OU=Company,%[4]s"
read: {every: 24h}
source:
  class: user
  key: objectGUID
  attributes: {userName: sAMAccountName, displayName: cn, memberOf: values(memberOf)}
  group:
    key: objectGUID
    attributes: {displayName: cn, memberOf: values(memberOf)}
---
system: idp
site: cloud
connector: scim-push
source:
  class: User
  key: externalId
  attributes: {userName: userName, displayName: displayName, userType: '"Guest"', memberOf: values(memberOf)}
  group:
    class: Group
    key: id
    attributes: {displayName: displayName, description: '"Pushed"', memberOf: values(memberOf)}
---
system: domain
site: hq
connector: activedirectory
settings:
  servers: [%[1]q]
  ca: %[2]q
  bind: %[3]q
  base: "OU=Cloud,%[4]s"
target:
  class: user
  scope: userType == "Guest"
  container: '"OU=Cloud,%[4]s"'
  name: displayName
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(userName))', apply: create}
  groups: [{directory: memberOf}]
  group:
    scope: description == "Pushed"
    container: '"OU=Cloud,%[4]s"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
    groups: [{directory: memberOf}]
    remove: at once
  password: {length: 24}
---
system: app
site: hq
connector: scim
settings: {url: %[5]q}
target:
  class: User
  match: {userName: userName}
  name: {attribute: id, value: userName}
  attributes: {userName: userName, displayName: displayName}
  groups: [{directory: memberOf}]
  group:
    class: Group
    match: {displayName: displayName}
    name: {attribute: id, value: displayName}
    attributes: {displayName: firstUnique(displayName)}
    groups: [{directory: memberOf}]
    remove: at once
`

// groupsOf gives who is in which group of the application.
func (a *application) groupsOf(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, path := range []string{"/Users?count=100", "/Groups?count=100"} {
		list, _ := a.send(t, "GET", path, "")["Resources"].([]any)
		for _, o := range list {
			names[at(o, "id")] = at(o, "displayName")
		}
	}
	groups := map[string]string{}
	list, _ := a.send(t, "GET", "/Groups?count=100", "")["Resources"].([]any)
	for _, o := range list {
		var in []string
		members, _ := o.(map[string]any)["members"].([]any)
		for _, m := range members {
			in = append(in, names[at(m, "value")])
		}
		slices.Sort(in)
		if _, twice := groups[at(o, "displayName")]; twice {
			t.Errorf("the application has two groups %s", at(o, "displayName"))
		}
		groups[at(o, "displayName")] = strings.Join(in, ", ")
	}
	return groups
}

// Groups, who is in them and groups in them go from a domain into an application
// by SCIM, and from an identity provider that pushes them by SCIM into the domain
// and the application; members come and go, groups are renamed and end.
func TestSCIM_groups(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	app := &application{scimmy.StartTest(t, scimmy.Options{})}
	f := forest{set(t, "double"), t, ""}
	f.add("", "organizationalUnit")
	f.user("CN=Ann", "Ann", "Ames")
	f.user("CN=Bert", "Bert", "Bell")
	for _, name := range []string{"All", "Crew"} {
		f.add("CN="+name, "group", "sAMAccountName", name)
	}
	f.members("CN=Crew", "CN=Bert")
	f.members("CN=All", "CN=Ann", "CN=Crew")
	s := f.Stage
	cloudOU := ldap.NewAddRequest("OU=Cloud,"+s.Domain.Base, nil)
	cloudOU.Attribute("objectClass", []string{"top", "organizationalUnit"})
	f.do(func(c *ldap.Conn) error { return c.Add(cloudOU) })
	text := fmt.Sprintf(scimGroups, s.Directory, s.Domain.CA, s.Domain.Bind, s.Domain.Base, app.URL)
	if err := s.Apply(t.Context(), "groups.yaml", text); err != nil {
		t.Fatal(err)
	}
	for system, secret := range map[string][2]string{"company": {"password", s.Domain.Password}, "domain": {"password", s.Domain.Password}, "app": {"token", app.Token}} {
		if err := s.SetSecret(t.Context(), system, secret[0], secret[1]); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.CLI(t.Context(), "token", "create", "--api", "idp", "--source", "idp", "-o", "json")
	var made struct{ Token string }
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	idp := &cloud{s, t, made.Token, map[string]string{}}
	step := func(what string, inApp, inDomain map[string]string) {
		t.Helper()
		cycle(t, s, "company")
		if diff := cmp.Diff(inApp, app.groupsOf(t)); diff != "" {
			t.Errorf("%s: in the application (-want +got):\n%s", what, diff)
		}
		found, err := s.Domain.Search("(objectClass=group)", "member")
		if err != nil {
			t.Fatal(err)
		}
		groups := map[string]string{}
		for _, e := range found {
			if name, pushed := strings.CutSuffix(e.DN, ",OU=Cloud,"+s.Domain.Base); pushed {
				var in []string
				for _, dn := range e.GetAttributeValues("member") {
					in = append(in, strings.TrimPrefix(strings.Split(dn, ",")[0], "CN="))
				}
				slices.Sort(in)
				groups[strings.TrimPrefix(name, "CN=")] = strings.Join(in, ", ")
			}
		}
		if diff := cmp.Diff(inDomain, groups); diff != "" {
			t.Errorf("%s: in the domain (-want +got):\n%s", what, diff)
		}
	}
	idp.push("g1", "userName", "gus", "displayName", "Gus Gast")
	partners, _ := idp.send("POST", "/Groups", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Partners",
		"members": []any{map[string]any{"value": idp.ids["g1"]}}})["id"].(string)
	step("the first cycles", map[string]string{"All": "Ann, Crew", "Crew": "Bert", "Partners": "Gus Gast"}, map[string]string{"Partners": "Gus Gast"})

	patch := func(operations ...any) {
		t.Helper()
		idp.send("PATCH", "/Groups/"+partners, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations})
	}
	f.members("CN=All", "CN=Ann", "CN=Bert")
	f.rename("CN=Crew", "CN=Squad", "")
	idp.push("g2", "userName", "gerda", "displayName", "Gerda Gast")
	patch(map[string]any{"op": "Add", "path": "members", "value": []any{map[string]any{"value": idp.ids["g2"]}}},
		map[string]any{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", idp.ids["g1"])}, map[string]any{"op": "Replace", "path": "displayName", "value": "Friends"})
	step("members and names change", map[string]string{"All": "Ann, Bert", "Squad": "Bert", "Friends": "Gerda Gast"}, map[string]string{"Friends": "Gerda Gast"})

	f.remove("CN=Squad")
	idp.send("DELETE", "/Groups/"+partners, nil)
	step("groups end", map[string]string{"All": "Ann, Bert"}, map[string]string{})
}
