package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// secure tells whether the browser's side of the connection is TLS.
func (g *Gate) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(g.config.PublicURL, "https://")
}

// base is the address under which browsers reach the coordinator, without a slash at its end.
func (g *Gate) base(r *http.Request) string {
	if g.config.PublicURL != "" {
		return strings.TrimSuffix(g.config.PublicURL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Base is the address under which whoever asks reaches the coordinator, without a slash at its end.
func (p Principal) Base() string { return p.base }

// Address gives from where a request comes: the last address of
// X-Forwarded-For that is no trusted proxy's, where a trusted one sent it.
func (g *Gate) Address(r *http.Request) string {
	at := remote(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && g.trusts(at); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = next.Unmap()
	}
	return at.String()
}

func (g *Gate) trusts(a netip.Addr) bool {
	for _, p := range g.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func remote(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// private tells whether what the browser is told, a session's cookie above all,
// can be read by nobody on its way.
func (g *Gate) private(r *http.Request) bool { return g.secure(r) || remote(r).IsLoopback() }

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// client6 is whom a limit is for: an address, or the network of one household or host for IPv6.
func client6(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// Address gives the address under which something that listens is reached on its own host.
func Address(listen string, tls bool) string {
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return scheme + listen
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, port)
}
