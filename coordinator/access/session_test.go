package access_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/access/oidcrig"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A link signs in once, and is not used up by being looked at.
func TestLink_signsInOnce(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	link, token := h.link()
	for range 2 {
		if status, _, text := h.ask("GET", strings.TrimPrefix(link, h.URL), nil); status != http.StatusOK || !strings.Contains(text, token) {
			t.Fatalf("look at the link = %d %s; want a page with a button", status, text)
		}
	}
	b := oidcrig.NewBrowser()
	p, err := b.Post(h.URL+"/auth/link", map[string][]string{"token": {token}})
	if err != nil || p.Location != h.URL+"/" {
		t.Fatalf("use the link = %v, %v; want to be led to /", p, err)
	}
	who := h.who(b)
	if who.Name != "local admin" || !who.May(access.Administrator) || who.Tenant != tenant || who.Means != access.Session {
		t.Errorf("signed in as %+v; want an administrator", who)
	}
	if first := h.audit()[0]; first.Action != "sign-in" || first.Subject != "link:local admin" || first.Object != "link" {
		t.Errorf("the audit says %+v; want the sign-in", first)
	}
	other := oidcrig.NewBrowser()
	if p, err := other.Post(h.URL+"/auth/link", map[string][]string{"token": {token}}); err != nil || p.Status != http.StatusGone || h.who(other).Name != "" {
		t.Errorf("use it again = %v, %v; want 410", p, err)
	}
	if status, _, _ := h.ask("GET", strings.TrimPrefix(link, h.URL), nil); status != http.StatusGone {
		t.Errorf("look at it again = %d; want 410", status)
	}
}

// Another site's page can neither sign somebody in nor out, nor change anything.
func TestGate_refusesOtherSites(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	b := h.signedIn()
	cookie := ""
	for _, c := range b.Cookies(h.URL) {
		cookie += c.Name + "=" + c.Value
	}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		want               int
	}{
		{"a page of another site", "POST", "/v1/x", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a neighbour", "POST", "/v1/x", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"another origin", "DELETE", "/v1/x", map[string]string{"Origin": "https://evil.example"}, 403},
		{"no origin at all", "PUT", "/v1/x", nil, 403},
		{"its own page", "POST", "/v1/x", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"its own origin", "POST", "/v1/x", map[string]string{"Origin": h.URL}, 200},
		{"to look", "GET", "/v1/x", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		{"sign-out elsewhere", "POST", "/auth/sign-out", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"sign-in elsewhere", "POST", "/auth/link", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	} {
		header := map[string]string{"Cookie": cookie}
		for k, v := range c.header {
			header[k] = v
		}
		if status, _, text := h.ask(c.method, c.path, header); status != c.want {
			t.Errorf("%s: %s %s = %d %.100s; want %d", c.name, c.method, c.path, status, text, c.want)
		}
	}
	if h.who(b).Name == "" {
		t.Error("signed out by another site")
	}
	// A token is no cookie: a program may be anywhere.
	if status, _, _ := h.ask("POST", "/v1/x", map[string]string{"Authorization": "Bearer " + h.token(), "Sec-Fetch-Site": "cross-site"}); status != 200 {
		t.Errorf("with a token = %d; want 200", status)
	}
}

// token makes one of an administrator.
func (h *house) token() (text string) {
	h.t.Helper()
	h.write(func(tx *store.Tx) (err error) {
		text, _, err = access.NewToken(tx, store.APIToken{Tenant: tenant, Name: "program", Roles: "administrator"})
		return err
	})
	return text
}

// A session ends by sign-out, when it is revoked, unused for long, or old; and a cookie that is made up is nobody's.
func TestSession_ends(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	age := func(idle, old time.Duration) func(*store.Tx, store.Session) error {
		return func(tx *store.Tx, s store.Session) error {
			_, err := tx.RemoveSession(tenant, s.ID)
			s.Seen, s.Expires = s.Seen.Add(-idle), s.Expires.Add(-old)
			return errors.Join(err, tx.AddSession(s))
		}
	}
	for name, end := range map[string]func(*store.Tx, store.Session) error{
		"revoked": func(tx *store.Tx, s store.Session) error { _, err := tx.RemoveSession(tenant, s.ID); return err },
		"everywhere": func(tx *store.Tx, s store.Session) error {
			_, err := tx.RemoveSessionsOf(tenant, s.Subject)
			return err
		},
		"unused for long":              age(access.DefaultIdle+time.Second, 0),
		"old":                          age(0, access.DefaultLife),
		"unused for a while: lives on": age(access.DefaultIdle/2, 0),
	} {
		b := h.signedIn()
		id := h.who(b).ID
		h.write(func(tx *store.Tx) error {
			s, err := tx.Session(id)
			if err != nil {
				return err
			}
			return end(tx, s)
		})
		p, err := b.Get(h.URL + "/v1/who")
		if strings.Contains(name, "lives on") {
			if p.Status != http.StatusOK {
				t.Errorf("%s: %d", name, p.Status)
			}
			if err := h.gate.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = h.store.Read(context.Background(), func(tx *store.Tx) error {
				if s, err := tx.Session(id); err != nil || s.Seen.Add(time.Minute) < tx.Now {
					t.Errorf("%s: seen %v, %v; want now", name, s.Seen, err)
				}
				return nil
			})
			continue
		}
		if err != nil || p.Status != http.StatusUnauthorized || !strings.Contains(p.Header.Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("%s: %d %s, %v; want 401, and the cookie gone", name, p.Status, p.Text, err)
		}
	}
	b := h.signedIn()
	cookie := b.Cookies(h.URL)[0]
	if p, err := b.Post(h.URL+"/auth/sign-out", nil); err != nil || p.Location != h.URL+"/auth/signed-out" || h.who(b).Name != "" {
		t.Errorf("sign out = %v, %v; want to be led to the page that says so", p, err)
	}
	if last := h.audit()[0]; last.Action != "sign-out" {
		t.Errorf("the audit says %+v; want the sign-out", last)
	}
	for _, value := range []string{cookie.Value, "dbs_x_" + strings.Repeat("0", 64), "", "dbs_" + strings.Repeat("0", 81)} { // of the session that was signed out, first
		if status, _, _ := h.ask("GET", "/v1/who", map[string]string{"Cookie": cookie.Name + "=" + value}); status != http.StatusUnauthorized {
			t.Errorf("cookie %.30s = %d; want 401", value, status)
		}
	}
}

// Coordinators that share a store share who is signed in, and who is no more.
func TestSession_ofAnotherCoordinator(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	one, other := open(t, st, nil), open(t, st, nil)
	b := one.signedIn()
	who := one.who(b)
	cookie := map[string]string{"Cookie": "drawbridge-session=" + b.Cookies(one.URL)[0].Value}
	if status, _, text := other.ask("GET", "/v1/who", cookie); status != http.StatusOK || !strings.Contains(text, who.ID) {
		t.Errorf("at the other = %d %s; want signed in", status, text)
	}
	other.write(func(tx *store.Tx) error { _, err := tx.RemoveSession(tenant, who.ID); return err })
	if one.who(b).Name != "" {
		t.Error("signed in at the one, after the other ended it")
	}
}

// A cookie with the right name and the wrong secret is nobody's.
func TestSession_wrongSecret(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	c := h.signedIn().Cookies(h.URL)[0]
	last := c.Value[len(c.Value)-1:]
	other := "0"
	if last == other {
		other = "1"
	}
	if status, _, _ := h.ask("GET", "/v1/who", map[string]string{"Cookie": c.Name + "=" + c.Value[:len(c.Value)-1] + other}); status != http.StatusUnauthorized {
		t.Errorf("wrong secret = %d; want 401", status)
	}
}

// Where the browser's connection is TLS the cookie is the host's own and goes over TLS alone.
func TestSession_cookie(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		public string
		safe   bool
	}{"behind a proxy with TLS": {"https://id.corp.example", true}, "on the host itself": {"", false}} {
		h := open(t, newStore(t), func(string) access.Config { return access.Config{PublicURL: c.public} })
		_, token := h.link()
		req, err := http.NewRequestWithContext(t.Context(), "POST", h.URL+"/auth/link", strings.NewReader("token="+token))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://id.corp.example") // through the proxy it is no other site, though the host differs
		if c.public == "" {
			req.Header.Set("Origin", h.URL)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		cookies := resp.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%s: %d with cookies %v; want one", name, resp.StatusCode, cookies)
		}
		got := cookies[0]
		if strings.HasPrefix(got.Name, "__Host-") != c.safe || got.Secure != c.safe || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" {
			t.Errorf("%s: %v; want HttpOnly, SameSite=Lax, of / alone; __Host- and Secure: %v", name, got, c.safe)
		}
	}
}

// Nobody signs in over a network where the cookie could be read.
func TestGate_signInTakesTLS(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	link, _ := h.link()
	for remote, want := range map[string]int{"10.1.2.3:4711": http.StatusForbidden, "127.0.0.1:4711": http.StatusOK, "[::1]:4711": http.StatusOK} {
		r := httptest.NewRequest("GET", link, nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		h.gate.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from %s = %d; want %d", remote, w.Code, want)
		}
	}
}

// A request that follows something ends soon after its session does.
func TestGate_endsWhatGoesOn(t *testing.T) {
	t.Parallel()
	h := open(t, newStore(t), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = h.gate.Run(ctx) }()
	ended := make(chan error, 1)
	began := make(chan struct{})
	follow := httptest.NewServer(h.gate.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		ended <- context.Cause(r.Context())
	})))
	defer follow.Close()
	defer cancel() // before, or it waits for what goes on
	c := h.signedIn().Cookies(h.URL)[0]
	req, err := http.NewRequestWithContext(ctx, "GET", follow.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(c)
	go func() {
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-began
	h.write(func(tx *store.Tx) error { _, err := tx.RemoveSessionsOf(tenant, "link:local admin"); return err })
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "session") {
			t.Errorf("ended by %v; want because the session has", err)
		}
	case <-time.After(time.Minute):
		t.Error("goes on")
	}
}
