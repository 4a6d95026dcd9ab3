// Package pickup serves the page on which people pick up the passwords of their
// new accounts, in a browser, with nothing but a link:
//
//	https://coordinator/pickup#AGE-SECRET-KEY-1…
//
// The link was made by drawbridge password link, on the machine of whoever hands
// it over; what stands behind the # reaches no server. A document that seals to
// "pickup" has connectors seal to the public key of the person's link.
//
//	GET  /pickup         the page
//	POST /pickup/boxes   {link} → what waits, sealed; link is the SHA-256 of the secret key
//	POST /pickup/done    {link, passwords}: they were opened, and are forgotten
//
// Nobody signs in: who can name the link may fetch boxes, and open none; who has
// the link can open them, so it is to be carried as a password is. What may go wrong:
//
//	somebody else used the link     who comes next is told when it was used, and from which address
//	a mail filter opens the link    it fetches nothing: that takes a click
//	the browser fails on the way    the box stays until it was opened, a week at most
//	the link is used too early      it says so, and is good for later
//	its time is over                [Life] after it was made; a new one is good for passwords made from then on
//
// The page is built by `make dashboard` from page.js; nothing built is committed.
package pickup

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Life is how long a link is good.
const Life = 30 * 24 * time.Hour

// Path is where the page is.
const Path = "/pickup"

//go:embed static
var files embed.FS

// A Server is safe for concurrent use.
type Server struct {
	Store *store.Store
	Log   *slog.Logger
	// Address gives where a request came from, for the next one to be told.
	Address func(*http.Request) string
}

// policy lets the page load and ask its own origin, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves everything at [Path] and below.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/{$}", func(w http.ResponseWriter, _ *http.Request) { file(w, "index.html") })
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, _ *http.Request) { file(w, "index.html") })
	mux.HandleFunc("GET "+Path+"/page.js", func(w http.ResponseWriter, _ *http.Request) { file(w, "page.js") })
	mux.HandleFunc("GET "+Path+"/page.css", func(w http.ResponseWriter, _ *http.Request) { file(w, "page.css") })
	mux.HandleFunc("POST "+Path+"/boxes", s.boxes)
	mux.HandleFunc("POST "+Path+"/done", s.done)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Robots-Tag", "noindex")
		mux.ServeHTTP(w, r)
	})
}

// Built tells whether the page was built into this program.
func Built() bool {
	_, err := fs.Stat(files, "static/app/page.js")
	return err == nil
}

func file(w http.ResponseWriter, name string) {
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
	text, err := files.ReadFile("static/app/" + name)
	if err != nil {
		name = "unbuilt.html"
		text, _ = files.ReadFile("static/" + name) // embedded: always there
	}
	w.Header().Set("Content-Type", kinds[name[strings.LastIndexByte(name, '.'):]])
	_, _ = w.Write(text) // who asked has gone
}

// A before tells of an earlier use of a link.
type before struct {
	At      time.Time `json:"at"`
	Address string    `json:"address"`
}

// A box is a sealed password.
type box struct {
	ID      int64  `json:"id"`
	System  string `json:"system"`
	Account string `json:"account"`
	Box     []byte `json:"box"`
}

// most is how many passwords a link gives at once.
const most = 100

func (s *Server) boxes(w http.ResponseWriter, r *http.Request) {
	out := struct {
		Passwords []box   `json:"passwords"`
		Before    *before `json:"before,omitempty"`
	}{Passwords: []box{}}
	var in struct{ Link string }
	if !asked(w, r, &in) {
		return
	}
	err := s.Store.Write(r.Context(), func(tx *store.Tx) error {
		link, waits, err := waiting(tx, in.Link)
		if err != nil {
			return err
		}
		if link.Used != 0 {
			out.Before = &before{link.Used.Time(), link.Address}
		}
		accounts, err := tx.AccountsOf(link.Tenant, []string{link.Person})
		if err != nil || len(waits) == 0 {
			return err
		}
		where := map[[2]string]string{}
		for _, a := range accounts {
			where[[2]string{a.System, a.ID}] = a.Address
		}
		for _, p := range waits {
			b := box{p.Job, p.System, p.Account, p.Box}
			if address := where[[2]string{p.System, p.Account}]; address != "" {
				b.Account = address
			}
			out.Passwords = append(out.Passwords, b)
		}
		link.Used, link.Address = tx.Now, s.Address(r)
		return errors.Join(tx.UsePickup(link), tx.AddHistory(told(waits, "sealed new password fetched with the one-time link, from "+link.Address)))
	})
	s.answer(w, r, out, err)
}

func (s *Server) done(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Link      string
		Passwords []int64
	}
	if !asked(w, r, &in) {
		return
	}
	err := s.Store.Write(r.Context(), func(tx *store.Tx) error {
		_, waits, err := waiting(tx, in.Link)
		if err != nil {
			return err
		}
		of := map[int64]store.Password{}
		for _, p := range waits {
			of[p.Job] = p
		}
		var gone []store.Password
		for _, id := range in.Passwords {
			p, there := of[id]
			if !there {
				return errTaken
			}
			if err := tx.RemovePassword(p.Tenant, id); err != nil {
				return err
			}
			gone = append(gone, p)
		}
		return tx.AddHistory(told(gone, "new password picked up with the one-time link, and forgotten here"))
	})
	s.answer(w, r, struct{}{}, err)
}

// errTaken says that somebody was quicker.
var errTaken = errors.New("this password has just been picked up by somebody else who has the link")

// waiting gives a link that is good, and the passwords that are sealed to it and wait.
func waiting(tx *store.Tx, name string) (store.Pickup, []store.Password, error) {
	link, err := tx.Pickup(name)
	if err != nil {
		return link, nil, err
	}
	if link.Until < tx.Now {
		return link, nil, store.ErrNone
	}
	rows, err := tx.Passwords(link.Tenant, link.Person, most)
	var waits []store.Password
	for _, p := range rows {
		if strings.Contains(p.Recipients, `"`+link.Public+`"`) {
			waits = append(waits, p)
		}
	}
	return link, waits, err
}

func told(passwords []store.Password, what string) []store.History {
	rows := make([]store.History, len(passwords))
	for i, p := range passwords {
		rows[i] = store.History{Tenant: p.Tenant, Kind: history.Audit, System: p.System, Person: p.Person, Account: p.Account, Job: p.Job, Text: what}
	}
	return rows
}

// asked reads what a page asks. Pages of other sites cannot send JSON without being asked first.
func asked(w http.ResponseWriter, r *http.Request, in any) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if kind == "application/json" && json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(in) == nil {
		return true
	}
	reply(w, http.StatusBadRequest, map[string]string{"error": "This was not asked by the page for picking up passwords."})
	return false
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, out any, err error) {
	switch {
	case errors.Is(err, store.ErrNone):
		reply(w, http.StatusGone, map[string]string{"error": "This link is not known here, or its time is over. Ask for another one."})
	case errors.Is(err, errTaken):
		reply(w, http.StatusConflict, map[string]string{"error": "This password has just been picked up by somebody else who has the link: tell your service desk now."})
	case err != nil:
		s.Log.ErrorContext(r.Context(), "Password not given", "err", err)
		reply(w, http.StatusInternalServerError, map[string]string{"error": "The coordinator could not do that just now. Try again."})
	default:
		reply(w, http.StatusOK, out)
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked has gone
}
