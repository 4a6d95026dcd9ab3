package access

import (
	"net"
	"net/http"
)

// secure tells whether the browser's side of the connection is TLS.
func (g *Gate) secure(r *http.Request) bool { return r.TLS != nil }

// address gives from where a request comes.
func (g *Gate) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
