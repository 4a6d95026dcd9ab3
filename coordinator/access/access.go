// Package access says who asks and what they may do: it knows tokens, sessions,
// roles and sign-in, and stands in front of everything that is served on the
// API's address. What a request is about it does not know: that is package
// api's, which declares for each route the least role that may use it.
//
//	request ─► who: bearer token, or session cookie (+ not from another site) ─► 401
//	        └► may they: least role of the route against theirs               ─► 403
//	             └► handler, with the [Principal] in its context ([Of])
//
// Secrets are 32 random bytes; the store has their SHA-256 alone, so that its
// backup lets nobody in. What is in the store is shared by every coordinator:
// somebody signed in at one is signed in at all, and revoked at all.
//
// What may go wrong: a role is taken from somebody at their provider (it holds
// until the session ends: its absolute life, or its revocation); a cookie is
// stolen (idle life, revocation); a route forgets its role (it is refused to
// everybody, and a test tries all).
package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A Gate lets people and programs in. It is safe for concurrent use.
type Gate struct {
	store     *store.Store
	log       *slog.Logger
	config    Config
	proxies   []netip.Prefix
	providers []*provider
	cross     *http.CrossOriginProtection

	everything *limit // requests of one address
	requests   *limit // of one token or session
	attempts   *limit // of one address, to get in
	live       live
	seen       seen
}

// New makes a gate for the tenant, who is also the one of providers that name none.
// env looks up an environment variable. Everything wrong with config is said at once.
func New(st *store.Store, tenant string, config Config, env func(string) string, log *slog.Logger) (*Gate, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	perSecond := cmp.Or(config.APIRate, DefaultRate)
	g := &Gate{store: st, log: log, config: config, cross: http.NewCrossOriginProtection(),
		everything: newLimit(10*perSecond, int(40*perSecond)+1), requests: newLimit(perSecond, int(5*perSecond)+1), attempts: newLimit(2, 60)}
	g.config.SessionIdle, g.config.SessionLife = cmp.Or(config.SessionIdle, DefaultIdle), cmp.Or(config.SessionLife, DefaultLife)
	g.proxies, _ = config.proxies() // validated
	if config.PublicURL != "" {
		if err := g.cross.AddTrustedOrigin(strings.TrimSuffix(config.PublicURL, "/")); err != nil {
			return nil, fmt.Errorf("public_url: %w", err)
		}
	}
	var errs []error
	for _, p := range config.SignIn {
		if p.Tenant == "" {
			p.Tenant = tenant
		}
		made, err := newProvider(p, g.config.PublicURL, env)
		if err != nil {
			errs = append(errs, fmt.Errorf("sign_in %s: %w", p.Name, err))
		}
		g.providers = append(g.providers, made)
	}
	return g, errors.Join(errs...)
}

// A Principal is who asks.
type Principal struct {
	Tenant  string
	Subject string // who, for good: "token:ID", or the provider's name for them
	Name    string // as shown and written to the log
	Email   string // where it is known
	Roles   []Role
	Means   string // Token or Session
	ID      string // of the token or session
	Expires time.Time
	Address string // from where they ask
	Browser string // User-Agent

	SCIM   bool   // a token that is good for SCIM alone
	Source string // system whose records it pushes; "" where it reads the directory

	base string // address under which they reach the coordinator
}

// Means by which somebody shows who they are.
const (
	Token   = "token"
	Session = "session"
)

// May tells whether they have the role, or one above it.
func (p Principal) May(least Role) bool {
	for _, r := range p.Roles {
		if r.includes(least) {
			return true
		}
	}
	return false
}

type principalKey struct{}

// Of gives who asks; the zero Principal, which may nothing, where nobody does.
func Of(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

func with(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}
