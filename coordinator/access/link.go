package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// How long a link that signs in is good.
const (
	LinkLife    = time.Hour
	maxLinkLife = 24 * time.Hour
)

// uses of what is good once.
const (
	useLink = "link" // signs somebody in
	useOIDC = "oidc" // a sign-in at a provider that is under way
	useCode = "code" // a command line that is let in
)

// A guest is whom a link signs in.
type guest struct {
	Name  string `json:"name"`
	Roles string `json:"roles"`
}

// newOnce stores what is good once and gives its secret.
func newOnce(tx *store.Tx, tenant, use string, detail any, life time.Duration) (string, error) {
	var random [32]byte
	rand.Read(random[:]) // never fails
	secret := hex.EncodeToString(random[:])
	text, err := json.Marshal(detail)
	if err != nil {
		return "", err
	}
	return secret, tx.AddOnce(store.Once{Tenant: tenant, ID: onceID(secret), Use: use, Detail: string(text), Made: tx.Now, Expires: tx.Now.Add(life)})
}

// onceID is by what the store knows a secret.
func onceID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// AdminLink makes a link that signs in an administrator of the tenant, once and
// within [LinkLife]. base is the address at which browsers reach the coordinator,
// where the configuration names none.
func (g *Gate) AdminLink(ctx context.Context, tenant, base string) (link string, err error) {
	base = cmp.Or(g.config.PublicURL, base)
	err = g.store.WriteTenant(ctx, tenant, func(tx *store.Tx) error {
		secret, err := newOnce(tx, tenant, useLink, guest{"local admin", string(Administrator)}, LinkLife)
		link = linkOf(base, secret)
		return err
	})
	return link, err
}

func linkOf(base, secret string) string {
	return strings.TrimSuffix(base, "/") + "/auth/link?token=" + secret
}

func (g *Gate) links(doc huma.API) {
	huma.Register(doc, Operation(Administrator, post("/v1/sign-in-links", "create-sign-in-link", "Make a link that signs somebody in, once")), g.createLink)
}

func (g *Gate) createLink(ctx context.Context, in *body[client.NewSignInLink]) (*body[client.SignInLink], error) {
	who := Of(ctx)
	given, life := []Role{Administrator}, LinkLife
	var err error
	if len(in.Body.Roles) > 0 {
		if given, err = ParseRoles(strings.Join(in.Body.Roles, ",")); err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error(), "give roles that there are")
		}
	}
	if in.Body.Valid != "" {
		if life, err = time.ParseDuration(in.Body.Valid); err != nil || life <= 0 || life > maxLinkLife {
			return nil, problem(http.StatusUnprocessableEntity, in.Body.Valid+" is no length of time between 0 and 24h", "give one such as 1h")
		}
	}
	out := client.SignInLink{Name: in.Body.Name, Roles: namesOf(given)}
	err = g.write(ctx, func(tx *store.Tx) error {
		secret, err := newOnce(tx, who.Tenant, useLink, guest{in.Body.Name, joined(given)}, life)
		out.URL, out.Expires = linkOf(who.base, secret), tx.Now.Add(life).Time()
		About(ctx, in.Body.Name, "as "+joined(given))
		return err
	})
	return &body[client.SignInLink]{out}, err
}

// showLink asks whether to sign in. A link that is only looked at, by a mail
// filter for one, is not used up.
func (g *Gate) showLink(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	err := g.store.Read(r.Context(), func(tx *store.Tx) error {
		_, err := tx.Once(onceID(token), useLink)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		g.badLink(w, r)
		return
	}
	if err != nil {
		g.trouble(w, r, err)
		return
	}
	g.show(w, r, http.StatusOK, page{Title: "Sign in", Text: "This link signs you in once.", Post: "/auth/link", Fields: map[string]string{"token": token}, Button: "Sign in"})
}

func (g *Gate) useLink(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("token")
	var row store.Once
	err := g.store.Write(r.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.TakeOnce(onceID(token), useLink)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		g.badLink(w, r)
		return
	}
	var whom guest
	if err == nil {
		err = json.Unmarshal([]byte(row.Detail), &whom)
	}
	if err == nil {
		err = g.begin(w, r, Principal{Tenant: row.Tenant, Subject: "link:" + whom.Name, Name: whom.Name, Roles: rolesOf(whom.Roles)}, "link")
	}
	if err != nil {
		g.trouble(w, r, fmt.Errorf("sign in by link: %w", err))
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (g *Gate) badLink(w http.ResponseWriter, r *http.Request) {
	g.show(w, r, http.StatusGone, page{Title: "This link is no longer good", Text: "A link signs in once, and only within its time.",
		Next: "On the coordinator's host, drawbridge-coordinator admin-link makes another; so does any administrator with drawbridge access link."})
}
