package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
)

// The sample in the README of the scim connector works as it stands there: HR's
// people get accounts in an application, in their group, with their manager;
// they change, and leave.
func TestSCIM_sampleOfREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	app := &application{scimmy.StartTest(t, scimmy.Options{})}
	app.post(t, "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Staff"}`)
	readme, err := os.ReadFile("../../plugins/scim/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	sample, _, found := strings.Cut(rest, "```")
	if !found || !strings.Contains(sample, "https://app.example/scim/v2") {
		t.Fatal("the README has no sample with the address https://app.example/scim/v2")
	}
	s := set(t, "double")
	ana := worker("E2", "Ana", "Lopes", "Sales")
	ana.ManagerID = "E1"
	s.File.Put(worker("E1", "Jürgen", "Großmann", "Sales"), ana, worker("E9", "Otto", "Contractor", "Contractors"))
	hr, _, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), "app.yaml", strings.Replace(sample, "https://app.example/scim/v2", app.URL, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), "hr.yaml", hr); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSecret(t.Context(), "app", "token", app.Token); err != nil {
		t.Fatal(err)
	}
	export(t, s)
	const extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	boss := app.user(t, "E1")
	got := app.user(t, "E2")
	for path, want := range map[string]string{"userName": "ana.lopes.e2@corp.example", "name.givenName": "Ana", "title": "Analyst", "active": "true",
		"emails.0.value": "ana.lopes.e2@corp.example", "emails.0.type": "work", "addresses.0.locality": "Berlin",
		extension + "/department": "Sales", extension + "/manager.value": fmt.Sprint(boss["id"]), "groups.0.display": "Staff"} {
		if have := at(got, path); have != want {
			t.Errorf("%s of Ana = %q; want %q", path, have, want)
		}
	}
	if o := app.user(t, "E9"); o != nil {
		t.Errorf("a contractor, out of scope, has the account %v", o)
	}

	ana.LastName, ana.Department, ana.ManagerID = "Silva", "Legal", ""
	s.File.Put(ana)
	gone := worker("E1", "Jürgen", "Großmann", "Sales")
	gone.TermDate = time.Now().AddDate(0, 0, -1).Format(time.DateOnly)
	s.File.Put(gone)
	export(t, s)
	got = app.user(t, "E2")
	if at(got, "name.familyName") != "Silva" || at(got, extension+"/department") != "Legal" || at(got, "userName") != "ana.silva.e2@corp.example" {
		t.Errorf("after a change Ana is %v; want Silva of Legal", got)
	}
	if o := app.user(t, "E1"); at(o, "active") != "false" || at(o, "groups.0.value") != "" {
		t.Errorf("a leaver's account is %v; want it inactive and in no group", o)
	}
}

// An application is looked into past Drawbridge.
type application struct{ *scimmy.Server }

func (a *application) send(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.Token)
	r.Header.Set("Content-Type", "application/scim+json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var o map[string]any
	if err := json.NewDecoder(response.Body).Decode(&o); err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s, %v, %v", method, path, response.Status, o, err)
	}
	return o
}

func (a *application) post(t *testing.T, path, body string) {
	t.Helper()
	a.send(t, "POST", path, body)
}

// user gives the account of a worker, nil if there is none.
func (a *application) user(t *testing.T, employee string) map[string]any {
	t.Helper()
	list, _ := a.send(t, "GET", "/Users?filter="+url.QueryEscape(fmt.Sprintf("externalId eq %q", employee)), "")["Resources"].([]any)
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		t.Errorf("%s has %d accounts; want one", employee, len(list))
	}
	return list[0].(map[string]any)
}

// at gives what stands in a resource: extension/name.part.0.part.
func at(o any, path string) string {
	if urn, rest, ok := strings.Cut(path, "/"); ok {
		extension, _ := o.(map[string]any)
		return at(extension[urn], rest)
	}
	for _, step := range strings.Split(path, ".") {
		switch v := o.(type) {
		case map[string]any:
			o = v[step]
		case []any:
			i := int(step[0] - '0')
			if i >= len(v) {
				return ""
			}
			o = v[i]
		}
	}
	if o == nil {
		return ""
	}
	return fmt.Sprint(o)
}
