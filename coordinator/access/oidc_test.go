package access_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/access/oidcrig"
)

// people are those of the provider.
var people = map[string]map[string]any{
	"ada":   {"name": "Ada Lovelace", "email": "ada@corp.example", "email_verified": true, "groups": []string{"staff", "drawbridge-admins"}},
	"bob":   {"name": "Bob", "preferred_username": "bob", "email": "ada@corp.example", "email_verified": false, "groups": []string{"staff", "service-desk", "audit"}},
	"eve":   {"name": "Eve", "email": "eve@corp.example", "groups": []string{"staff"}},
	"carol": {"name": "Carol", "groups": []string{}, "realm_access": map[string]any{"roles": []string{"ops"}}},
}

// The tests with a hall are not parallel: each runs a provider, and on a small
// machine many starting at the same time would keep each other waiting.

// A hall is a house whose people sign in at a real provider, with somebody on
// the way who may change what the provider answers.
type hall struct {
	*house
	issuer string

	mu     sync.Mutex
	change func(path string, answer map[string]any) // nil: nothing is changed
	down   bool
}

func openHall(t *testing.T, opt oidcrig.Options) *hall {
	t.Helper()
	l := &hall{}
	var provider *httputil.ReverseProxy
	way := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		down := l.down
		l.mu.Unlock()
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		provider.ServeHTTP(w, r)
	}))
	t.Cleanup(way.Close)
	l.issuer = way.URL
	l.house = open(t, newStore(t), func(address string) access.Config {
		roles := map[access.Role][]string{access.Administrator: {"drawbridge-admins"}, access.HelpDesk: {"service-desk"}, access.Auditor: {"nobody", "audit"}}
		client := func(name, claim string, roles map[access.Role][]string) access.Provider {
			opt.Clients = append(opt.Clients, oidcrig.Client{ID: name, Back: []string{address + "/auth/oidc/" + name + "/callback"}})
			return access.Provider{Name: name, Issuer: way.URL, ClientID: name, Scopes: []string{"profile", "email", "groups"}, Claim: claim, Roles: roles}
		}
		return access.Config{PublicURL: address, SignIn: []access.Provider{client("corp", "", roles), client("other", "", roles), client("brief", "", roles),
			client("nested", "realm_access.roles", map[access.Role][]string{access.Operator: {"ops"}}), client("all", "", map[access.Role][]string{access.Viewer: {"*"}})}}
	})
	opt.Issuer, opt.People = way.URL, people
	to := &url.URL{Scheme: "http", Host: oidcrig.StartTest(t, opt).Listen}
	provider = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		ModifyResponse: l.tamper,
	}
	return l
}

// onTheWay has what the provider answers changed.
func (l *hall) onTheWay(change func(path string, answer map[string]any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change = change
}

func (l *hall) tamper(resp *http.Response) error {
	l.mu.Lock()
	change := l.change
	l.mu.Unlock()
	path := resp.Request.URL.Path
	if change == nil || path != "/token" && path != "/me" {
		return nil
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := map[string]any{}
	if json.Unmarshal(text, &answer) == nil {
		change(path, answer)
		text, _ = json.Marshal(answer)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

// goThere signs login in at a provider and gives the address to come back to.
func (l *hall) goThere(b *oidcrig.Browser, provider, login string) string {
	l.t.Helper()
	back, err := b.SignIn(l.URL+"/auth/oidc/"+provider+"?return="+url.QueryEscape("/people?q=a"), login, l.URL+"/auth/oidc/")
	if err != nil {
		l.t.Fatal(err)
	}
	return back
}

// comeBack follows an address of goThere.
func (l *hall) comeBack(b *oidcrig.Browser, back string) oidcrig.Page {
	l.t.Helper()
	p, err := b.Get(back)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// refused checks that nobody was signed in, and that page and audit say why.
func (l *hall) refused(b *oidcrig.Browser, p oidcrig.Page, want string) {
	l.t.Helper()
	if p.Status != http.StatusForbidden || !strings.Contains(p.Text, want) || l.who(b).Name != "" {
		l.t.Errorf("the page says %d %s; want 403 and %q, and nobody signed in", p.Status, p.Text, want)
	}
	if last := l.audit()[0]; last.Action != "sign-in" || last.Outcome != access.Refused || !strings.Contains(last.Detail, want) {
		l.t.Errorf("the audit says %+v; want a sign-in refused: %q", last, want)
	}
}

// Groups give roles, whether the ID token or userinfo alone has them.
func TestOIDC_signsIn(t *testing.T) {
	for name, inToken := range map[string]bool{"userinfo": false, "ID token": true} {
		t.Run(name, func(t *testing.T) {
			l := openHall(t, oidcrig.Options{ClaimsInToken: inToken})
			for _, c := range []struct {
				provider, login, name string
				roles                 []access.Role
			}{
				{"corp", "ada", "ada@corp.example", []access.Role{access.Administrator}},
				{"corp", "bob", "bob", []access.Role{access.Auditor, access.HelpDesk}}, // an address that is not verified is no name
				{"nested", "carol", "Carol", []access.Role{access.Operator}},
				{"all", "eve", "eve@corp.example", []access.Role{access.Viewer}},
			} {
				b := oidcrig.NewBrowser()
				p := l.comeBack(b, l.goThere(b, c.provider, c.login))
				if p.Location != l.URL+"/people?q=a" {
					t.Fatalf("%s is led to %q by %d %s; want where they wanted to go", c.login, p.Location, p.Status, p.Text)
				}
				who := l.who(b)
				if who.Name != c.name || who.Subject != c.provider+"#"+c.login || who.Tenant != tenant || !slices.Equal(who.Roles, c.roles) {
					t.Errorf("%s is %+v; want %s with %v", c.login, who, c.name, c.roles)
				}
				if last := l.audit()[0]; last.Action != "sign-in" || last.Outcome != access.Done || last.Subject != who.Subject || last.Address != "127.0.0.1" ||
					last.Browser != "Browser of the rig" || last.Credential != who.ID || last.Object != c.provider {
					t.Errorf("the audit says %+v; want who signed in, from where and by what", last)
				}
			}
		})
	}
}

// The way to the provider carries a challenge and never the verifier; no cookie can be read by a script.
func TestOIDC_usesPKCE(t *testing.T) {
	l := openHall(t, oidcrig.Options{})
	p, err := oidcrig.NewBrowser().Get(l.URL + "/auth/oidc/corp")
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(p.Location)
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 40 || len(q.Get("nonce")) < 40 ||
		q.Get("response_type") != "code" || q.Get("redirect_uri") != l.URL+"/auth/oidc/corp/callback" {
		t.Errorf("sent to %s; want code, PKCE with S256, state and nonce", p.Location)
	}
	if c := p.Header.Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || strings.Contains(p.Location, strings.SplitN(c, "=", 2)[1][:64]) {
		t.Errorf("cookie %s; want one for HTTP alone, that is not on the way", c)
	}
}

// Who comes back a second time, in another browser, or with another state gets nothing.
func TestOIDC_comesBackOnce(t *testing.T) {
	l := openHall(t, oidcrig.Options{})
	b, thief := oidcrig.NewBrowser(), oidcrig.NewBrowser()
	over := func(what string, who *oidcrig.Browser, p oidcrig.Page) {
		t.Helper()
		if p.Status != http.StatusBadRequest || !strings.Contains(p.Text, "This sign-in is over") {
			t.Errorf("%s: %d %s; want 400", what, p.Status, p.Text)
		}
		if who == thief && l.who(thief).Name != "" {
			t.Errorf("%s: signed in", what)
		}
	}
	back := l.goThere(b, "corp", "ada")
	over("another browser", thief, l.comeBack(thief, back))
	if _, err := thief.Get(l.URL + "/auth/oidc/corp"); err != nil {
		t.Fatal(err)
	}
	over("another browser, under way itself", thief, l.comeBack(thief, back))
	cookies := b.Cookies(l.URL)
	if p := l.comeBack(b, back); p.Status != http.StatusSeeOther {
		t.Fatalf("the first: %d %s", p.Status, p.Text)
	}
	over("the same, again", b, l.comeBack(b, back))
	req, err := http.NewRequestWithContext(t.Context(), "GET", back, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies { // a thief who has the browser's cookies of before, too
		req.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a state that was used: %d; want 400", resp.StatusCode)
	}
	back = l.goThere(thief, "corp", "ada")
	over("a state of one's own", thief, l.comeBack(thief, strings.Replace(back, "state=", "state=x", 1)))
	back = l.goThere(thief, "corp", "ada")
	over("at another provider", thief, l.comeBack(thief, strings.Replace(back, "/corp/", "/other/", 1)))
}

// What the provider says is believed only if it is signed, for us, in time, and of this sign-in.
func TestOIDC_refusesTokens(t *testing.T) {
	l := openHall(t, oidcrig.Options{})
	var last string // ID token that was seen last
	l.onTheWay(func(path string, answer map[string]any) {
		if path == "/token" {
			last, _ = answer["id_token"].(string)
		}
	})
	capture := func(provider string) string {
		b := oidcrig.NewBrowser()
		if p := l.comeBack(b, l.goThere(b, provider, "ada")); p.Status != http.StatusSeeOther {
			t.Fatalf("sign in at %s: %d %s", provider, p.Status, p.Text)
		}
		return last
	}
	ofOther, earlier := capture("other"), capture("corp")
	swap := func(with func(token string) string) func(string, map[string]any) {
		return func(path string, answer map[string]any) {
			if token, ok := answer["id_token"].(string); ok && path == "/token" {
				answer["id_token"] = with(token)
			}
		}
	}
	for _, c := range []struct {
		name, provider, want string
		change               func(path string, answer map[string]any)
	}{
		{"for another client", "corp", "audience", swap(func(string) string { return ofOther })},
		{"of an earlier sign-in", "corp", "nonce", swap(func(string) string { return earlier })},
		{"whose time is over", "brief", "expired", swap(func(token string) string { waitOut(token); return token })},
		{"signed by nobody", "corp", "not good", swap(func(token string) string { return token[:strings.LastIndex(token, ".")+1] })},
		{"that says alg none", "corp", "not good", swap(unsigned)},
		{"changed on the way", "corp", "signature", swap(func(token string) string { return changed(token, "sub", "eve") })},
		{"none at all", "corp", "not good", swap(func(string) string { return "" })},
		{"userinfo about another", "corp", "somebody else", func(path string, answer map[string]any) {
			if path == "/me" {
				answer["sub"] = "eve"
			}
		}},
		{"another access token", "corp", "userinfo", func(path string, answer map[string]any) {
			if path == "/token" {
				answer["access_token"] = "another"
			}
		}},
	} {
		l.onTheWay(c.change)
		b := oidcrig.NewBrowser()
		p := l.comeBack(b, l.goThere(b, c.provider, "ada"))
		if !t.Run(c.name, func(t *testing.T) { l.refused(b, p, c.want) }) {
			t.Fail()
		}
	}
}

// waitOut returns when the token's time is over.
func waitOut(token string) {
	var c struct{ Exp int64 }
	_ = json.Unmarshal(part(token, 1), &c)
	time.Sleep(time.Until(time.Unix(c.Exp+1, 0)))
}

func part(token string, n int) []byte {
	text, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	return text
}

// changed gives the token with a claim changed, and the signature of before.
func changed(token, claim string, v any) string {
	parts, c := strings.Split(token, "."), map[string]any{}
	_ = json.Unmarshal(part(token, 1), &c)
	c[claim] = v
	text, _ := json.Marshal(c)
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(text) + "." + parts[2]
}

func unsigned(token string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + strings.Split(token, ".")[1] + "."
}

// Nobody gets in without a role, and they are told what would give one.
func TestOIDC_noRole(t *testing.T) {
	l := openHall(t, oidcrig.Options{})
	b := oidcrig.NewBrowser()
	l.refused(b, l.comeBack(b, l.goThere(b, "corp", "eve")), "Your groups: staff.")
	b = oidcrig.NewBrowser()
	l.refused(b, l.comeBack(b, l.goThere(b, "corp", "carol")), "sent no claim groups")
}

// Who says no at the provider is told so.
func TestOIDC_providerRefuses(t *testing.T) {
	l := openHall(t, oidcrig.Options{})
	b := oidcrig.NewBrowser()
	p, err := b.Get(l.URL + "/auth/oidc/corp")
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(p.Location)
	if err != nil {
		t.Fatal(err)
	}
	no := url.Values{"state": {to.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"<b>no</b>"}}
	p = l.comeBack(b, l.URL+"/auth/oidc/corp/callback?"+no.Encode())
	l.refused(b, p, "access_denied")
	if strings.Contains(p.Text, "<b>") {
		t.Error("what the provider says is part of the page")
	}
}

// The coordinator needs no provider to start, and finds it once it is there.
func TestOIDC_providerDown(t *testing.T) {
	l := openHall(t, oidcrig.Options{})
	l.mu.Lock()
	l.down = true
	l.mu.Unlock()
	b := oidcrig.NewBrowser()
	p, err := b.Get(l.URL + "/auth/oidc/corp")
	if err != nil || p.Status != http.StatusBadGateway || !strings.Contains(p.Text, "admin-link") {
		t.Fatalf("provider down: %d %s %v; want 502 and another way in", p.Status, p.Text, err)
	}
	l.mu.Lock()
	l.down = false
	l.mu.Unlock()
	if p := l.comeBack(b, l.goThere(b, "corp", "ada")); p.Status != http.StatusSeeOther {
		t.Errorf("provider back: %d %s; want signed in", p.Status, p.Text)
	}
}
