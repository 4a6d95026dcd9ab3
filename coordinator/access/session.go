package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// begin signs somebody in: it stores a session, and gives the browser its cookie.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, who Principal, how string) error {
	text, id, hash := newSecret(sessionPrefix)
	who.Means, who.ID, who.Address, who.Browser = Session, id, g.Address(r), r.UserAgent()
	life := g.config.SessionLife
	line := lineOf(who, "sign-in")
	line.Object, line.Outcome, line.Detail = how, Done, "as "+joined(who.Roles)
	err := g.store.WriteTenant(r.Context(), who.Tenant, func(tx *store.Tx) error {
		return errors.Join(tx.AddAudit(line), tx.AddSession(store.Session{Tenant: who.Tenant, ID: id, Secret: hash, Subject: who.Subject,
			Name: who.Name, Email: who.Email, Roles: joined(who.Roles), Means: how, Made: tx.Now, Seen: tx.Now, Expires: tx.Now.Add(life),
			Address: who.Address, Browser: cut(who.Browser, 300)}))
	})
	if err == nil {
		http.SetCookie(w, g.cookie(r, sessionCookie, text, life))
	}
	return err
}

// session tells whose session a cookie is; store.ErrNone where it is over.
func (g *Gate) session(ctx context.Context, cookie string) (who Principal, err error) {
	id, hash, ok := parseSecret(sessionPrefix, cookie)
	if !ok {
		return who, store.ErrNone
	}
	stale := false
	var row store.Session
	err = g.store.Read(ctx, func(tx *store.Tx) error {
		if row, err = tx.Session(id); err != nil {
			return err
		}
		if !g.lives(row, tx.Now) {
			return store.ErrNone
		}
		stale = tx.Now > row.Seen.Add(g.config.SessionIdle/20)
		return nil
	})
	if err == nil && subtle.ConstantTimeCompare(row.Secret, hash) != 1 {
		err = store.ErrNone
	}
	if err != nil {
		return Principal{}, err
	}
	who = Principal{Tenant: row.Tenant, Subject: row.Subject, Name: row.Name, Email: row.Email, Roles: rolesOf(row.Roles),
		Means: Session, ID: row.ID, Expires: row.Expires.Time()}
	if stale {
		g.seen.add(row.Tenant, row.ID)
	}
	return who, nil
}

// end signs out: the session is gone, and so is the cookie.
func (g *Gate) end(ctx context.Context, who Principal) error {
	line := lineOf(who, "sign-out")
	line.Outcome = Done
	return g.store.WriteTenant(ctx, who.Tenant, func(tx *store.Tx) error {
		_, err := tx.RemoveSession(who.Tenant, who.ID)
		return errors.Join(err, tx.AddAudit(line))
	})
}

// CookieName is the name of the cookie of a session, where the connection is TLS.
const CookieName = "__Host-" + sessionCookie

const sessionCookie = "drawbridge-session"

// cookie makes one that scripts cannot read. Where the connection is safe it is
// one of this very host ("__Host-"), which no neighbour can set or read. A page
// that a link on another site leads to is signed in; that changes nothing,
// because GET changes nothing, and sameSite looks at the rest.
func (g *Gate) cookie(r *http.Request, name, value string, life time.Duration) *http.Cookie {
	safe := g.secure(r)
	if safe {
		name = "__Host-" + name
	}
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: safe, SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func (g *Gate) cookieOf(r *http.Request) string { return g.readCookie(r, sessionCookie) }

func (g *Gate) readCookie(r *http.Request, name string) string {
	if g.secure(r) {
		name = "__Host-" + name
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func (g *Gate) dropCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, g.cookie(r, sessionCookie, "", 0))
}

func cut(text string, most int) string {
	if len(text) > most {
		return text[:most]
	}
	return text
}
