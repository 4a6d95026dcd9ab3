// Package proxy reaches the coordinator through an HTTP proxy, where the
// network lets nothing out otherwise: by CONNECT, with Basic or NTLMv2. What
// goes through is the agent's own TLS, which is agent/identity's; a proxy that
// opens it is noticed there.
//
// Which proxy it is:
//
//	agent.yaml has proxy.url          that one; "none" means not even the environment's
//	HTTPS_PROXY, not NO_PROXY         that one (also in lower case)
//	else                              none: the address is dialled
//
//	dial proxy ──► CONNECT host:port ──► 200: the connection is the coordinator's
//	                     └─ 407 ──► with a user and password, by the best way that
//	                                it offers: NTLM (on this very connection), Basic
//
// What may go wrong is an *[Error] that says what to do: the proxy is not
// there, wants a user, does not take this one, or does not let the address
// through.
package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// None as the URL says that no proxy is used, whatever the environment says.
const None = "none"

// Credentials sign in to a proxy. The zero value has none.
type Credentials struct {
	User     string // DOMAIN\name for NTLM, unless the proxy knows its domain
	Password sealed.Secret
}

// A Dialer dials by way of a proxy, or directly. The zero value goes by the
// environment.
type Dialer struct {
	URL         string                      // of the proxy, [None], or "" for the environment's
	Credentials func() (Credentials, error) // Optional. Asked when the proxy wants some and its URL has none
}

// Check says whether text can be the URL of a proxy.
func Check(text string) error {
	if text == None {
		return nil
	}
	_, err := parse(text)
	return err
}

func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, fmt.Errorf("%q is no URL of a proxy, such as http://proxy.example.com:3128", text)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("a proxy of kind %q is not supported: it must be http or https", u.Scheme)
	}
	return u, nil
}

// Proxy returns the proxy by which address is reached; nil means directly.
func (d *Dialer) Proxy(address string) (*url.URL, error) {
	switch d.URL {
	case None:
		return nil, nil
	case "":
		u, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: address})
		if err != nil || u == nil {
			return nil, err
		}
		return parse(u.String())
	}
	return parse(d.URL)
}

// Dial connects to address, host:port, by the proxy if there is one.
func (d *Dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	u, err := d.Proxy(address)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	t := &tunnel{proxy: u, address: address}
	if d.Credentials != nil {
		t.credentials = d.Credentials
	}
	return t.open(ctx)
}

// connect dials the proxy itself.
func connect(ctx context.Context, u *url.URL) (net.Conn, error) {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	at := net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "https" {
		return (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}}).DialContext(ctx, "tcp", at)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", at)
}

// An Error says what a proxy has against a connection, or that it is not there.
type Error struct {
	Proxy  string // host:port
	Status int    // of its answer; 0: it gave none
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("proxy %s: %v", e.Proxy, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Next says what to do about it.
func (e *Error) Next() string {
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		return "set proxy.user in agent.yaml and give its password with `drawbridge-agent secret set proxy password`; if they are right, have the network team look why the proxy refuses them"
	case e.Status == 0:
		return "see that proxy.url in agent.yaml, or HTTPS_PROXY, names the proxy, and that this host may reach it"
	case e.Status == http.StatusForbidden || e.Status == http.StatusMethodNotAllowed:
		return "ask the network team to let this host CONNECT to the coordinator's name and port through the proxy, without inspection of TLS"
	}
	return "ask the network team why the proxy does not reach the coordinator"
}

// refused makes the error of an answer that is not 200.
func (t *tunnel) refused(answer *http.Response) error {
	e := &Error{Proxy: t.proxy.Host, Status: answer.StatusCode}
	switch offered := strings.Join(schemes(answer), ", "); {
	case answer.StatusCode != http.StatusProxyAuthRequired:
		e.Err = fmt.Errorf("it does not let CONNECT to %s through: %s", t.address, answer.Status)
	case t.user == "":
		e.Err = fmt.Errorf("it wants a user and password (it takes %s)", cmp.Or(offered, "nothing it says"))
	case t.tried == "":
		e.Err = fmt.Errorf("it takes only %s, and this agent knows NTLM and Basic", cmp.Or(offered, "nothing it says"))
	default:
		e.Err = fmt.Errorf("it does not take user %q and the password by %s", t.user, t.tried)
	}
	return e
}

// broken makes the error of a proxy that gave no answer.
func (t *tunnel) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return &Error{Proxy: t.proxy.Host, Err: err}
}
