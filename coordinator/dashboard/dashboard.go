// Package dashboard serves the web page that admins see. The page is a program
// of its own (React, in src) which uses nothing but the coordinator's public
// API; this package only hands out its files. `make dashboard` builds them into
// static/app, from where they are embedded; nothing built is committed, so a
// bare `go build` has static/unbuilt.html alone, which says how to build them.
//
//	GET /assets/app-3f2a.js   a file of static/app, named by its content: kept for a year
//	GET /people/E100          a page: index.html, which reads the rest of the address itself
//	anything else             not the dashboard's: goes to the next handler
//
// The page runs under a policy that lets it load and ask its own origin only.
// Its style sheets made at run time carry a nonce, which is new in each answer
// and stands in the page's head.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// files holds static/unbuilt.html, and static/app once it was built.
//
//go:embed static
var files embed.FS

// nonceMark stands in index.html where the nonce of an answer belongs.
const nonceMark = "__NONCE__"

// A Server hands out the dashboard. It is safe for concurrent use.
type Server struct {
	index  []byte           // index.html, or static/unbuilt.html
	assets map[string]asset // by path below /
	next   http.Handler
}

// An asset is a file of the dashboard, compressed when it is first asked for.
type asset struct {
	kind string // media type
	etag string
	text []byte
	gzip func() []byte // nil where compressing would gain nothing
}

// New gives the dashboard; what is none of its pages or files goes to next.
func New(next http.Handler) *Server { return of(files, next) }

// of gives the dashboard of what was embedded: the built one, or else the page that says how to build it.
func of(files fs.FS, next http.Handler) *Server {
	app, err := fs.Sub(files, "static/app")
	if err == nil {
		if s, err := load(app, next); err == nil {
			return s
		}
	}
	unbuilt, _ := fs.ReadFile(files, "static/unbuilt.html") // embedded: always there
	return &Server{index: unbuilt, next: next}
}

// Built tells whether the dashboard was built into this program.
func (s *Server) Built() bool { return s.assets != nil }

// load reads a built dashboard; it fails where there is none.
func load(app fs.FS, next http.Handler) (*Server, error) {
	index, err := fs.ReadFile(app, "index.html")
	if err != nil {
		return nil, err
	}
	s := &Server{index: index, assets: map[string]asset{}, next: next}
	err = fs.WalkDir(app, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "index.html" {
			return err
		}
		text, err := fs.ReadFile(app, name)
		s.assets["/"+name] = newAsset(name, text)
		return err
	})
	return s, err
}

func newAsset(name string, text []byte) asset {
	sum := sha256.Sum256(text)
	a := asset{kind: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:8]) + `"`, text: text}
	if path.Ext(name) == ".woff2" { // compressed as it is, and unknown on hosts without a list of media types
		a.kind = "font/woff2"
		return a
	}
	a.gzip = sync.OnceValue(func() []byte { return compressed(text) })
	return a
}

func compressed(text []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is good
	_, _ = w.Write(text)                                    // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// ServeHTTP answers for the dashboard's files and pages. A page is what a
// browser navigates to: it accepts HTML, and programs that do not are answered
// by the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	a, isAsset := s.assets[r.URL.Path]
	switch {
	case reads && isAsset:
		a.serve(w, r)
	case reads && strings.HasPrefix(r.URL.Path, "/assets/"):
		http.Error(w, "this file belongs to another release of the dashboard: load the page again", http.StatusNotFound)
	case reads && strings.Contains(r.Header.Get("Accept"), "text/html"):
		s.page(w, r)
	default:
		s.next.ServeHTTP(w, r)
	}
}

// page answers with index.html, whose nonce is made for this answer alone.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; "+
		"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'", nonce))
	protect(h)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(bytes.ReplaceAll(s.index, []byte(nonceMark), []byte(nonce))))
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(r.URL.Path, "/assets/") { // named by its content
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	protect(h)
	text := a.text
	if a.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			text = a.gzip()
			h.Set("Content-Encoding", "gzip")
			h.Set("ETag", strings.TrimSuffix(a.etag, `"`)+`-gz"`)
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
