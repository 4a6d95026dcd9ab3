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
	// An application's token reads the directory, the same people.
	client := connkit.Open(t, connector.New(), settings, map[string]string{"token": h.read})
	r := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"User"}, Attributes: []string{"userName", "externalId", enterprise + ":department"}})
	if len(r.Objects) < 25 {
		t.Errorf("the connector read %d people of the directory (%v); want 25 or more", len(r.Objects), r.End)
	}
}
