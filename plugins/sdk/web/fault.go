package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A departure knows whether a request may have reached the server.
type departure struct{ wrote atomic.Bool }

func (d *departure) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { d.wrote.Store(false) }, // a dead connection is replaced in silence
		WroteHeaders: func() { d.wrote.Store(true) },
	})
}

func (d *departure) done() bool { return d.wrote.Load() }

func body(b []byte) io.Reader {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b) // which net/http can rewind
}

// lost is the verdict on a request without an answer.
func (c *Client) lost(ctx context.Context, err error, r *Request, left bool) *sendError {
	err = plain(err)
	if ctx.Err() != nil {
		return &sendError{fault: stopped(context.Cause(ctx), left && !r.safe())}
	}
	if left && !r.safe() {
		return &sendError{fault: sdk.Unknown(fmt.Sprintf("%s did not answer whether it did: %s", c.Host(), r.Doing),
			"Nothing: the object is read again before anything else is done to it.").On(r.Object).From(err)}
	}
	fault, repeat := c.unreachable(err)
	return &sendError{fault: fault.On(r.Object).From(err), repeat: repeat}
}

func (c *Client) unreachable(err error) (fault *sdk.Error, repeat bool) {
	host := c.Host()
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return sdk.Unavailable(fmt.Sprintf("the name %s cannot be resolved", e.Name),
			"Correct the address in the settings, or let the agent's host resolve it."), false
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return sdk.Unavailable("the certificate of "+host+" is of an authority that this host does not trust",
			"Put the authority's certificate into connection.ca; an inspecting proxy has one of its own."), false
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return sdk.Unavailable("the certificate that "+host+" shows is for another name: "+strings.Join(e.Certificate.DNSNames, ", "),
			"Use a name that the certificate has, or have the certificate made anew."), false
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return sdk.Unavailable("the certificate of "+host+" is not valid: "+e.Error(), "Have it renewed, and look at the clock of this host."), false
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return sdk.Unavailable(host+" does not speak TLS at this port", "Correct the address in the settings of the system."), false
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "proxyconnect" {
		return sdk.Unavailable("the proxy does not answer", "Look at connection.proxy and at the proxy."), true
	}
	if strings.Contains(err.Error(), "Proxy Authentication Required") { // net/http has no type for it
		return sdk.Denied("the proxy wants to be signed in to", "Set connection.proxy_user and the secret proxy_password."), false
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return sdk.Unavailable(host+" did not answer in time", "Look at the server and the network; connection.answer_timeout says how long is waited."), true
	}
	return sdk.Unavailable(host+" cannot be reached", "Look whether the server runs and the agent's host may reach it."), true
}

// stopped is the fault of a call that was given up from our side.
func stopped(cause error, maybe bool) *sdk.Error {
	if maybe {
		return sdk.Unknown("the call was given up before it was answered", "Nothing: the object is read again before anything else is done to it.").From(cause)
	}
	return sdk.Unavailable("the call was given up before anything was done", "Nothing: it is tried again.").From(cause)
}

// busy is the fault of a server that wants a longer pause than is waited here.
func (c *Client) busy(a *Answer, r *Request, pause time.Duration, limited bool) *sdk.Error {
	raw := a.Raw()
	cause, next := fmt.Sprintf("%s cannot serve at the moment (%d)", c.Host(), a.Status), "Nothing: it is tried again by itself; look at the server if it goes on."
	if limited {
		cause = fmt.Sprintf("%s limits the rate of requests (%d)", c.Host(), a.Status)
		next = "Nothing: it is tried again after the pause; if it goes on, have the limit raised or read less often."
	}
	e := sdk.Unavailable(cause, next).On(r.Object)
	e.Raw, e.RetryAfter = raw, max(pause, time.Second)
	return e
}

// judge finds what is no answer of the system itself. It closes the answer
// where it returns an error.
func (c *Client) judge(a *Answer, r *Request) error {
	if fault := c.stray(a, r); fault != nil {
		fault.Object = r.Object
		fault.Raw = a.Raw()
		return fault
	}
	return nil
}

func (c *Client) stray(a *Answer, r *Request) *sdk.Error {
	media, charset := a.mediaType()
	switch {
	case a.Status == http.StatusUnauthorized:
		return sdk.Denied(c.Host()+" does not accept how we sign in (401)", c.auth.cure())
	case a.Status == http.StatusProxyAuthRequired:
		return sdk.Denied("the proxy wants to be signed in to", "Set connection.proxy_user and the secret proxy_password.")
	case a.Status >= 300 && a.Status < 400 && a.Status != http.StatusNotModified:
		to := a.Header.Get("Location")
		if u, err := url.Parse(to); err == nil && u.Host != "" && u.Host != c.Host() {
			return sdk.Invalid(fmt.Sprintf("%s sends us on to another host, %s; nothing was sent there (%d)", c.Host(), u.Host, a.Status),
				"Put the right address into url: what signs in is never sent to a host that the settings do not name.")
		}
		return sdk.Invalid(fmt.Sprintf("%s sends a %s on to another address (%d)", c.Host(), method(r), a.Status),
			"Put the right address into url; look for http instead of https, or a missing part of the path.")
	case strings.Contains(media, "html") || media == "text/xml":
		next := "Look whether url is the address of the interface and not of the pages for people, and whether a gateway or sign-in page is in the way."
		cause := fmt.Sprintf("%s answered a page for people instead of data (%d, %s)", c.Host(), a.Status, media)
		switch {
		case a.Status >= 500 && !r.safe():
			return sdk.Unknown(cause, "Nothing: the object is read again; then look at the gateway before the server.")
		case a.Status >= 500:
			return sdk.Unavailable(cause, next)
		case a.Status == http.StatusForbidden:
			return sdk.Denied(cause, next)
		case !r.safe() && a.Status < 300:
			return sdk.Unknown(cause, next)
		}
		return sdk.Invalid(cause, next)
	case charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii":
		if !r.safe() && a.Status < 300 {
			return nil // it has been done; its text is looked at as UTF-8 by who decodes it
		}
		return sdk.Invalid(fmt.Sprintf("%s answers in the character set %s; JSON is UTF-8 (RFC 8259, 8.1)", c.Host(), charset),
			"Have the server send UTF-8.")
	}
	return nil
}

func (c *Client) signInFault(err error) *sdk.Error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	return c.tokenFault(err)
}

// Raw returns status and the beginning of the answer for a fault, on one line,
// and closes the answer.
func (a *Answer) Raw() string {
	b, _ := io.ReadAll(io.LimitReader(a.body, 2000))
	a.Close()
	text := string(b)
	if media, _ := a.mediaType(); strings.Contains(media, "html") {
		text = title(text)
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", a.Status, text))
}

var htmlTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// title is what a page for people calls itself.
func title(page string) string {
	if m := htmlTitle.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}
