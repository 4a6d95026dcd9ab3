package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func send(t *testing.T, method, address, token string, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// concrete fills the parameters of a path with names that exist in the tenant of populated.
func concrete(path string) string {
	return strings.NewReplacer("{name}", "corp-ad", "{key}", "e1001", "{id}", rehearsal.Agent).Replace(
		strings.NewReplacer("{revision}", "1", "/webhooks/{id}", "/webhooks/x", "{delivery}", "x", "{address}", "x@x.example", "/cycles/{id}", "/cycles/1", "/jobs/{id}", "/jobs/1", "/passwords/{id}", "/passwords/1", "/api-tokens/{id}", "/api-tokens/nosuch").Replace(path))
}

func populated(t *testing.T) *rehearsal.World {
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	return w
}

// No path answers anybody who has no token, or one that is almost good.
func TestHandler_wantsATokenEverywhere(t *testing.T) {
	t.Parallel()
	w := populated(t)
	base, good := w.Serve(), w.Token(rehearsal.Tenant, "tester")
	routes := append(w.API().Routes(), [2]string{"GET", "/openapi.json"}, [2]string{"GET", "/"}, [2]string{"GET", "/nosuch"})
	if len(routes) < 25 {
		t.Fatalf("only %d routes to try", len(routes))
	}
	for _, token := range []string{"", "nonsense", good[:len(good)-1] + "0", "dba__", strings.Replace(good, "dba_", "dba_x", 1)} {
		if token == good {
			continue
		}
		for _, r := range routes {
			status, text := send(t, r[0], base+concrete(r[1]), token, "")
			if status != http.StatusUnauthorized || !strings.Contains(text, "next_step") {
				t.Errorf("%s %s with token %q = %d %.80s; want 401 and what to do", r[0], r[1], token, status, text)
			}
		}
	}
}

func connect(t *testing.T, w *rehearsal.World) *client.Client {
	t.Helper()
	return &client.Client{URL: w.Serve(), Token: w.Token(rehearsal.Tenant, "tester")}
}

// Everything that is wrong with a file is told at once, and nothing of it is stored.
func TestApply_tellsEveryFault(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	c := connect(t, w)
	text := strings.Replace(rehearsal.Documents, "trim(first_name)", "trimm(first_name)", 1)
	text = strings.Replace(text, "department: department\n    title", "departmnt: department\n    title", 1)
	text = strings.Replace(text, "match: {", "mach: {", 1)
	_, err := c.Apply(t.Context(), "all.yaml", []byte(text), false)
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity {
		t.Fatalf("Apply() = %v; want a problem with faults", err)
	}
	lines := strings.Split(text, "\n")
	if len(p.Errors) < 3 {
		t.Errorf("%d faults; want 3 or more: %+v", len(p.Errors), p.Errors)
	}
	for _, f := range p.Errors {
		if f.Document != "all.yaml" || f.Line == 0 || f.Text != lines[f.Line-1] || f.Message == "" {
			t.Errorf("fault %+v; want file, line, its text and a message", f)
		}
	}
	var systems []client.System
	if err := c.Items(t.Context(), "/v1/systems", nil, &systems); err != nil || len(systems) != 0 {
		t.Errorf("%d systems stored, %v; want none", len(systems), err)
	}
}

// What the system does not have is told before anything is stored, where its schema is known.
func TestApply_checksTheSchema(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	schema := &connectorv1.SchemaResponse{Classes: []*connectorv1.Class{{Name: "user", Attributes: []*connectorv1.AttributeType{
		{Name: "cn", Type: connectorv1.Type_TYPE_STRING}, {Name: "department", Type: connectorv1.Type_TYPE_STRING},
	}}}}
	w.Write(func(tx *store.Tx) error {
		text, err := proto.Marshal(schema)
		if err != nil {
			return err
		}
		return tx.SetSchema(rehearsal.Tenant, "corp-ad", text)
	})
	c := connect(t, w)
	text := strings.Replace(rehearsal.Documents, "    department: department\n    title: title\n    manager: {", "    departmnt: department\n    title: title\n    manager: {", 1)
	_, err := c.Apply(t.Context(), "all.yaml", []byte(text), false)
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("Apply() = %v; want a problem with faults", err)
	}
	found := false
	for _, f := range p.Errors {
		found = found || strings.Contains(f.Text, "departmnt:") && strings.Contains(f.NextStep+f.Message, "department")
	}
	if !found {
		t.Errorf("faults = %+v; want one at the line of departmnt that suggests department", p.Errors)
	}
}

// A decision about nothing in particular is not one about everything.
func TestDecide_wantsToKnowWhat(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	for _, path := range []string{"/v1/held/approve", "/v1/held/reject"} {
		var p *client.Problem
		if err := c.Post(t.Context(), path, client.Decision{}, nil); !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s of nothing = %v; want it refused", path, err)
		}
	}
}

func TestApply_tellsWhatItDid(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	c := connect(t, w)
	actions := func(text string, dry bool) (got []string) {
		t.Helper()
		done, err := c.Apply(t.Context(), "all.yaml", []byte(text), dry)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range done.Systems {
			got = append(got, s.Name+" "+s.Action)
		}
		return got
	}
	for _, step := range []struct {
		text string
		dry  bool
		want []string
	}{
		{rehearsal.Documents, true, []string{"hr created", "corp-ad created"}},
		{rehearsal.Documents, false, []string{"hr created", "corp-ad created"}},
		{strings.ReplaceAll(rehearsal.Documents, "\n", "\r\n"), false, []string{"hr unchanged", "corp-ad unchanged"}},
		{strings.Replace(rehearsal.Documents, "title: title", "title: upper(title)", 1), false, []string{"hr changed", "corp-ad unchanged"}},
	} {
		if got := actions(step.text, step.dry); !cmp.Equal(got, step.want) {
			t.Errorf("Apply(dry %v) = %q; want %q", step.dry, got, step.want)
		}
	}
}

// A value is explained from the record to when it was written.
func TestExplain_tracesEveryValue(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	var p client.Person
	if err := c.Get(t.Context(), "/v1/people/E1001", nil, &p); err != nil {
		t.Fatal(err)
	}
	if p.Display != "Ada Lovelace" || p.Life != "active" || len(p.Accounts) != 1 || p.Accounts[0].State != "present" || p.Accounts[0].Enabled != "yes" {
		t.Fatalf("person = %+v", p)
	}
	seen := map[string]client.Value{}
	for _, v := range p.Accounts[0].Values {
		seen[v.Attribute] = v
	}
	got := seen["sAMAccountName"]
	if got.Written == nil || got.Written.Agent != "dc-host" || got.Written.Server != "dc1.corp.example" || time.Since(got.Written.At) > time.Hour {
		t.Errorf("written = %+v; want when, by which agent, to which server", got.Written)
	}
	got.Written = nil
	want := client.Value{Attribute: "sAMAccountName", Values: []string{"alovelace"},
		Rule: &client.Rule{Document: "corp-ad", Line: 11, Text: "firstUnique(lower(left(name.givenName, 1) + name.familyName))"},
		Inputs: []client.Input{
			{Term: client.Term{Name: "name.familyName", Value: "Lovelace"}, Origin: &client.Origin{System: "hr", Record: "E1001", Place: "workers.csv line 1001",
				Inputs: []client.Term{{Name: "last_name", Value: "Lovelace"}}, Rule: &client.Rule{Document: "hr", Line: 11, Text: "trim(last_name)"}}},
			{Term: client.Term{Name: "name.givenName", Value: "Ada"}, Origin: &client.Origin{System: "hr", Record: "E1001", Place: "workers.csv line 1001",
				Inputs: []client.Term{{Name: "first_name", Value: "Ada"}}, Rule: &client.Rule{Document: "hr", Line: 10, Text: "trim(first_name)"}}},
		}}
	if diff := cmp.Diff(want, got, cmp.Transformer("sorted", sortInputs)); diff != "" {
		t.Errorf("sAMAccountName (-want +got):\n%s", diff)
	}
	for _, name := range []string{"address", "employeeID", "department", "title", "givenName", "sn"} {
		if v := seen[name]; v.Written == nil || v.Rule == nil || len(v.Inputs) == 0 || v.Inputs[0].Origin == nil {
			t.Errorf("%s = %+v; want record, rule and when written", name, v)
		}
	}
}

func sortInputs(in []client.Input) map[string]client.Input {
	out := map[string]client.Input{}
	for _, i := range in {
		out[i.Name] = i
	}
	return out
}

// A reference says whose account its value names, for an id tells nobody.
func TestExplain_namesReferences(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"), rehearsal.Worker("E1002", "Grace", "Hopper", "manager_id", "E1001"))
	w.Settle()
	c := connect(t, w)
	var p client.Person
	if err := c.Get(t.Context(), "/v1/people/E1002", nil, &p); err != nil {
		t.Fatal(err)
	}
	for _, v := range p.Accounts[0].Values {
		var want []client.Holder
		if v.Attribute == "manager" {
			want = []client.Holder{{Value: strings.Join(v.Values, ""), Key: "E1001", Display: "Ada Lovelace"}}
		}
		if diff := cmp.Diff(want, v.People); diff != "" {
			t.Errorf("people of %s (-want +got):\n%s", v.Attribute, diff)
		}
	}
	var s client.SystemDetail
	if err := c.Get(t.Context(), "/v1/systems/corp-ad", nil, &s); err != nil || s.Waiting != 0 {
		t.Errorf("jobs waiting at corp-ad, where all is done = %d, %v; want none", s.Waiting, err)
	}
	w.Read("hr", rehearsal.Worker("E1003", "Alan", "Turing"))
	w.Plan()
	if err := c.Get(t.Context(), "/v1/systems/corp-ad", nil, &s); err != nil || s.Waiting != 1 {
		t.Errorf("jobs waiting at corp-ad, with one planned = %d, %v; want 1", s.Waiting, err)
	}
}

// What is not there yet says why.
func TestExplain_saysWhyNotYet(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	c := connect(t, w)
	w.Read("hr", rehearsal.Worker("E1", "Ada", "Lovelace"), rehearsal.Worker("E2", "Ada", "Byron", "hire_date", time.Now().AddDate(0, 1, 0).Format(time.DateOnly)))
	w.Plan()
	for key, want := range map[string]string{"E1": "waits for an agent of site hq", "E2": "the account is made 7d before start"} {
		var p client.Person
		if err := c.Get(t.Context(), "/v1/people/"+key, nil, &p); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, a := range p.Accounts {
			for _, v := range a.Values {
				found = found || v.Attribute == "sn" && strings.Contains(v.Pending, want)
			}
		}
		if !found {
			t.Errorf("%s: no value says %q: %+v", key, want, p.Accounts)
		}
	}
}

func TestFollow_givesWhatHappens(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	enough := errors.New("enough")
	go func() {
		time.Sleep(300 * time.Millisecond)
		_ = c.Post(ctx, "/v1/api-tokens", client.NewAPIToken{Name: "late"}, nil)
	}()
	var kinds []string
	err := c.Follow(ctx, url.Values{}, 0, func(e client.Entry) error {
		kinds = append(kinds, e.Kind)
		if e.Kind == "audit" {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("Follow() = %v after %q", err, kinds)
	}
	if !cmp.Equal(kinds[:3], []string{"source-changed", "planned", "written"}) {
		t.Errorf("kinds = %q; want what was before first", kinds)
	}
}

func TestLocalToken_isKeptWhileGood(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	path := filepath.Join(t.TempDir(), "admin-token")
	read := func() string {
		t.Helper()
		if err := access.LocalToken(t.Context(), w.Store, rehearsal.Tenant, path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	first := read()
	if status, _ := send(t, "GET", w.Serve()+"/v1/status", first, ""); status != http.StatusOK {
		t.Errorf("status with the local token = %d; want 200", status)
	}
	if again := read(); again != first {
		t.Error("a good token was replaced")
	}
	if err := os.WriteFile(path, []byte("dba_spoilt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := read(); again == first || again == "dba_spoilt" {
		t.Errorf("token after it was spoilt = %.12s…; want a new one", again)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want readable by its owner alone", info.Mode(), err)
	}
}

func TestOpenAPI_describesEveryRoute(t *testing.T) {
	t.Parallel()
	w := populated(t)
	_, text := send(t, "GET", w.Serve()+"/openapi.json", w.Token(rehearsal.Tenant, "tester"), "")
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	if err := json.NewDecoder(bytes.NewBufferString(text)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) < 20 {
		t.Errorf("OpenAPI %q with %d paths; want 3.1 with all", doc.OpenAPI, len(doc.Paths))
	}
}
