package access

import (
	"net/http"
	"strings"
)

// maxBody is more than any request may hold.
const maxBody = 8 << 20

// Policies of what a page may load and do.
const (
	// pagePolicy is that of pages which name none of their own, as the dashboard does: files of this site alone.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; " +
		"connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	// dataPolicy is that of answers that are no page.
	dataPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
)

// Handler stands around everything that is served on the API's address: headers
// that browsers protect themselves by, limits of size and rate, and the pages
// below /auth/. next is everything else.
func (g *Gate) Handler(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth/", g.pages())
	mux.Handle("/", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.protect(w.Header(), r)
		if wait := g.everything.take(client6(g.Address(r))); wait > 0 {
			tooMany(w, wait)
			return
		}
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		mux.ServeHTTP(w, r)
	})
}

func (g *Gate) protect(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Content-Security-Policy", pagePolicy)
	if strings.HasPrefix(g.config.PublicURL, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	for _, data := range []string{"/v1/", "/scim/", "/openapi"} {
		if strings.HasPrefix(r.URL.Path, data) {
			h.Set("Content-Security-Policy", dataPolicy)
			h.Set("Cache-Control", "no-store")
		}
	}
}
