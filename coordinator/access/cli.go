package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A command line signs in through the browser of whoever uses it (RFC 8252):
//
//	drawbridge login ─► browser: /auth/cli?port&state&challenge ─► (sign-in) ─► "Allow?" ─► POST
//	       ▲◄──────────────── http://127.0.0.1:port/?code&state ◄─────────────────────────────┘
//	       └─► POST /auth/cli/token: code, verifier ─► a token of theirs, until the session's end
//
// The code is good once and for two minutes, and only for who has the verifier.
const codeLife = 2 * time.Minute

// A letIn is a command line that somebody let act as them.
type letIn struct {
	Challenge string        `json:"challenge"`
	Subject   string        `json:"subject"`
	Name      string        `json:"name"`
	Roles     string        `json:"roles"`
	Expires   store.Instant `json:"expires"`
}

var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// loopbackOf gives the address of the command line, "" where it is none.
func loopbackOf(values url.Values) string {
	port, err := strconv.ParseUint(values.Get("port"), 10, 16)
	if err != nil || port < 1024 || !challengeForm.MatchString(values.Get("challenge")) || !challengeForm.MatchString(values.Get("state")) {
		return ""
	}
	return "http://127.0.0.1:" + strconv.FormatUint(port, 10)
}

// askCLI asks whoever is signed in whether a command line may act as them.
func (g *Gate) askCLI(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	to := loopbackOf(q)
	if to == "" {
		g.show(w, r, http.StatusBadRequest, page{Title: "This address is not complete", Text: "Open the one that drawbridge login shows."})
		return
	}
	who, in := g.whoIs(r.Context(), r)
	if !in {
		http.Redirect(w, r, "/auth/sign-in?"+url.Values{"return": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		return
	}
	g.show(w, r, http.StatusOK, page{Title: "Let the command line in?", Text: "drawbridge on this computer asks to act as " + who.Name + " (" + joined(who.Roles) + ") until " +
		who.Expires.Format("15:04 MST") + ".", Next: "Allow it only if you have just started drawbridge login.", Post: "/auth/cli", Button: "Allow", formTo: to,
		Fields: map[string]string{"port": q.Get("port"), "state": q.Get("state"), "challenge": q.Get("challenge")}})
}

// letCLI sends the command line its code.
func (g *Gate) letCLI(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what is missing is missed below
	to := loopbackOf(r.PostForm)
	who, in := g.whoIs(r.Context(), r)
	if to == "" || !in {
		g.show(w, r, http.StatusBadRequest, page{Title: "Not let in", Text: "You are no longer signed in, or the address was not complete.", Next: "Start drawbridge login again."})
		return
	}
	code := ""
	err := g.store.WriteTenant(r.Context(), who.Tenant, func(tx *store.Tx) (err error) {
		code, err = newOnce(tx, who.Tenant, useCode, letIn{r.PostForm.Get("challenge"), who.Subject, who.Name, joined(who.Roles), store.InstantOf(who.Expires)}, codeLife)
		return err
	})
	if err != nil {
		g.trouble(w, r, err)
		return
	}
	http.Redirect(w, r, to+"/?"+url.Values{"code": {code}, "state": {r.PostForm.Get("state")}}.Encode(), http.StatusSeeOther)
}

// tokenForCLI gives a token for a code.
func (g *Gate) tokenForCLI(w http.ResponseWriter, r *http.Request) {
	var row store.Once
	var allowed letIn
	var out client.SignedIn
	err := g.store.Write(r.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.TakeOnce(onceID(r.PostFormValue("code")), useCode)
		return err
	})
	if err == nil {
		err = json.Unmarshal([]byte(row.Detail), &allowed)
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("verifier")))
	if err == nil && subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(allowed.Challenge)) != 1 {
		err = store.ErrNone
	}
	if err == nil {
		err = g.store.WriteTenant(r.Context(), row.Tenant, func(tx *store.Tx) error {
			text, token, err := NewToken(tx, store.APIToken{Tenant: row.Tenant, Name: allowed.Name, Roles: allowed.Roles, Expires: allowed.Expires, Maker: allowed.Name, Owner: allowed.Subject})
			out = client.SignedIn{Token: text, Name: allowed.Name, Expires: allowed.Expires.Time()}
			line := lineOf(Principal{Tenant: row.Tenant, Subject: allowed.Subject, Name: allowed.Name, Means: Token, ID: token.ID, Address: g.Address(r), Browser: r.UserAgent()}, "sign-in")
			line.Object, line.Outcome, line.Detail = "command line", Done, "as "+allowed.Roles
			return errors.Join(err, tx.RemoveEndedAPITokens(row.Tenant), tx.AddAudit(line))
		})
	}
	switch {
	case errors.Is(err, store.ErrNone):
		refuse(w, problem(http.StatusForbidden, "the code is not good: it serves once, within two minutes, and whoever asked for it", "start drawbridge login again"))
	case err != nil:
		g.turnAway(w, r, err)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(out)
	}
}

// signOutSelf ends what the request carries, a session or a token.
func (g *Gate) signOutSelf(doc huma.API) {
	op := Operation(Viewer, post("/v1/me/sign-out", "sign-out-me", "End the session or token that the request carries"))
	op.Extensions[alwaysAudited] = true
	huma.Register(doc, op, func(ctx context.Context, _ *nothing) (*nothing, error) {
		who := Of(ctx)
		return &nothing{}, g.write(ctx, func(tx *store.Tx) (err error) {
			About(ctx, who.Name, who.Means+" ended")
			if who.Means == Session {
				_, err = tx.RemoveSession(who.Tenant, who.ID)
			} else {
				_, err = tx.RemoveAPIToken(who.Tenant, who.ID)
			}
			return err
		})
	})
}
