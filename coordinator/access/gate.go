package access

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Authenticate lets only requests of known people and programs through to next,
// with their [Principal] in the context. A request that carries a token is the
// token's, whatever cookies it has.
func (g *Gate) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := g.identify(w, r)
		if err != nil {
			g.turnAway(w, r, err)
			return
		}
		if wait := g.requests.take(who.Means + who.ID); wait > 0 {
			tooMany(w, wait)
			return
		}
		who.Address, who.Browser, who.base = g.Address(r), r.UserAgent(), g.base(r)
		ctx, leave := g.live.enter(with(r.Context(), who), who)
		defer leave()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (g *Gate) identify(w http.ResponseWriter, r *http.Request) (Principal, error) {
	scheme, text, given := strings.Cut(r.Header.Get("Authorization"), " ")
	if given && strings.EqualFold(scheme, "Bearer") {
		return g.bearer(r.Context(), strings.TrimSpace(text))
	}
	if cookie := g.cookieOf(r); cookie != "" {
		if err := g.sameSite(r); err != nil {
			return Principal{}, err
		}
		who, err := g.session(r.Context(), cookie)
		if errors.Is(err, store.ErrNone) {
			g.dropCookie(w, r)
			return who, problem(http.StatusUnauthorized, "the session has ended", "sign in again at /auth/sign-in")
		}
		return who, err
	}
	return Principal{}, problem(http.StatusUnauthorized, "the request carries no API token",
		"give one as \"Authorization: Bearer …\"; the CLI takes it from --token or DRAWBRIDGE_TOKEN; at a browser, sign in at /auth/sign-in")
}

func (g *Gate) bearer(ctx context.Context, text string) (Principal, error) {
	who, err := Check(ctx, g.store, text)
	switch {
	case errors.Is(err, store.ErrNone):
		return who, problem(http.StatusUnauthorized, "the API token is not known here, or its time is over",
			"make another with: drawbridge token create --api NAME; the coordinator's host has one in the file admin-token of its data folder")
	case err == nil && who.SCIM:
		return who, problem(http.StatusForbidden, "this token is good for SCIM alone", "use it below /scim/v2, or make another with: drawbridge token create --api NAME")
	}
	return who, err
}

// turnAway answers a request that nobody's credentials let in.
func (g *Gate) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	var p *client.Problem
	if !errors.As(err, &p) {
		g.log.ErrorContext(r.Context(), "Credentials not checked", "err", err)
		p = problem(http.StatusInternalServerError, "the coordinator could not check who asks", "try again")
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="drawbridge"`)
	}
	refuse(w, p)
}

// sameSite refuses a change that another site has the browser ask for. Browsers
// say where a request comes from; one that says nothing may be anybody's.
func (g *Gate) sameSite(r *http.Request) error {
	err := g.cross.Check(r)
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if err == nil && !safe && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		err = errors.New("neither Sec-Fetch-Site nor Origin")
	}
	if err != nil {
		return problem(http.StatusForbidden, "the request does not come from the dashboard's own pages", "open the dashboard itself and do it there; programs use an API token")
	}
	return nil
}
