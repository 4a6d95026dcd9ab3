package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/scim"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// pushed is the document of an HR system that pushes, as in the README.
const pushed = `system: hr-push
site: cloud
connector: scim-push
source:
  class: User
  key: externalId
  attributes:
    employeeNumber: externalId
    userName: userName
    name.givenName: name.givenName
    name.familyName: name.familyName
    emails.work: emails.work
    department: department
    title: title
    manager: manager
    startDate: date(startDate)
    active: active
    memberOf: values(memberOf)
  group:
    class: Group
    key: id
    attributes: {displayName: displayName, memberOf: values(memberOf)}
`

const user = "urn:ietf:params:scim:schemas:core:2.0:User"
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// A hub is a coordinator's SCIM server, over a real store.
type hub struct {
	*rehearsal.World
	url, push, read string // tokens
}

func serve(t testing.TB) *hub {
	t.Helper()
	_, ad, _ := strings.Cut(rehearsal.Documents, "---\n")
	return serveTo(t, pushed+"---\n"+ad)
}

// serveTo is serve with these documents.
func serveTo(t testing.TB, documents string) *hub {
	t.Helper()
	w := rehearsal.New(t)
	w.Apply(documents)
	s := &scim.Server{Store: w.Store, Intake: w.Intake, Systems: plan.NewSystems(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	h := &hub{World: w, url: server.URL + scim.Base}
	h.push, h.read = h.token(rehearsal.Tenant, "hr-push"), h.token(rehearsal.Tenant, "")
	return h
}

// token makes a token of a tenant that is good for SCIM alone.
func (h *hub) token(tenant, source string) (text string) {
	h.Write(func(tx *store.Tx) error {
		if err := tx.PutTenant(tenant); err != nil {
			return err
		}
		var row store.APIToken
		var err error
		if text, row, err = access.NewToken(tx, store.APIToken{Tenant: tenant, Name: "test", Roles: string(access.Administrator)}); err != nil {
			return err
		}
		return tx.PutTokenSCIM(store.TokenSCIM{Tenant: tenant, Token: row.ID, Source: source})
	})
	return text
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
}

// do sends a request; header are pairs.
func (h *hub) do(t testing.TB, token, method, path string, body any, header ...string) reply {
	t.Helper()
	var text []byte
	if s, ok := body.(string); ok {
		text = []byte(s)
	} else if body != nil {
		text, _ = json.Marshal(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/scim+json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out := reply{status: res.StatusCode, header: res.Header}
	if data, _ := io.ReadAll(res.Body); len(data) > 0 {
		if err := json.Unmarshal(data, &out.body); err != nil {
			t.Fatalf("%s %s answers what is no JSON: %s", method, path, data)
		}
	}
	return out
}

// want is do for a request whose answer must have a status.
func (h *hub) want(t testing.TB, status int, token, method, path string, body any, header ...string) reply {
	t.Helper()
	r := h.do(t, token, method, path, body, header...)
	if r.status != status {
		t.Fatalf("%s %s = %d %v; want %d", method, path, r.status, r.body, status)
	}
	return r
}

// at gives what stands at a path of keys and indexes.
func at(v any, keys ...any) any {
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[k]
		case int:
			list, _ := v.([]any)
			if k >= len(list) {
				return nil
			}
			v = list[k]
		}
	}
	return v
}

func worker(key, given, family string) map[string]any {
	return map[string]any{"schemas": []string{user, enterprise}, "userName": strings.ToLower(given), "externalId": key, "active": true,
		"name": map[string]any{"givenName": given, "familyName": family}, enterprise: map[string]any{"department": "Research"},
		"emails": []any{map[string]any{"type": "work", "value": strings.ToLower(given) + "@corp.example", "primary": true}}}
}

func patchOp(ops ...map[string]any) map[string]any {
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops}
}

// Whom HR pushes gets an account, which follows what HR pushes later.
func TestPush_accountFollows(t *testing.T) {
	t.Parallel()
	h := serve(t)
	boss := h.want(t, 201, h.push, "POST", "/Users", worker("E1", "Grace", "Hopper"))
	ada := worker("E2", "Ada", "Lovelace")
	ada[enterprise].(map[string]any)["manager"] = map[string]any{"value": boss.body["id"]}
	made := h.want(t, 201, h.push, "POST", "/Users", ada)
	if made.header.Get("Location") != at(made.body, "meta", "location") || made.header.Get("ETag") == "" {
		t.Errorf("the answer of a create has Location %q and ETag %q", made.header.Get("Location"), made.header.Get("ETag"))
	}
	h.Settle()
	where := "CN=Ada Lovelace,OU=Research,DC=corp,DC=example"
	if got := h.Value(where, "employeeID"); got != "E2" {
		t.Fatalf("accounts are %v; want one of Ada", h.Addresses())
	}
	if got := h.Value(where, "manager"); got == "" {
		t.Error("Ada's account has no manager, whom HR named by id")
	}
	path := "/Users/" + made.body["id"].(string)
	h.want(t, 200, h.push, "PATCH", path, patchOp(
		map[string]any{"op": "Replace", "path": "name.familyName", "value": "King"},
		map[string]any{"op": "replace", "path": `emails[type eq "work"].value`, "value": "king@corp.example"},
		map[string]any{"op": "add", "value": map[string]any{enterprise + ":department": "Computing", "title": "Countess"}}))
	h.Settle()
	if got := h.Value("CN=Ada King,OU=Computing,DC=corp,DC=example", "title"); got != "Countess" {
		t.Errorf("after the patch accounts are %v; want Ada King of Computing", h.Addresses())
	}
	h.want(t, 204, h.push, "DELETE", path, nil)
	h.want(t, 404, h.push, "GET", path, nil)
	h.Settle()
	if got := h.Value("CN=Ada King,OU=Leavers,DC=corp,DC=example", "enabled"); got != "false" {
		t.Errorf("after the delete accounts are %v; want Ada disabled among the leavers", h.Addresses())
	}
}

// What is read of the directory is what the sources together say.
func TestRead_directory(t *testing.T) {
	t.Parallel()
	h := serve(t)
	h.want(t, 201, h.push, "POST", "/Users", worker("E1", "Grace", "Hopper"))
	ada := worker("E2", "Ada", "Lovelace")
	ada[enterprise].(map[string]any)["manager"] = map[string]any{"value": "E1"}
	h.want(t, 201, h.push, "POST", "/Users", ada)
	list := h.want(t, 200, h.read, "GET", "/Users?filter="+url.QueryEscape(`externalId eq "E2" and active eq true`), nil)
	got := at(list.body, "Resources", 0)
	boss := at(h.want(t, 200, h.read, "GET", "/Users?filter="+url.QueryEscape(`userName eq "GRACE"`), nil).body, "Resources", 0)
	for _, c := range []struct {
		want any
		path []any
	}{
		{"ada", []any{"userName"}}, {"Lovelace", []any{"name", "familyName"}}, {"work", []any{"emails", 0, "type"}}, {"ada@corp.example", []any{"emails", 0, "value"}},
		{"Research", []any{enterprise, "department"}}, {at(boss, "id"), []any{enterprise, "manager", "value"}}, {"Ada Lovelace", []any{"displayName"}},
	} {
		if have := at(got, c.path...); have == nil || have != c.want {
			t.Errorf("%v of Ada = %v; want %v", c.path, have, c.want)
		}
	}
	path := "/Users/" + at(got, "id").(string)
	etag := h.want(t, 200, h.read, "GET", path, nil).header.Get("ETag")
	h.want(t, 304, h.read, "GET", path, nil, "If-None-Match", etag)
	some := h.want(t, 200, h.read, "GET", path+"?attributes=name.givenName,"+url.QueryEscape(enterprise+":department"), nil).body
	if diff := cmp.Diff([]any{"Ada", nil, "Research", nil}, []any{at(some, "name", "givenName"), at(some, "name", "familyName"), at(some, enterprise, "department"), some["userName"]}); diff != "" {
		t.Errorf("chosen attributes (-want +got):\n%s", diff)
	}
	if rest := h.want(t, 200, h.read, "GET", path+"?excludedAttributes=emails", nil).body; rest["emails"] != nil || rest["name"] == nil {
		t.Errorf("without emails it is %v", rest)
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		h.want(t, 403, h.read, method, path, ada)
	}
	h.want(t, 403, h.read, "POST", "/Users", ada)
}

// What cannot be taken is refused with what to do, and leaves no trace.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := serve(t)
	ada := h.want(t, 201, h.push, "POST", "/Users", worker("E2", "Ada", "Lovelace"))
	path := "/Users/" + ada.body["id"].(string)
	staff := "/Groups/" + h.want(t, 201, h.push, "POST", "/Groups", team("Staff", nil, "externalId", "G1")).body["id"].(string)
	twin := worker("E3", "ADA", "Byron")
	wrongDate := worker("E4", "Eve", "Moneypenny")
	wrongDate["urn:ietf:params:scim:schemas:extension:drawbridge:2.0:User"] = map[string]any{"startDate": "some day"}
	for name, c := range map[string]struct {
		status             int
		kind, method, path string
		body               any
		header             []string
	}{
		"a name that another has":     {409, "uniqueness", "POST", "/Users", twin, nil},
		"no userName":                 {400, "invalidValue", "POST", "/Users", map[string]any{"schemas": []string{user}}, nil},
		"no schemas":                  {400, "invalidValue", "POST", "/Users", map[string]any{"userName": "x"}, nil},
		"half a body":                 {400, "invalidSyntax", "POST", "/Users", `{"schemas":`, nil},
		"a value the mapping refuses": {400, "invalidValue", "POST", "/Users", wrongDate, nil},
		"another content type":        {415, "", "POST", "/Users", `{}`, []string{"Content-Type", "text/xml"}},
		"too large a body":            {413, "", "POST", "/Users", strings.Repeat(" ", 2<<20), nil},
		"another version":             {412, "", "PUT", path, worker("E2", "Ada", "King"), []string{"If-Match", `W/"old"`}},
		"a filter that is none":       {400, "invalidFilter", "GET", "/Users?filter=userName+is+it", nil, nil},
		"an order that is not had":    {400, "invalidPath", "GET", "/Users?sortBy=title", nil, nil},
		"a cursor of another list":    {400, "invalidCursor", "GET", "/Users?cursor=bm9uZQ", nil, nil},
		"the server's attribute":      {400, "mutability", "PATCH", path, patchOp(map[string]any{"op": "replace", "path": "meta.created", "value": "x"}), nil},
		"a path that is none":         {400, "invalidPath", "PATCH", path, patchOp(map[string]any{"op": "replace", "path": "emails[", "value": "x"}), nil},
		"no match, no plain filter":   {400, "noTarget", "PATCH", path, patchOp(map[string]any{"op": "replace", "path": `emails[type ne "work"].value`, "value": "x"}), nil},
		"somebody who is not there":   {404, "", "GET", "/Users/nobody", nil, nil},
		"a method that is not had":    {405, "", "DELETE", "/Users", nil, nil},
		"a group without a schema":    {400, "invalidValue", "POST", "/Groups", map[string]any{"displayName": "x"}, nil},
		"a group without a name":      {400, "invalidValue", "POST", "/Groups", map[string]any{"schemas": []string{groupURN}}, nil},
		"members that are no list":    {400, "invalidValue", "POST", "/Groups", team("x", nil, "members", "all"), nil},
		"members that are not there":  {400, "invalidValue", "POST", "/Groups", team("x", []string{"nobody"}), nil},
		"an externalId as a group's":  {409, "uniqueness", "POST", "/Groups", team("Other", nil, "externalId", "G1"), nil},
		"a group in itself":           {400, "invalidValue", "PATCH", staff, patchOp(map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": strings.TrimPrefix(staff, "/Groups/")}}}), nil},
		"a part of a member":          {400, "mutability", "PATCH", staff, patchOp(map[string]any{"op": "replace", "path": "members.value", "value": "x"}), nil},
		"members added by a filter":   {400, "invalidPath", "PATCH", staff, patchOp(map[string]any{"op": "add", "path": `members[value eq "x"]`, "value": "x"}), nil},
		"a group without its name":    {400, "mutability", "PATCH", staff, patchOp(map[string]any{"op": "remove", "path": "displayName"}), nil},
		"another version of a group":  {412, "", "PATCH", staff, patchOp(map[string]any{"op": "replace", "path": "displayName", "value": "x"}), []string{"If-Match", `W/"old"`}},
		"a group as a User":           {404, "", "GET", strings.Replace(staff, "Groups", "Users", 1), nil, nil},
		"a User as a group":           {404, "", "GET", strings.Replace(path, "Users", "Groups", 1), nil, nil},
		"oneself":                     {501, "", "GET", "/Me", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.want(t, c.status, h.push, c.method, c.path, c.body, c.header...)
			kind, _ := r.body["scimType"].(string)
			detail, _ := r.body["detail"].(string)
			if kind != c.kind || len(detail) < 20 || r.body["status"] != fmt.Sprint(c.status) {
				t.Errorf("refusal %v; want scimType %q and a detail", r.body, c.kind)
			}
		})
	}
	for _, kind := range []string{"Users", "Groups"} {
		if list := h.want(t, 200, h.push, "GET", "/"+kind, nil).body; list["totalResults"] != 1.0 {
			t.Errorf("after refusals there are %v %s; want 1", list["totalResults"], kind)
		}
	}
	h.want(t, 200, h.push, "PUT", path, worker("E2", "Ada", "King"), "If-Match", ada.header.Get("ETag"))
}

// Operations of a bulk request refer to each other; a refused one leaves the others.
func TestBulk(t *testing.T) {
	t.Parallel()
	h := serve(t)
	second := worker("E2", "Ada", "Lovelace")
	second[enterprise].(map[string]any)["manager"] = map[string]any{"value": "bulkId:boss"}
	bulk := func(ops ...map[string]any) map[string]any {
		return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": ops}
	}
	r := h.want(t, 200, h.push, "POST", "/Bulk", bulk(
		map[string]any{"method": "POST", "path": "/Users", "bulkId": "boss", "data": worker("E1", "Grace", "Hopper")},
		map[string]any{"method": "POST", "path": "/Users", "bulkId": "twin", "data": worker("E9", "Grace", "Twin")},
		map[string]any{"method": "POST", "path": "/Users", "bulkId": "ada", "data": second},
		map[string]any{"method": "PATCH", "path": "/Users/bulkId:ada", "data": patchOp(map[string]any{"op": "add", "path": "title", "value": "Countess"})}))
	var status []any
	for i := range 4 {
		status = append(status, at(r.body, "Operations", i, "status"))
	}
	if diff := cmp.Diff([]any{"201", "409", "201", "200"}, status); diff != "" {
		t.Fatalf("bulk (-want +got):\n%s\n%v", diff, r.body)
	}
	h.Settle()
	if h.Value("CN=Ada Lovelace,OU=Research,DC=corp,DC=example", "manager") == "" {
		t.Errorf("accounts are %v; want Ada with a manager", h.Addresses())
	}
	// The request of API-driven provisioning makes or replaces by externalId, and answers 202.
	op := func(given string) map[string]any {
		return map[string]any{"method": "POST", "bulkId": "1", "path": "/Users", "data": map[string]any{"schemas": []string{user}, "externalId": "E7",
			"active": true, "name": map[string]any{"givenName": given, "familyName": "Turing"}, enterprise: map[string]any{"department": "Research"}}}
	}
	for _, given := range []string{"Alan", "Alan M"} {
		h.want(t, 202, h.push, "POST", "/bulkUpload", bulk(op(given)))
	}
	h.Settle()
	if h.Value("CN=Alan M Turing,OU=Research,DC=corp,DC=example", "employeeID") != "E7" {
		t.Errorf("accounts are %v; want one of Alan M Turing", h.Addresses())
	}
	// A refused operation leaves the others, and is found where Location leads.
	nameless := op("Nobody")
	delete(nameless["data"].(map[string]any), "externalId")
	r = h.want(t, 202, h.push, "POST", "/bulkUpload", bulk(nameless, map[string]any{"method": "DELETE", "bulkId": "2", "path": "/Users/x"}, op("Alan T")))
	status = nil
	for i := range 3 {
		status = append(status, at(r.body, "Operations", i, "status"))
	}
	if diff := cmp.Diff([]any{"400", "400", "200"}, status); diff != "" {
		t.Errorf("bulkUpload (-want +got):\n%s\n%v", diff, r.body)
	}
	if place := r.header.Get("Location"); !strings.Contains(place, "/v1/log?since=") || !strings.Contains(place, "system=hr") {
		t.Errorf("Location of bulkUpload = %q; want the log of the source", place)
	}
	list := h.want(t, 200, h.push, "GET", "/Users?filter="+url.QueryEscape(`externalId eq "E7"`), nil)
	if got := at(list.body, "Resources", 0, "name", "givenName"); got != "Alan T" {
		t.Errorf("beside refused operations E7 became %v; want Alan T", got)
	}
	var refused []store.History
	if err := h.Store.Read(t.Context(), func(tx *store.Tx) (err error) {
		refused, err = tx.ListHistory("default", store.LogFilter{Kind: "refused"}, 10)
		return err
	}); err != nil || len(refused) != 2 || !strings.Contains(refused[1].Text, "externalId must be") || !strings.Contains(refused[0].Text, "DELETE /Users/x") {
		t.Errorf("the log tells of %+v, %v; want both refused operations", refused, err)
	}
}

// An HR system that removes half of its people has removed nobody until a person says so.
func TestPush_gateHoldsRemovals(t *testing.T) {
	t.Parallel()
	h := serve(t)
	var ids []string
	for i := range 20 {
		ids = append(ids, h.want(t, 201, h.push, "POST", "/Users", worker(fmt.Sprintf("E%d", i), fmt.Sprintf("G%d", i), "X")).body["id"].(string))
	}
	h.Settle()
	for _, id := range ids[:10] {
		h.want(t, 204, h.push, "DELETE", "/Users/"+id, nil)
		h.want(t, 404, h.push, "GET", "/Users/"+id, nil)
	}
	h.Settle()
	leavers := func() int { return strings.Count(strings.Join(h.Addresses(), "\n"), "OU=Leavers") }
	var held []store.Cycle
	h.Write(func(tx *store.Tx) (err error) {
		held, err = tx.CyclesIn(rehearsal.Tenant, "hr-push", store.CycleHeld)
		return err
	})
	if len(held) != 1 || leavers() != 4 { // the gate: from 5 on, and above 20 %
		t.Fatalf("%d cycles are held and %d people have left; want 1 and 4", len(held), leavers())
	}
	if err := h.Intake.Believe(t.Context(), rehearsal.Tenant, held[0].ID, "me"); err != nil {
		t.Fatal(err)
	}
	h.Write(func(tx *store.Tx) error { // leaving holds its own threshold; what matters is that they are gone
		n, err := tx.CountAccounts(rehearsal.Tenant, "hr-push")
		if n != 10 {
			t.Errorf("after approval the source has %d records; want 10", n)
		}
		return err
	})
}

// Another tenant's token, and none, get nothing of anybody, on every route.
func TestIsolation(t *testing.T) {
	t.Parallel()
	h := serve(t)
	made := h.want(t, 201, h.push, "POST", "/Users", worker("E1", "Grace", "Hopper"))
	h.want(t, 201, h.push, "POST", "/Groups", team("Hoppers", []string{made.body["id"].(string)}))
	var person string
	h.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1"})
		person = rows[0].ID
		return err
	})
	others := []string{h.token("other", ""), h.token("other", "hr-push"), "dba_0000_no", ""}
	search := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": "userName pr"}
	bulk := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": []any{
		map[string]any{"method": "DELETE", "path": "/Users/" + made.body["id"].(string)}}}
	for i, token := range others {
		for _, id := range []string{made.body["id"].(string), person} {
			for _, route := range [][2]string{{"GET", "/Users"}, {"GET", "/Users?cursor="}, {"GET", "/Users?filter=externalId+eq+%22E1%22"},
				{"GET", "/Users?filter=id+eq+%22" + id + "%22"}, {"GET", "/Users/" + id}, {"PUT", "/Users/" + id}, {"PATCH", "/Users/" + id},
				{"DELETE", "/Users/" + id}, {"POST", "/Users"}, {"POST", "/Users/.search"}, {"POST", "/.search"}, {"POST", "/Bulk"}, {"POST", "/bulkUpload"},
				{"GET", "/Groups"}, {"GET", "/Groups/" + id}, {"PATCH", "/Groups/" + id}, {"DELETE", "/Groups/" + id}, {"POST", "/Groups/.search"},
				{"GET", "/Groups?filter=members+eq+%22" + id + "%22"}, {"GET", "/Groups?filter=displayName+eq+%22Hoppers%22"}, {"GET", "/Schemas"}, {"GET", "/ResourceTypes"}, {"GET", "/ServiceProviderConfig"}, {"GET", "/Me"}} {
				var body any = worker("E1", "Mallory", "Hopper")
				switch {
				case strings.HasSuffix(route[1], ".search"):
					body = search
				case strings.HasPrefix(strings.ToLower(route[1]), "/bulk"):
					body = bulk
				case route[0] == "PATCH":
					body = patchOp(map[string]any{"op": "replace", "path": "title", "value": "Mallory"})
				case route[0] == "GET" || route[0] == "DELETE":
					body = nil
				}
				r := h.do(t, token, route[0], route[1], body)
				text, _ := json.Marshal(r.body)
				if strings.Contains(string(text), "Hopper") || strings.Contains(string(text), "grace") || r.body["totalResults"] == 1.0 && strings.HasPrefix(route[1], "/Users") || strings.HasPrefix(route[1], "/Groups") && r.status == 200 && r.body["totalResults"] != 0.0 {
					t.Errorf("token %d: %s %s tells %s", i, route[0], route[1], text)
				}
				if i >= 2 && r.status != 401 {
					t.Errorf("without a good token %s %s = %d; want 401", route[0], route[1], r.status)
				}
			}
		}
	}
	same := h.want(t, 200, h.push, "GET", "/Users/"+made.body["id"].(string)+"?excludedAttributes=groups,meta", nil)
	delete(made.body, "meta")
	if diff := cmp.Diff(made.body, same.body); diff != "" {
		t.Errorf("others have changed it (-before +after):\n%s", diff)
	}
}

// A hundred thousand people are read, once each, by both ways of paging, in the memory of a page.
func TestRead_manyPeople(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 people are not quick")
	}
	if raced {
		t.Skip("measures memory")
	}
	t.Parallel()
	h := serve(t)
	const n = 100_000
	h.Write(func(tx *store.Tx) error {
		rows := make([]store.Person, n)
		for i := range rows {
			key := fmt.Sprintf("e%06d", i)
			rows[i] = store.Person{Tenant: rehearsal.Tenant, ID: "p" + key, Key: key, Display: "Given " + key, Made: tx.Now, Changed: tx.Now, Spelled: key,
				Attributes: `{"department":"Research","emails.work":"` + key + `@corp.example","name.familyName":"Family","name.givenName":"Given"}`}
		}
		return tx.PutPeople(rows)
	})
	var peak uint64
	page := func(query string) map[string]any {
		r := h.want(t, 200, h.read, "GET", "/Users?count=1000&"+query, nil)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
		return r.body
	}
	seen := map[string]int{}
	take := func(body map[string]any) (got int) {
		list, _ := body["Resources"].([]any)
		for _, o := range list {
			seen[at(o, "id").(string)]++
		}
		return len(list)
	}
	for start := 1; ; {
		got := take(page(fmt.Sprintf("startIndex=%d", start)))
		if start += got; got == 0 {
			break
		}
	}
	for cursor := ""; ; {
		body := page("cursor=" + url.QueryEscape(cursor))
		take(body)
		if cursor, _ = body["nextCursor"].(string); cursor == "" {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("%d people were read; want %d", len(seen), n)
	}
	for id, times := range seen {
		if times != 2 {
			t.Fatalf("%s was read %d times; want once each way", id, times)
		}
	}
	// In the middle, without having paged there; and a filter that only a walk answers.
	if body := page("startIndex=50001&filter=" + url.QueryEscape(`name.familyName eq "family"`)); at(body, "Resources", 0, "externalId") != "e050000" || body["totalResults"] != float64(n) {
		t.Errorf("page at 50,001 begins with %v of %v; want e050000 of %d", at(body, "Resources", 0, "externalId"), body["totalResults"], n)
	}
	if body := page("filter=" + url.QueryEscape(`emails[type eq "work" and value eq "E077777@corp.example"]`)); at(body, "Resources", 0, "externalId") != "e077777" {
		t.Errorf("a person by e-mail address = %v", body)
	}
	if peak > 256<<20 {
		t.Errorf("the heap grew to %d MiB; want less than 256", peak>>20)
	}
	t.Logf("heap at most %d MiB", peak>>20)
}
