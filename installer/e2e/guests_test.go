package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// A cloud directory pushes its users to the coordinator by SCIM.
type cloud struct {
	*stage.Stage
	t     *testing.T
	token string
	ids   map[string]string // of what was pushed, by externalId
}

// push makes or changes a user; fields are pairs of path and value.
func (c *cloud) push(externalID string, fields ...string) {
	c.t.Helper()
	if id := c.ids[externalID]; id != "" {
		var operations []map[string]any
		for i := 0; i < len(fields); i += 2 {
			operations = append(operations, map[string]any{"op": "replace", "path": fields[i], "value": valueOf(fields[i+1])})
		}
		c.send("PATCH", "/Users/"+id, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations})
		return
	}
	user := map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "externalId": externalID, "active": true}
	for i := 0; i < len(fields); i += 2 {
		switch name, part, found := strings.Cut(fields[i], "."); {
		case name == "emails":
			user[name] = []map[string]any{{"type": "work", "value": fields[i+1]}}
		case found:
			in, _ := user[name].(map[string]any)
			if in == nil {
				in = map[string]any{}
			}
			in[part], user[name] = fields[i+1], in
		default:
			user[name] = valueOf(fields[i+1])
		}
	}
	c.ids[externalID], _ = c.send("POST", "/Users", user)["id"].(string)
}

// valueOf gives booleans as such.
func valueOf(text string) any {
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}

func (c *cloud) remove(externalID string) {
	c.t.Helper()
	c.send("DELETE", "/Users/"+c.ids[externalID], nil)
	delete(c.ids, externalID)
}

func (c *cloud) send(method, path string, body any) map[string]any {
	c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.URL+"/scim/v2"+path, bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/scim+json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	answer := map[string]any{}
	if response.StatusCode != http.StatusNoContent {
		err = json.NewDecoder(response.Body).Decode(&answer)
	}
	if err != nil || response.StatusCode >= 300 {
		c.t.Fatalf("%s %s: %s, %v, %v", method, path, response.Status, answer, err)
	}
	return answer
}

// settle waits until all that follows is done.
func (c *cloud) settle() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.Settle(ctx, time.Time{}); err != nil {
		c.t.Fatal(err)
	}
}

// guest gives a guest's account, by the id that the cloud has for them; nil where there is none.
func (c *cloud) guest(externalID string) *ldap.Entry {
	c.t.Helper()
	found, err := c.Domain.Search("(employeeNumber="+externalID+")", "*", "memberOf")
	if err != nil || len(found) > 1 {
		c.t.Fatalf("%d accounts of %s: %v", len(found), externalID, err)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// want compares attributes of a guest's account.
func (c *cloud) want(externalID string, values map[string]string) {
	c.t.Helper()
	e := c.guest(externalID)
	if e == nil {
		c.t.Errorf("%s has no account", externalID)
		return
	}
	for name, want := range values {
		got := e.GetAttributeValue(name)
		switch name {
		case "dn":
			got = strings.TrimSuffix(e.DN, ","+c.Domain.Base)
		case "enabled":
			got = fmt.Sprint(stage.Enabled(e))
		case "groups":
			got = groups(e)
		}
		if got != want {
			c.t.Errorf("%s of %s = %q; want %q", name, externalID, got, want)
		}
	}
}

// cloudOf sets up HR, the staff's document and the sample for guests, and the token of the cloud directory.
func cloudOf(t *testing.T, s *stage.Stage) *cloud {
	t.Helper()
	conn, err := s.Domain.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ou := ldap.NewAddRequest("OU=Guests,"+s.Domain.Base, nil)
	ou.Attribute("objectClass", []string{"top", "organizationalUnit"})
	group := ldap.NewAddRequest("CN=Guests of applications,OU=Guests,"+s.Domain.Base, nil)
	group.Attribute("objectClass", []string{"top", "group"})
	group.Attribute("sAMAccountName", []string{"Guests of applications"})
	for _, add := range []*ldap.AddRequest{ou, group} {
		if err := conn.Add(add); err != nil {
			t.Fatal(err)
		}
	}
	hr, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile(filepath.Join("..", "..", "coordinator", "mapping", "testdata", "guests.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	guests := strings.NewReplacer(`["ldaps://dc1.corp.example"]`, fmt.Sprintf("[%q]\n  ca: %q", s.Directory, s.Domain.CA),
		"bind: svc-drawbridge@corp.example", fmt.Sprintf("bind: %q", s.Domain.Bind), "DC=corp,DC=example", s.Domain.Base).Replace(string(sample))
	for name, text := range map[string]string{"hr.yaml": hr, "guests.yaml": guests,
		"corp-ad.yaml": strings.Replace(ad, `department != "Contractors"`, `employeeNumber != ""`, 1)} {
		if err := s.Apply(t.Context(), name, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, system := range []string{stage.AD, "corp-guests"} {
		if err := s.SetSecret(t.Context(), system, "password", s.Domain.Password); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.CLI(t.Context(), "token", "create", "--api", "cloud", "--source", "cloud", "-o", "json")
	var made struct {
		Token string `json:"token"`
	}
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return &cloud{s, t, made.Token, map[string]string{}}
}

// People who exist in the cloud only: guests get an account in the domain, apart
// from the staff whose names they may share; they change, are blocked, are let in
// again, become members, and go, and their accounts with them.
func TestGuests(t *testing.T) {
	onEachDomain(t, func(t *testing.T, s *stage.Stage) {
		c := cloudOf(t, s)
		s.File.Put(worker("E1", "Gus", "Gast", "Sales")) // of the staff, and called as a guest is
		export(t, s)
		staff := map[string]string{"dn": "CN=Gus Gast,OU=Sales,OU=Staff", "sAMAccountName": "ggast", "userPrincipalName": "gus.gast@corp.example", "enabled": "true", "employeeType": ""}
		want(t, s, "E1", staff)

		const suffix = "_partner.example#EXT#@corp.onmicrosoft.com"
		c.push("9b1c", "userName", "gus"+suffix, "userType", "Guest", "displayName", "Gus Gast", "name.givenName", "Gus", "name.familyName", "Gast", "emails.work", "gus@partner.example")
		c.push("9b1d", "userName", "gerd"+suffix, "userType", "Guest", "displayName", "Gus Gast", "name.givenName", "Gerd", "name.familyName", "Gast", "emails.work", "gerd@partner.example")
		c.push("77aa", "userName", "mia@corp.example", "userType", "Member", "displayName", "Mia Member")
		c.settle()
		c.want("9b1c", map[string]string{"dn": "CN=Gus Gast,OU=Guests", "sAMAccountName": "g-ggast", "userPrincipalName": "gus" + suffix, "employeeType": "Guest",
			"mail": "gus@partner.example", "enabled": "true", "groups": "Guests of applications"})
		c.want("9b1d", map[string]string{"dn": "CN=Gus Gast 2,OU=Guests", "sAMAccountName": "g-ggast2", "userPrincipalName": "gerd" + suffix, "enabled": "true"})
		if e := c.guest("77aa"); e != nil {
			t.Errorf("a member who is in the cloud only has the account %s", e.DN)
		}
		want(t, s, "E1", staff)

		guest := c.guest("9b1c").GetAttributeValue("objectGUID")
		c.push("9b1c", "active", "false")
		c.push("9b1d", "userName", "gerda"+suffix, "displayName", "Gerda Gast")
		c.settle()
		c.want("9b1c", map[string]string{"enabled": "false", "groups": ""})
		c.want("9b1d", map[string]string{"dn": "CN=Gerda Gast,OU=Guests", "sAMAccountName": "g-ggast2", "userPrincipalName": "gerda" + suffix})
		c.push("9b1c", "active", "true")
		c.push("9b1d", "userType", "Member")
		c.settle()
		c.want("9b1c", map[string]string{"enabled": "true", "groups": "Guests of applications"})
		c.want("9b1d", map[string]string{"enabled": "false", "groups": ""})
		c.push("9b1d", "userType", "Guest")
		c.remove("9b1c")
		c.settle()
		c.want("9b1c", map[string]string{"enabled": "false", "groups": ""})
		c.want("9b1d", map[string]string{"enabled": "true", "groups": "Guests of applications"})

		// Restored within 30 days, the same account is theirs again.
		c.push("9b1c", "userName", "gus"+suffix, "userType", "Guest", "displayName", "Gus Gast", "name.givenName", "Gus", "name.familyName", "Gast", "emails.work", "gus@partner.example")
		c.settle()
		c.want("9b1c", map[string]string{"enabled": "true", "groups": "Guests of applications"})
		if again := c.guest("9b1c").GetAttributeValue("objectGUID"); again != guest {
			t.Error("a guest who came back has another account")
		}
		want(t, s, "E1", staff)
	})
}
