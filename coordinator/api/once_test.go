package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// ask sends a request with headers given in pairs.
func ask(t *testing.T, method, address, token, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// An action that is sent again under its key, because the answer was lost, is
// done once; what was refused may be tried again; and another action needs another key.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := populated(t)
	base, token := w.Serve(), w.Token(rehearsal.Tenant, "tester")
	run, key := base+"/v1/systems/corp-ad/run", []string{"Idempotency-Key", "k1"}
	first := ask(t, "POST", run, token, `{"person":"e1001"}`, key...)
	text := readAll(t, first)
	w.Settle()
	second := ask(t, "POST", run, token, `{"person":"e1001"}`, key...)
	if again := readAll(t, second); first.StatusCode != 200 || second.StatusCode != 200 || again != text || second.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("first %d %s, again %d %s %v", first.StatusCode, text, second.StatusCode, again, second.Header)
	}
	if other := ask(t, "POST", run, token, `{}`, key...); other.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another request under the key = %d; want 422", other.StatusCode)
	}
	if other := ask(t, "POST", run, w.Token(rehearsal.Tenant, "somebody else"), `{}`, key...); other.StatusCode != 200 || other.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("somebody else's request under the same key = %d", other.StatusCode)
	}
	made := ask(t, "POST", base+"/v1/join-tokens", token, `{"site":"hq"}`, "Idempotency-Key", "k2")
	if again := ask(t, "POST", base+"/v1/join-tokens", token, `{"site":"hq"}`, "Idempotency-Key", "k2"); made.StatusCode != 200 || again.StatusCode != http.StatusConflict {
		t.Errorf("a token made %d, again %d; want it made once and its secret not kept", made.StatusCode, again.StatusCode)
	}
	for range 2 {
		if refused := ask(t, "POST", base+"/v1/held/approve", token, `{"all":true}`, "Idempotency-Key", "k3"); refused.StatusCode != http.StatusNotFound {
			t.Errorf("refused with %d", refused.StatusCode)
		}
	}
}

// A document is stored only over the version that whoever changed it has seen.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	w := populated(t)
	base, token := w.Serve(), w.Token(rehearsal.Tenant, "tester")
	seen := ask(t, "GET", base+"/v1/systems/hr", token, "")
	tag := seen.Header.Get("ETag")
	document, _, _ := strings.Cut(rehearsal.Documents, "---\n")
	apply := func(change string, headers ...string) int {
		return ask(t, "POST", base+"/v1/systems", token, document+"# "+change+"\n", append(headers, "Content-Type", "application/yaml")...).StatusCode
	}
	if tag == "" || apply("mine", "If-Match", tag) != 200 {
		t.Errorf("not stored over the version seen, %s", tag)
	}
	if got := apply("theirs", "If-Match", tag); got != http.StatusPreconditionFailed {
		t.Errorf("stored over a version not seen: %d", got)
	}
	if got := apply("new", "If-None-Match", "*"); got != http.StatusPreconditionFailed {
		t.Errorf("stored as new over one that is there: %d", got)
	}
}

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is exported is all there is, in each format, and no cell is taken for a formula.
func TestExport(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	w.Read("hr", append(rehearsal.Workers(1200), rehearsal.Worker("E9999", "=cmd()", "x"))...)
	w.Settle()
	base, token := w.Serve(), w.Token(rehearsal.Tenant, "tester")
	for path, want := range map[string]int{"people": 1201, "jobs?class=create": 1201, "log?kind=written": 1201} {
		what, query, _ := strings.Cut(path, "?")
		csv := readAll(t, ask(t, "GET", base+"/v1/"+what+"/export?"+query, token, ""))
		lines := readAll(t, ask(t, "GET", base+"/v1/"+what+"/export?format=jsonl&"+query, token, ""))
		if n, m := strings.Count(csv, "\n")-1, strings.Count(lines, "\n"); n != want || m != want {
			t.Errorf("%s: %d rows of CSV, %d lines of JSON; want %d", path, n, m, want)
		}
		if strings.Contains(csv, ",=") {
			t.Errorf("%s: a cell begins with =", path)
		}
	}
	if found := readAll(t, ask(t, "GET", base+"/v1/people/export?attributes=department", token, "")); !strings.Contains(found, "E0001,Given1 Family1,active,") || !strings.Contains(found, ",Research\n") {
		t.Errorf("people with an attribute: %.200s", found)
	}
}
