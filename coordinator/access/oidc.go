package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// signInLife is how long somebody may take at a provider.
const signInLife = 10 * time.Minute

const ticketCookie = "drawbridge-signing-in"

// A ticket is the secret that the browser keeps while it is at the provider. The
// state, the nonce and PKCE's verifier are made of it, so that who only sees the
// store, or an address on its way, has none of them.
type ticket string

func newTicket() ticket {
	var random [32]byte
	rand.Read(random[:]) // never fails
	return ticket(hex.EncodeToString(random[:]))
}

func (t ticket) derive(what string) string {
	mac := hmac.New(sha256.New, []byte(t))
	mac.Write([]byte(what))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (t ticket) state() string    { return t.derive("state") }
func (t ticket) nonce() string    { return t.derive("nonce") }
func (t ticket) verifier() string { return t.derive("verifier") }

// A journey is a sign-in under way.
type journey struct {
	Provider string `json:"provider"`
	Return   string `json:"return"`
}

func (g *Gate) provider(name string) *provider {
	for _, p := range g.providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// leave sends the browser to the provider.
func (g *Gate) leave(w http.ResponseWriter, r *http.Request) {
	p := g.provider(r.PathValue("provider"))
	if p == nil {
		g.show(w, r, http.StatusNotFound, page{Title: "There is no such provider", Links: []way{{"/auth/sign-in", "Sign in"}}})
		return
	}
	found, err := p.discover(r.Context())
	if err != nil {
		g.log.WarnContext(r.Context(), "Provider not reached", "provider", p.Name, "err", err)
		g.show(w, r, http.StatusBadGateway, page{Title: p.title() + " cannot be reached", Text: "The coordinator got no good answer from the provider.", Detail: err.Error(),
			Next: "An administrator can still sign in by a link: drawbridge-coordinator admin-link on the coordinator's host.", Links: []way{{r.URL.RequestURI(), "Try again"}}})
		return
	}
	t := newTicket()
	detail, err := json.Marshal(journey{p.Name, returnTo(r.URL.Query().Get("return"))})
	if err == nil {
		err = g.store.WriteTenant(r.Context(), p.Tenant, func(tx *store.Tx) error {
			return tx.AddOnce(store.Once{Tenant: p.Tenant, ID: onceID(t.state()), Use: useOIDC, Detail: string(detail), Made: tx.Now, Expires: tx.Now.Add(signInLife)})
		})
	}
	if err != nil {
		g.trouble(w, r, err)
		return
	}
	http.SetCookie(w, g.cookie(r, ticketCookie, string(t), signInLife))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, p.oauth(found).AuthCodeURL(t.state(), oidc.Nonce(t.nonce()), oauth2.S256ChallengeOption(t.verifier())), http.StatusSeeOther)
}

// comeBack signs in who comes back from the provider.
func (g *Gate) comeBack(w http.ResponseWriter, r *http.Request) {
	p := g.provider(r.PathValue("provider"))
	if p == nil {
		g.show(w, r, http.StatusNotFound, page{Title: "There is no such provider", Links: []way{{"/auth/sign-in", "Sign in"}}})
		return
	}
	t := ticket(g.readCookie(r, ticketCookie))
	http.SetCookie(w, g.cookie(r, ticketCookie, "", 0))
	journey, err := g.journeyOf(r, p, t)
	if errors.Is(err, store.ErrNone) {
		g.show(w, r, http.StatusBadRequest, page{Title: "This sign-in is over", Text: "It was begun in another browser, took longer than ten minutes, or was used already.", Links: []way{{"/auth/sign-in", "Sign in"}}})
		return
	}
	if err != nil {
		g.trouble(w, r, err)
		return
	}
	again := []way{{"/auth/sign-in?return=" + url.QueryEscape(journey.Return), "Try again"}}
	said, err := p.answered(r, t)
	if err != nil {
		g.refusedSignIn(r, p, Principal{}, err.Error())
		g.show(w, r, http.StatusForbidden, page{Title: "Not signed in", Text: "The sign-in at " + p.title() + " did not succeed.", Detail: err.Error(), Links: again})
		return
	}
	who := p.principal(said)
	if len(who.Roles) == 0 {
		why := p.noRole(said)
		g.refusedSignIn(r, p, who, "no role: "+why)
		g.show(w, r, http.StatusForbidden, page{Title: "You have no role here", Text: who.Name + " is known to " + p.title() + ", but nothing there gives a role in Drawbridge.", Detail: why,
			Next: "An administrator maps values of " + p.claim() + " to roles in the coordinator's configuration.", Links: again})
		return
	}
	if err := g.begin(w, r, who, p.Name); err != nil {
		g.trouble(w, r, err)
		return
	}
	http.Redirect(w, r, journey.Return, http.StatusSeeOther)
}

// journeyOf takes the sign-in that the browser comes back from: it serves once, and in the browser that began it.
func (g *Gate) journeyOf(r *http.Request, p *provider, t ticket) (j journey, err error) {
	state := r.URL.Query().Get("state")
	if t == "" || subtle.ConstantTimeCompare([]byte(t.state()), []byte(state)) != 1 {
		return j, store.ErrNone
	}
	var row store.Once
	if err = g.store.WriteTenant(r.Context(), p.Tenant, func(tx *store.Tx) (err error) {
		row, err = tx.TakeOnce(onceID(state), useOIDC)
		return err
	}); err != nil {
		return j, err
	}
	if err := json.Unmarshal([]byte(row.Detail), &j); err != nil {
		return j, fmt.Errorf("sign-in under way: %w", err)
	}
	if j.Provider != p.Name {
		return j, store.ErrNone
	}
	return j, nil
}

// answered gives what the provider says of who comes back.
func (p *provider) answered(r *http.Request, t ticket) (claims, error) {
	q := r.URL.Query()
	if iss := q.Get("iss"); iss != "" && iss != p.Issuer { // RFC 9207
		return nil, fmt.Errorf("the answer is of another provider, %s", iss)
	}
	if code := q.Get("error"); code != "" {
		return nil, fmt.Errorf("the provider says: %s", cut(code+" "+q.Get("error_description"), 300))
	}
	return p.learn(r.Context(), q.Get("code"), t)
}

// refusedSignIn writes it to the audit, and to the log.
func (g *Gate) refusedSignIn(r *http.Request, p *provider, who Principal, why string) {
	who.Tenant, who.Address, who.Browser = p.Tenant, g.Address(r), r.UserAgent()
	line := lineOf(who, "sign-in")
	line.Object, line.Outcome, line.Detail = p.Name, Refused, cut(why, 1000)
	g.log.WarnContext(r.Context(), "Sign-in refused", "provider", p.Name, "address", who.Address, "why", why)
	if err := g.note(context.WithoutCancel(r.Context()), line); err != nil {
		g.log.ErrorContext(r.Context(), "Sign-in not audited", "err", err)
	}
}
