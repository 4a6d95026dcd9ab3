package access

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// The pages of sign-in work without a script, and without the dashboard.
var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	styleText string
	pageForm  = template.Must(template.New("page").Parse(pageText))
)

// A page says something and offers ways on; empty fields are left out.
type page struct {
	Title, Text, Detail, Next string
	Links                     []way
	Post, Button              string // where a button sends Fields
	Fields                    map[string]string
	formTo                    string // another site that the answer to Post leads to
}

type way struct{ URL, Text string }

// pages serves everything below /auth/.
func (g *Gate) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write([]byte(styleText))
	})
	mux.HandleFunc("GET /auth/sign-in", g.signIn)
	mux.HandleFunc("GET /auth/signed-out", func(w http.ResponseWriter, r *http.Request) {
		g.show(w, r, http.StatusOK, page{Title: "Signed out", Text: "You are signed out of Drawbridge. You may still be signed in at your provider.", Links: []way{{"/auth/sign-in", "Sign in again"}}})
	})
	mux.HandleFunc("POST /auth/sign-out", g.own(g.signOut))
	mux.HandleFunc("GET /auth/link", g.attempt(g.showLink))
	mux.HandleFunc("POST /auth/link", g.attempt(g.own(g.useLink)))
	mux.HandleFunc("GET /auth/oidc/{provider}", g.attempt(g.leave))
	mux.HandleFunc("GET /auth/oidc/{provider}/callback", g.attempt(g.comeBack))
	mux.HandleFunc("GET /auth/cli", g.attempt(g.askCLI))
	mux.HandleFunc("POST /auth/cli", g.attempt(g.own(g.letCLI)))
	mux.HandleFunc("POST /auth/cli/token", g.attempt(g.tokenForCLI))
	mux.HandleFunc("/auth/", func(w http.ResponseWriter, r *http.Request) {
		g.show(w, r, http.StatusNotFound, page{Title: "There is no such page", Links: []way{{"/auth/sign-in", "Sign in"}}})
	})
	return mux
}

// own lets only what this site's own pages ask for through.
func (g *Gate) own(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := g.sameSite(r); err != nil {
			g.show(w, r, http.StatusForbidden, page{Title: "Not from here", Text: "Another site had your browser ask for this. Nothing was done."})
			return
		}
		next(w, r)
	}
}

// attempt lets through what may sign somebody in, if it is not too often, and nobody listens.
func (g *Gate) attempt(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if wait := g.attempts.take(client6(g.Address(r))); wait > 0 {
			tooMany(w, wait)
			return
		}
		if !g.private(r) {
			g.show(w, r, http.StatusForbidden, page{Title: "Sign-in takes TLS", Text: "This connection can be read on its way, and with it the cookie that would sign you in.",
				Next: "Start the coordinator with --api-tls, or put a proxy with TLS in front and give its address as --public-url https://…; on the coordinator's own host http://localhost does."})
			return
		}
		next(w, r)
	}
}

// signIn offers the ways to sign in.
func (g *Gate) signIn(w http.ResponseWriter, r *http.Request) {
	to := returnTo(r.URL.Query().Get("return"))
	p := page{Title: "Sign in"}
	for _, provider := range g.providers {
		p.Links = append(p.Links, way{"/auth/oidc/" + provider.Name + "?" + url.Values{"return": {to}}.Encode(), "Sign in with " + provider.title()})
	}
	p.Next = "No account at a provider? An administrator can make a link that signs you in: drawbridge access link NAME, or drawbridge-coordinator admin-link on the coordinator's host."
	if len(p.Links) == 0 {
		p.Text = "No provider is set up here."
	}
	g.show(w, r, http.StatusOK, p)
}

// signOut ends the session; a script gets 204, a form the page that says so.
func (g *Gate) signOut(w http.ResponseWriter, r *http.Request) {
	who, err := g.identify(w, r)
	if err == nil && who.Means == Session {
		who.Address, who.Browser = g.Address(r), r.UserAgent()
		if err := g.end(r.Context(), who); err != nil {
			g.trouble(w, r, err)
			return
		}
	}
	g.dropCookie(w, r)
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/auth/signed-out", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (g *Gate) show(w http.ResponseWriter, r *http.Request, status int, p page) {
	var text bytes.Buffer
	if err := pageForm.Execute(&text, p); err != nil {
		g.log.ErrorContext(r.Context(), "Page not made", "err", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' "+p.formTo))
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// trouble is the coordinator's own: it is logged, and told in no detail.
func (g *Gate) trouble(w http.ResponseWriter, r *http.Request, err error) {
	g.log.ErrorContext(r.Context(), "Sign-in failed", "err", err)
	g.show(w, r, http.StatusInternalServerError, page{Title: "That did not work", Text: "The coordinator could not do it; its log says why.", Links: []way{{"/auth/sign-in", "Try again"}}})
}

// returnTo gives a place on this site to go to after sign-in, "/" where the one asked for is none.
func returnTo(asked string) string {
	u, err := url.Parse(asked)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(asked, "/") || strings.HasPrefix(asked, "//") ||
		strings.ContainsAny(asked, "\\\r\n\t") || len(asked) > 2000 || strings.HasPrefix(asked, "/auth/") && u.Path != "/auth/cli" {
		return "/"
	}
	return asked
}

// whoIs gives who is signed in at the browser, the zero Principal where nobody is.
func (g *Gate) whoIs(ctx context.Context, r *http.Request) (Principal, bool) {
	who, err := g.session(ctx, g.cookieOf(r))
	who.Address, who.Browser, who.base = g.Address(r), r.UserAgent(), g.base(r)
	return who, err == nil
}
