package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// begin signs somebody in: it stores a session, and gives the browser its cookie.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, tx *store.Tx, who Principal, means string) error {
	text, id, hash := newSecret(sessionPrefix)
	life := cmp.Or(g.Life, DefaultLife)
	err := tx.AddSession(store.Session{Tenant: who.Tenant, ID: id, Secret: hash, Subject: who.Subject, Name: who.Name, Email: who.Email,
		Roles: joined(who.Roles), Means: means, Made: tx.Now, Seen: tx.Now, Expires: tx.Now.Add(life), Address: g.address(r), Browser: cut(r.UserAgent(), 300)})
	if err == nil {
		http.SetCookie(w, g.cookie(r, sessionCookie, text, life, http.SameSiteStrictMode))
	}
	return err
}

// session tells whose session a cookie is; store.ErrNone where it is over.
func (g *Gate) session(ctx context.Context, cookie string) (who Principal, err error) {
	id, hash, ok := parseSecret(sessionPrefix, cookie)
	if !ok {
		return who, store.ErrNone
	}
	idle, stale := cmp.Or(g.Idle, DefaultIdle), false
	var row store.Session
	err = g.Store.Read(ctx, func(tx *store.Tx) error {
		if row, err = tx.Session(id); err != nil {
			return err
		}
		if row.Expires <= tx.Now || row.Seen.Add(idle) <= tx.Now {
			return store.ErrNone
		}
		stale = tx.Now > row.Seen.Add(idle/20)
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
	if !stale {
		return who, nil
	}
	return who, g.Store.WriteTenant(ctx, row.Tenant, func(tx *store.Tx) error { return tx.SeenSession(row.Tenant, row.ID) })
}

// end signs out: the session is gone, and so is the cookie.
func (g *Gate) end(ctx context.Context, who Principal) error {
	return g.Store.WriteTenant(ctx, who.Tenant, func(tx *store.Tx) error {
		_, err := tx.RemoveSession(who.Tenant, who.ID)
		return err
	})
}

// CookieName is the name of the cookie of a session, where the connection is TLS.
const CookieName = "__Host-" + sessionCookie

const sessionCookie = "drawbridge-session"

// cookie makes one that scripts cannot read. Where the connection is safe it is
// one of this very host ("__Host-"), which no neighbour can set or read.
func (g *Gate) cookie(r *http.Request, name, value string, life time.Duration, site http.SameSite) *http.Cookie {
	safe := g.secure(r)
	if safe {
		name = "__Host-" + name
	}
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: safe, SameSite: site, MaxAge: int(life / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func (g *Gate) cookieOf(r *http.Request) string {
	name := sessionCookie
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
	http.SetCookie(w, g.cookie(r, sessionCookie, "", 0, http.SameSiteStrictMode))
}

func cut(text string, most int) string {
	if len(text) > most {
		return text[:most]
	}
	return text
}
