package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// lines gives the audit of the tenant, the oldest line first.
func (f *furnished) lines() (list []store.Audited) {
	f.t.Helper()
	f.Write(func(tx *store.Tx) error {
		all, err := tx.ListAudit(rehearsal.Tenant, store.AuditFilter{}, 1000)
		for i := len(all) - 1; i >= 0; i-- {
			list = append(list, all[i])
		}
		return err
	})
	return list
}

// Every request that may change something leaves one line, done or refused,
// with who, from where, by what, on what; one that only looks leaves none.
func TestRoutes_areAudited(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	olga := f.TokenAs(rehearsal.Tenant, "olga", access.Administrator)
	least := f.API().LeastRoles()
	reading := map[string]bool{"/v1/configuration/plan": true, "/v1/configuration/trial": true, "/v1/cycles/{id}/replay": true}
	for _, r := range f.API().Routes() {
		if streams(r[1]) || r[1] == "/v1/me/sign-out" { // which ends the token; it is tried by the command line's scripts
			continue
		}
		before := len(f.lines())
		status, text := f.ask(r[0], r[1], olga)
		fresh := f.lines()[before:]
		want := 0
		if (r[0] != "GET" || strings.HasSuffix(r[1], "/export")) && !reading[r[1]] {
			want = 1
		}
		if len(fresh) != want {
			t.Errorf("%s %s = %d %s left %d lines in the audit %+v; want %d", r[0], r[1], status, text, len(fresh), fresh, want)
			continue
		}
		for _, a := range fresh {
			outcome := access.Done
			if status >= 400 {
				outcome = access.Refused
			}
			if _, known := least[a.Action]; !known || a.Who != "olga" || !strings.HasPrefix(a.Subject, "token:") || a.Means != access.Token || a.Credential == "" ||
				a.Address != "127.0.0.1" || !strings.HasPrefix(a.Browser, "Go-http-client") || a.Outcome != outcome {
				t.Errorf("%s %s = %d left %+v; want who, from where, by what, and %s", r[0], r[1], status, a, outcome)
			}
			if a.Object == "" && outcome == access.Done && r[0] != "GET" {
				t.Errorf("%s %s left %+v; want on what", r[0], r[1], a)
			}
		}
	}
}

// Why something is done stands in the audit, in whatever script it is written, and can be made to be asked for.
func TestAudit_reason(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	f.address = f.ServeWith(access.Config{RequireReason: []string{"create-join-token"}})
	ask := func(path, body string, header ...string) (int, string) {
		t.Helper()
		req := httptest.NewRequest("POST", f.address+path, strings.NewReader(body))
		req.RequestURI = ""
		req.Header.Set("Authorization", "Bearer "+f.own)
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, f.lines()[len(f.lines())-1].Reason
	}
	before := len(f.lines())
	if status, _ := ask("/v1/join-tokens", `{"site":"hq"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason = %d; want 422", status)
	}
	if got := len(f.lines()); got != before {
		t.Errorf("%d lines for what was not tried", got-before)
	}
	for _, c := range []struct{ path, header, want string }{
		{"/v1/join-tokens", "new branch", "new branch"},
		{"/v1/join-tokens", "neue%20Filiale%20in%20M%C3%BCnchen", "neue Filiale in München"},
		{"/v1/join-tokens?reason=by+query", "", "by query"},
		{"/v1/join-tokens", "100 % sure", "100 % sure"},
	} {
		if status, reason := ask(c.path, `{"site":"hq"}`, "X-Reason", c.header); status != http.StatusOK || reason != c.want {
			t.Errorf("reason %q = %d, %q in the audit; want %q", c.header, status, reason, c.want)
		}
	}
	var version client.SystemVersion
	if err := (&client.Client{URL: f.address, Token: f.own}).Get(t.Context(), "/v1/systems/corp-ad/versions/1", nil, &version); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(map[string]any{"files": []map[string]string{{"name": "corp-ad.yaml", "text": version.Document + "# said twice\n"}}, "note": "as agreed in the board"})
	if err != nil {
		t.Fatal(err)
	}
	if status, reason := ask("/v1/configuration", string(document)); status != http.StatusOK || reason != "as agreed in the board" {
		t.Errorf("the note of what was applied = %d, %q in the audit; want it as the reason", status, reason)
	}
	if status, _ := ask("/v1/join-tokens", `{"site":"hq"}`, "X-Reason", strings.Repeat("x", 1001)); status != http.StatusUnprocessableEntity {
		t.Errorf("a reason of 1,001 bytes = %d; want 422", status)
	}
	if status, _ := ask("/v1/problems/retry", `{}`); status == http.StatusUnprocessableEntity {
		t.Error("a reason is asked for where none is wanted")
	}
}

// What is exported is what is there, and that it was exported is in the audit, too.
func TestAudit_export(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	f.Write(func(tx *store.Tx) error {
		for range 1200 { // more than is read at a time
			if err := tx.AddAudit(store.Audited{Tenant: rehearsal.Tenant, Who: "=HYPERLINK(1)", Action: "sign-in", Outcome: "done", Detail: "a\nb, \"c\""}); err != nil {
				return err
			}
		}
		return nil
	})
	auditor := f.TokenAs(rehearsal.Tenant, "aud", access.Auditor)
	for format, first := range map[string]string{"csv": "seq,at,who,", "ndjson": `{"seq":`} {
		status, text := f.ask("GET", "/v1/audit/export?format="+format, auditor)
		if status != http.StatusOK || !strings.HasPrefix(text, first) || strings.Count(text, "HYPERLINK") != 1200 {
			t.Errorf("export as %s = %d %.80s with %d lines; want 1,200", format, status, text, strings.Count(text, "HYPERLINK"))
		}
		if format == "csv" && !strings.Contains(text, ",'=HYPERLINK(1),") {
			t.Error("a spreadsheet takes a name for a formula")
		}
		lines := f.lines()
		if last := lines[len(lines)-1]; last.Action != "export-audit" || last.Who != "aud" {
			t.Errorf("the audit ends with %+v; want the export", last)
		}
	}
}

// What would come of a merge is no action: only the merge is in the audit.
func TestAudit_previewIsNone(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"), rehearsal.Worker("E1002", "Ada", "Lovelace-King"))
	w.Settle()
	f := &furnished{World: w, t: t}
	c := connect(t, w)
	for _, preview := range []bool{true, false} {
		before := len(f.lines())
		var out client.Regrouped
		if err := c.Post(t.Context(), "/v1/people/E1001/merge", client.MergeAsk{Into: "E1002", Preview: preview}, &out); err != nil || out.Previews != preview {
			t.Fatalf("merge, preview %v = %+v, %v", preview, out, err)
		}
		if got := len(f.lines()) - before; (got == 1) == preview {
			t.Errorf("preview %v left %d lines in the audit; want one of the merge alone", preview, got)
		}
		var list client.Items[client.Merge]
		if err := c.Get(t.Context(), "/v1/merges", nil, &list); err != nil {
			t.Fatal(err)
		}
		if !preview && (len(list.Items) != 1 || list.Items[0].Person != "E1002" || list.Items[0].Other != "E1001") {
			t.Errorf("merges = %+v; want E1001 into E1002, by the keys they had", list.Items)
		}
	}
}
