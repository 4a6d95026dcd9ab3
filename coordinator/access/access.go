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
	"context"
	"log/slog"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// How long a session lives.
const (
	DefaultIdle = time.Hour      // unused
	DefaultLife = 12 * time.Hour // whatever is done with it
)

// A Gate lets people and programs in. Store and Log must be set; it is safe for concurrent use.
type Gate struct {
	Store *store.Store
	Log   *slog.Logger

	Idle time.Duration // a session unused for so long ends; 0 means DefaultIdle
	Life time.Duration // every session ends after it; 0 means DefaultLife
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
