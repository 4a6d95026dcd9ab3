package access_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Every answer tells the browser to be careful, and no page may run a script that stands in it.
func TestHandler_headers(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), func(string) access.Config { return access.Config{PublicURL: "https://id.corp.example"} })
	for _, path := range []string{"/", "/v1/who", "/auth/sign-in", "/auth/nosuch", "/scim/v2/Users", "/auth/link?token=x", "/auth/oidc/x"} {
		_, header, _ := h.ask("GET", path, nil)
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "base-uri 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for _, part := range strings.Split(policy, ";") {
			if strings.Contains(part, "script-src") && strings.TrimSpace(part) != "script-src 'self'" {
				t.Errorf("%s: %s; want its own files alone", path, part)
			}
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000"} {
			if header.Get(name) != want {
				t.Errorf("%s: %s = %q; want %q", path, name, header.Get(name), want)
			}
		}
	}
}

// A client that asks too fast is told how long to wait; others are not slowed.
func TestHandler_limits(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), func(string) access.Config { return access.Config{APIRate: 0.0001} })
	refused := func(token string) (after string) {
		for range 20 {
			if status, header, _ := h.ask("GET", "/v1/who", map[string]string{"Authorization": "Bearer " + token}); status == http.StatusTooManyRequests {
				return header.Get("Retry-After")
			}
		}
		return ""
	}
	// One request in advance, and one in 10,000 s; the limit of the address is ten times that.
	if n, err := strconv.Atoi(refused(h.token())); err != nil || n < 60 {
		t.Errorf("asked to wait %d s, %v; want minutes", n, err)
	}
	r := httptest.NewRequest("GET", "/auth/link?token=x", nil)
	gate := open(t, newStore(t), nil).gate.Handler(http.NotFoundHandler())
	ask := func(remote string) int {
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		gate.ServeHTTP(w, r)
		return w.Code
	}
	got := 0
	for range 200 {
		if ask("127.0.0.1:1") == http.StatusTooManyRequests {
			got++
		}
	}
	if got < 20 {
		t.Errorf("of 200 attempts to sign in %d were refused for now; want most of them", got)
	}
	if got := ask("[::1]:1"); got != http.StatusGone {
		t.Errorf("another address = %d; want that it is not slowed", got)
	}
}

// What is larger than anything that is asked for is not read.
func TestHandler_bodySize(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	read := make(chan error, 1)
	w := httptest.NewRecorder()
	h.gate.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1<<20)
		for {
			if _, err := r.Body.Read(buf); err != nil {
				read <- err
				return
			}
		}
	})).ServeHTTP(w, httptest.NewRequest("POST", "/v1/x", strings.NewReader(strings.Repeat("x", 9<<20))))
	if err := <-read; err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("9 MiB were read until %v; want too large", err)
	}
}

// Where a request comes from is what a trusted proxy says, and what anybody else says is not believed.
func TestGate_addressBehindProxies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trusted   []string
		forwarded []string
		want      string
	}{
		{nil, []string{"1.2.3.4"}, "127.0.0.1"},
		{[]string{"127.0.0.1"}, []string{"1.2.3.4"}, "1.2.3.4"},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"6.6.6.6, 1.2.3.4", "10.0.0.7"}, "1.2.3.4"}, // what the client wrote itself comes first
		{[]string{"127.0.0.1"}, []string{"nonsense"}, "127.0.0.1"},
		{[]string{"127.0.0.1"}, nil, "127.0.0.1"},
	} {
		h := open(t, newStore(t), func(string) access.Config { return access.Config{TrustedProxies: c.trusted} })
		r := httptest.NewRequest("GET", "/v1/who", nil)
		r.RemoteAddr = "127.0.0.1:4711"
		r.Header["X-Forwarded-For"] = c.forwarded
		r.Header.Set("Authorization", "Bearer "+h.token())
		got := ""
		h.gate.Authenticate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = access.Of(r.Context()).Address })).ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("trusting %v, told %q: from %s; want %s", c.trusted, c.forwarded, got, c.want)
		}
	}
}

// A place to go to after sign-in is on this site, whatever is asked for.
func TestSignIn_returnsHere(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), func(url string) access.Config {
		return access.Config{PublicURL: url, SignIn: []access.Provider{{Name: "corp", Issuer: "https://login.corp.example", ClientID: "x", Roles: map[access.Role][]string{access.Viewer: {"*"}}}}}
	})
	for asked, want := range map[string]string{"/people?q=a": "%2Fpeople%3Fq%3Da", "//evil.example": "%2F\"", "https://evil.example": "%2F\"", `/\evil.example`: "%2F\"",
		"javascript:alert(1)": "%2F\"", "/auth/sign-out": "%2F\"", "": "%2F\"", "people": "%2F\""} {
		req := "/auth/sign-in?return=" + strings.NewReplacer("?", "%3F", "\\", "%5C", "=", "%3D").Replace(asked)
		if _, _, text := h.ask("GET", req, nil); !strings.Contains(text, "return="+want) {
			t.Errorf("return to %q: %s; want %s", asked, text, want)
		}
	}
}

// A token is good for what it was made for, and as long.
func TestCheck_token(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	var good, over, scim string
	h := open(t, st, nil)
	h.write(func(tx *store.Tx) (err error) {
		good, _, err = access.NewToken(tx, store.APIToken{Tenant: tenant, Name: "g", Roles: "viewer,nosuch,auditor", Expires: tx.Now.Add(time.Hour)})
		if err != nil {
			return err
		}
		if over, _, err = access.NewToken(tx, store.APIToken{Tenant: tenant, Name: "o", Roles: "viewer", Expires: tx.Now - 1}); err != nil {
			return err
		}
		text, row, err := access.NewToken(tx, store.APIToken{Tenant: tenant, Name: "s", Roles: "administrator"})
		if err != nil {
			return err
		}
		scim = text
		return tx.PutTokenSCIM(store.TokenSCIM{Tenant: tenant, Token: row.ID})
	})
	who, err := access.Check(t.Context(), st, good)
	if err != nil || !who.May(access.Auditor) || who.May(access.HelpDesk) || len(who.Roles) != 2 {
		t.Errorf("good token = %+v, %v; want a viewer and auditor", who, err)
	}
	if _, err := access.Check(t.Context(), st, over); err == nil {
		t.Error("a token whose time is over is good")
	}
	if who, err := access.Check(t.Context(), st, scim); err != nil || who.May(access.Viewer) || !who.SCIM {
		t.Errorf("token for SCIM = %+v, %v; want one without roles", who, err)
	}
	if status, _, _ := h.ask("GET", "/v1/who", map[string]string{"Authorization": "Bearer " + scim}); status != http.StatusForbidden {
		t.Errorf("API with a token for SCIM = %d; want 403", status)
	}
}

// Everything wrong with the configuration is said at once, each with what to write instead.
func TestConfig_faults(t *testing.T) {
	t.Parallel()
	err := access.Config{PublicURL: "id.corp.example", SessionIdle: 24 * time.Hour, TrustedProxies: []string{"proxy"}, APIRate: -1,
		SignIn: []access.Provider{{Name: "Corp", Issuer: "http://login.corp.example", Roles: map[access.Role][]string{"root": {"x"}}}, {Name: "b"}, {Name: "b"}}}.Validate()
	if err == nil {
		t.Fatal("Validate = nil")
	}
	for _, want := range []string{"public_url", "session_idle", "trusted_proxies", "api_rate", `name: "Corp"`, "issuer", "client_id", `no role "root"`, "sign_in b: roles", "two of this name"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v; want %s in it", err, want)
		}
	}
}
