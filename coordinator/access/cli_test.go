package access_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/access/oidcrig"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// exchange gives a code and verifier for a token.
func (h *house) exchange(code, verifier string) (status int, out client.SignedIn) {
	h.t.Helper()
	p, err := oidcrig.NewBrowser().Post(h.URL+"/auth/cli/token", url.Values{"code": {code}, "verifier": {verifier}})
	if err != nil {
		h.t.Fatal(err)
	}
	if p.Status == http.StatusOK {
		if err := json.Unmarshal([]byte(p.Text), &out); err != nil {
			h.t.Fatal(err)
		}
	}
	return p.Status, out
}

// A command line acts as whoever let it in, as long as their session, and by the code alone nobody does.
func TestCLI_isLetIn(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	verifier, state := oauth2.GenerateVerifier(), strings.Repeat("s", 43)
	form := url.Values{"port": {"45678"}, "state": {state}, "challenge": {oauth2.S256ChallengeFromVerifier(verifier)}}
	ask := h.URL + "/auth/cli?" + form.Encode()
	if p, err := oidcrig.NewBrowser().Get(ask); err != nil || !strings.HasPrefix(p.Location, h.URL+"/auth/sign-in?return=%2Fauth%2Fcli%3F") {
		t.Fatalf("not signed in = %v, %v; want to be led to sign in, and back", p, err)
	}
	b := h.signedIn()
	p, err := b.Get(ask)
	if err != nil || p.Status != http.StatusOK || !strings.Contains(p.Text, "local admin (administrator)") || !strings.Contains(p.Header.Get("Content-Security-Policy"), "form-action 'self' http://127.0.0.1:45678") {
		t.Fatalf("signed in = %v, %v; want to be asked", p, err)
	}
	allow := func() string {
		p, err := b.Post(h.URL+"/auth/cli", form)
		if err != nil || !strings.HasPrefix(p.Location, "http://127.0.0.1:45678/?") || !strings.Contains(p.Location, "state="+state) {
			t.Fatalf("allow = %v, %v; want the way to the command line", p, err)
		}
		to, _ := url.Parse(p.Location)
		return to.Query().Get("code")
	}
	if status, _ := h.exchange(allow(), oauth2.GenerateVerifier()); status != http.StatusForbidden {
		t.Errorf("another verifier = %d; want 403", status)
	}
	code := allow()
	status, out := h.exchange(code, verifier)
	if status != http.StatusOK {
		t.Fatalf("exchange = %d", status)
	}
	if again, _ := h.exchange(code, verifier); again != http.StatusForbidden {
		t.Errorf("the code again = %d; want 403", again)
	}
	who, err := access.Check(t.Context(), h.store, out.Token)
	if err != nil || who.Subject != "link:local admin" || !who.May(access.Administrator) || !who.Expires.Equal(h.who(b).Expires) {
		t.Errorf("the token is of %+v, %v; want of who let it in, as long as their session", who, err)
	}
	if last := h.audit()[0]; last.Action != "sign-in" || last.Object != "command line" || last.Credential != who.ID {
		t.Errorf("the audit says %+v; want the sign-in", last)
	}
}

// Nobody is sent elsewhere than to their own computer.
func TestCLI_leadsToLoopbackAlone(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	b := h.signedIn()
	for _, port := range []string{"80", "evil.example", "45678@evil.example", "", "99999", "45678/"} {
		p, err := b.Post(h.URL+"/auth/cli", url.Values{"port": {port}, "state": {strings.Repeat("s", 43)}, "challenge": {strings.Repeat("c", 43)}})
		if err != nil || p.Status != http.StatusBadRequest {
			t.Errorf("port %q = %d to %q, %v; want 400", port, p.Status, p.Location, err)
		}
	}
}
