// Package web is for connectors whose system speaks HTTP: one client that signs
// in, keeps to the system's rate, repeats what is safe to repeat, and turns
// whatever goes wrong into an outcome with a cure.
//
//	Request ─► wait for the rate ─► sign in (Auth) ─► send ─► judge ─► Answer
//	               ▲                                   │
//	               └── 429, 503: pause for everybody ◄─┤ 401: sign in again, once
//	                                                   └ lost: again if safe, else UNKNOWN
//
// What may go wrong, and what comes of it:
//
//   - It is not answered: a request that surely did not leave, or is [Request.Safe],
//     is repeated, at most three times; any other is UNKNOWN.
//   - The system says "slow down" (429, or 503 with Retry-After): every request
//     of the client waits, with growing pauses where it does not say how long.
//     Beyond [Limits.Patience] it is UNAVAILABLE, with the pause for the engine.
//   - It leads elsewhere: only a redirect of a GET within the same host is
//     followed. What signs in is never sent to another host.
//   - It answers a page for people, too much, or no UTF-8: said in these words.
//
// What an answer means in the system's own protocol is the connector's to say.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Options say what a client is for.
type Options struct {
	URL        string // required: base of all addresses
	Connection Connection
	Auth       Auth
	Secrets    Secrets
	Limits     Limits
	Accept     string // media types of answers; application/json if empty
	Log        *slog.Logger
}

// Limits bound what a client does by itself. The zero value is good.
type Limits struct {
	Tries    int           // of one request; 4 if 0
	Patience time.Duration // that one request may spend on pauses; 30 s if 0
	Answer   int64         // bytes of an answer read by [Answer.Bytes]; 64 MiB if 0
}

// A Client is safe for concurrent use.
type Client struct {
	base   *url.URL
	http   *http.Client
	auth   authenticator
	pace   pace
	limits Limits
	accept string
	log    *slog.Logger
}

// New returns a client. It does not connect.
func New(opt Options) (*Client, error) {
	base, err := checkURL("url", opt.URL)
	if err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the address in the settings of the system.")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport, err := opt.Connection.transport(opt.Secrets)
	if err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the settings of the connection.")
	}
	c := &Client{base: base, limits: opt.Limits, accept: opt.Accept, log: opt.Log}
	if c.limits.Tries == 0 {
		c.limits.Tries = 4
	}
	if c.limits.Patience == 0 {
		c.limits.Patience = 30 * time.Second
	}
	if c.limits.Answer == 0 {
		c.limits.Answer = 64 << 20
	}
	if c.accept == "" {
		c.accept = "application/json"
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: sameHost}
	if c.auth, err = opt.Auth.authenticator(opt.Secrets, transport); err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the settings of signing in.")
	}
	return c, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Host names the server in faults.
func (c *Client) Host() string { return c.base.Host }

// A Request is sent by [Client.Do].
type Request struct {
	Method string // GET if empty
	Path   string // below the base, escaped; or a whole address on the same host
	Query  url.Values
	Header http.Header
	Body   []byte
	Type   string // of the body; application/json if empty
	// Safe tells that sending it twice does no more than sending it once. GET
	// and HEAD always are.
	Safe   bool
	Doing  string // for faults: "read the users"
	Object string // for faults: what it is about
}

func (r *Request) safe() bool {
	return r.Safe || r.Method == "" || r.Method == http.MethodGet || r.Method == http.MethodHead
}

// SignIn gets what requests are signed in with, so that a probe can tell.
func (c *Client) SignIn(ctx context.Context) error {
	if _, err := c.auth.header(ctx); err != nil {
		return c.signInFault(err)
	}
	return nil
}

// Do sends the request and returns the answer, whatever its status, except
// those that are about sending: 401, 429, redirects, and gateways that are in
// the way. The caller closes the answer. An error is an [*sdk.Error].
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	address, err := c.address(r)
	if err != nil {
		return nil, err
	}
	began, signedIn := time.Now(), false
	for try := 1; ; try++ {
		if err := c.pace.wait(ctx); err != nil {
			return nil, stopped(err, false)
		}
		answer, err := c.send(ctx, address, &r)
		if err != nil {
			if again := err.repeat && try < c.limits.Tries && ctx.Err() == nil; !again {
				return nil, err.fault
			}
			if err := sleep(ctx, backoff(try)); err != nil {
				return nil, stopped(err, false)
			}
			continue
		}
		pause, stated := answer.retryAfter(try)
		switch status := answer.Status; {
		case status == http.StatusUnauthorized && !signedIn && c.auth.forget():
			signedIn = true
		case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && (stated || r.safe()),
			r.safe() && (status == http.StatusBadGateway || status == http.StatusGatewayTimeout):
			limited := status == http.StatusTooManyRequests || stated
			if limited {
				c.pace.hold(pause)
			}
			if try >= c.limits.Tries || time.Since(began)+pause > c.limits.Patience {
				return nil, c.busy(answer, &r, pause, limited)
			}
			c.log.DebugContext(ctx, "The system asks to wait", "status", status, "pause", pause, "try", try)
			if !limited {
				if err := sleep(ctx, pause); err != nil {
					answer.Close()
					return nil, stopped(err, false)
				}
			}
		default:
			return answer, c.judge(answer, &r)
		}
		answer.Close()
	}
}

// sendError tells what came of a request that was not answered.
type sendError struct {
	fault  *sdk.Error
	repeat bool
}

func (c *Client) send(ctx context.Context, address string, r *Request) (*Answer, *sendError) {
	header, err := c.auth.header(ctx)
	if err != nil {
		return nil, &sendError{fault: c.signInFault(err)}
	}
	left := &departure{}
	request, err := http.NewRequestWithContext(left.trace(ctx), method(r), address, body(r.Body))
	if err != nil {
		return nil, &sendError{fault: sdk.Invalid("the address "+address+" cannot be used", "Correct the address in the settings of the system.").From(err)}
	}
	for key, values := range r.Header {
		request.Header[key] = values
	}
	request.Header.Set("Accept", c.accept)
	if r.Body != nil {
		request.Header.Set("Content-Type", orElse(r.Type, "application/json"))
	}
	request.Header.Set("User-Agent", "Drawbridge")
	if header != "" {
		request.Header.Set("Authorization", header)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.lost(ctx, err, r, left.done())
	}
	return &Answer{Status: response.StatusCode, Header: response.Header, body: response.Body, client: c, request: r}, nil
}

// address joins the base and the request's path; another host is refused.
func (c *Client) address(r Request) (string, error) {
	u := *c.base
	if strings.Contains(r.Path, "://") {
		given, err := url.Parse(r.Path)
		if err != nil || given.Scheme != c.base.Scheme || given.Host != c.base.Host {
			return "", sdk.Invalid(fmt.Sprintf("%s sends us on to another host, %s; nothing was sent there", c.base.Host, hostOf(given)),
				"Correct the address in the settings of the system, or have the server mended.").On(r.Object)
		}
		u = *given
	} else {
		path, err := url.PathUnescape(r.Path)
		if err != nil {
			return "", sdk.Invalid("the path "+r.Path+" is not escaped as it should be", "Report this as a fault of the connector.")
		}
		u.Path, u.RawPath = c.base.Path+path, c.base.EscapedPath()+r.Path
	}
	if r.Query != nil {
		u.RawQuery = strings.ReplaceAll(r.Query.Encode(), "+", "%20")
	}
	return u.String(), nil
}

func hostOf(u *url.URL) string {
	if u == nil {
		return "no address"
	}
	return u.Host
}

// sameHost follows a redirect of a GET within the host; any other is an answer.
func sameHost(to *http.Request, via []*http.Request) error {
	from := via[0]
	if len(via) > 3 || from.Method != http.MethodGet || to.URL.Host != from.URL.Host || to.URL.Scheme != from.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

func method(r *Request) string { return orElse(r.Method, http.MethodGet) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// An Answer is what a server said. It is read once, in one way or another.
type Answer struct {
	Status  int
	Header  http.Header
	body    io.ReadCloser
	client  *Client
	request *Request
}

// Close drops what has not been read; a short rest is read so that the
// connection can be used again.
func (a *Answer) Close() {
	_, _ = io.CopyN(io.Discard, a.body, 256<<10)
	_ = a.body.Close()
}

// Body streams the answer. The reader bounds what it keeps.
func (a *Answer) Body() io.Reader { return a.body }

// Bytes returns the whole answer and closes it, or says that it is too long or
// broke off.
func (a *Answer) Bytes() ([]byte, error) {
	defer a.Close()
	limit := a.client.limits.Answer
	b, err := io.ReadAll(io.LimitReader(a.body, limit+1))
	if err != nil {
		return nil, a.Broken(err)
	}
	if int64(len(b)) > limit {
		return nil, sdk.Invalid(fmt.Sprintf("%s answered more than %d MiB to: %s", a.client.Host(), limit>>20, a.request.Doing),
			"Ask for less at a time (a smaller page_size), or have the server mended.").On(a.request.Object)
	}
	return b, nil
}

// Broken is the fault of an answer that broke off: a read is UNAVAILABLE, a
// write was carried out or not.
func (a *Answer) Broken(err error) *sdk.Error {
	cause := fmt.Sprintf("the answer of %s broke off (%s)", a.client.Host(), a.request.Doing)
	if a.request.safe() {
		return sdk.Unavailable(cause, "Nothing: it is tried again by itself.").On(a.request.Object).From(plain(err))
	}
	return sdk.Unknown(cause, "Nothing: the object is read again before anything else is done to it.").On(a.request.Object).From(plain(err))
}

// mediaType returns the type and the character set that the answer names.
func (a *Answer) mediaType() (media, charset string) {
	media, parameters, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return strings.ToLower(strings.TrimSpace(a.Header.Get("Content-Type"))), ""
	}
	return media, strings.ToLower(parameters["charset"])
}

// plain leaves out of err the address that net/http puts before it, which may
// hold what was looked for.
func plain(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}
