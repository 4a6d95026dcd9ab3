// Package dc finds a domain controller that works and keeps connections to it.
//
//	servers in the order given ─► resolve ─► connect ─► TLS ─► bind ─► rootDSE ─► pinned
//
// One controller is pinned: all goes to it until it fails, for what was
// written to one is not at once known to another. A failed one is tried again
// after the others. Requests share few connections, many at a time on each.
//
// A step that fails gives a [*StepError], which names the server and the step.
// Nothing is sent without encryption, for ldap:// means StartTLS, unless
// [Options.Plain] says so.
package dc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// maxConnections of a [Pool]; each carries many requests at a time.
const maxConnections = 4

// failedFor is how long a server that failed is tried only after the others.
const failedFor = 30 * time.Second

// Options say how to reach the controllers. All but CA, Kerberos and Log are
// required.
type Options struct {
	Servers  []Server
	CA       *x509.CertPool // nil: those the host trusts
	CANames  []string       // subjects in CA, for messages
	Bind     string         // DN, UPN or DOMAIN\name of a simple bind
	Password sealed.Secret
	Kerberos *Kerberos        // instead of a simple bind
	External *tls.Certificate // shown to the server, instead of a simple bind: SASL EXTERNAL
	Plain    bool             // ldap:// is spoken without StartTLS: everything can be read on the way
	Dial     time.Duration    // for everything up to the bind
	Silence  time.Duration    // after which a server that owes an answer is taken as gone
	Log      *slog.Logger
}

// A Server is one controller.
type Server struct {
	URL      string // as it was given
	Host     string
	Address  string // host:port
	StartTLS bool
}

// ParseServer reads ldaps://host[:port], or ldap:// for StartTLS.
func ParseServer(text string) (Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return Server{}, fmt.Errorf("server %q must be ldaps://HOST, or ldap://HOST for StartTLS", text)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	return Server{
		URL: text, Host: u.Hostname(), StartTLS: u.Scheme == "ldap",
		Address: net.JoinHostPort(u.Hostname(), port),
	}, nil
}

// A StepError says on which server which step failed: "resolve", "connect",
// "TLS", "bind" or "rootDSE".
type StepError struct {
	Server Server
	Step   string
	Peer   []*x509.Certificate // what the server showed, for "TLS"
	Err    error
}

func (e *StepError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Server.URL, e.Step, e.Err) }

// Unwrap returns what went wrong.
func (e *StepError) Unwrap() error { return e.Err }

// A Root is what a server says of itself in its rootDSE.
type Root struct {
	Server          Server
	Name            string   // dnsHostName, or the host as configured
	Base            string   // default naming context
	Contexts        []string // naming contexts
	Schema          string   // schema naming context, empty where it is no Active Directory
	SubSchema       string   // entry with the schema of RFC 4512
	Controls        []string
	Extensions      []string // extended operations
	ActiveDirectory bool     // not another kind of LDAP server
	OpenLDAP        bool
}

// Supports tells whether the server knows a control.
func (r *Root) Supports(oid string) bool { return slices.Contains(r.Controls, oid) }

// Extends tells whether the server knows an extended operation.
func (r *Root) Extends(oid string) bool { return slices.Contains(r.Extensions, oid) }

// A Conn is a connection to a server that is known.
type Conn struct {
	*wire.Conn
	Root *Root
}

// A Pool is safe for concurrent use.
type Pool struct {
	opt Options

	mu      sync.Mutex // held only for a moment
	pinned  Server
	failed  map[string]time.Time // by URL
	conns   []*Conn
	dialing chan struct{} // holds one while somebody dials
	closed  bool
}

// New returns a pool that connects when it is first asked to.
func New(opt Options) *Pool {
	return &Pool{opt: opt, pinned: opt.Servers[0], failed: map[string]time.Time{}, dialing: make(chan struct{}, 1)}
}

// Close ends all connections.
func (p *Pool) Close() {
	p.mu.Lock()
	conns := p.conns
	p.conns, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// Conn returns a connection to the pinned server that others use as well. One
// is added while all are busy, up to a few.
func (p *Pool) Conn(ctx context.Context) (*Conn, error) {
	if c := p.idlest(0); c != nil {
		return c, nil
	}
	select {
	case p.dialing <- struct{}{}:
		defer func() { <-p.dialing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c := p.idlest(1 << 30); c != nil && (p.full() || c.Pending() == 0) {
		return c, nil
	}
	c, err := p.Dedicated(ctx)
	if err != nil {
		if c := p.idlest(1 << 30); c != nil {
			return c, nil
		}
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return nil, errors.New("the system is closed")
	}
	p.conns = append(p.conns, c)
	return c, nil
}

// idlest returns the living connection with the fewest requests, nil if that
// has more than busy and another may be made.
func (p *Pool) idlest(busy int) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(c *Conn) bool {
		select {
		case <-c.Done():
			return true
		default:
			return false
		}
	})
	var best *Conn
	for _, c := range p.conns {
		if best == nil || c.Pending() < best.Pending() {
			best = c
		}
	}
	if best != nil && best.Pending() > busy && len(p.conns) < maxConnections {
		return nil
	}
	return best
}

func (p *Pool) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) >= maxConnections
}

// Dedicated returns a new connection, which is the caller's to close: for a
// long read, whose receiver may block. It pins another server where the
// present one fails.
func (p *Pool) Dedicated(ctx context.Context) (*Conn, error) {
	var faults []error
	for _, server := range p.order() {
		c, err := p.opt.dial(ctx, server)
		if err == nil {
			p.pin(server)
			return c, nil
		}
		faults = append(faults, err)
		if ctx.Err() != nil {
			break
		}
		p.Failed(server)
		p.opt.Log.WarnContext(ctx, "Domain controller does not serve", "server", server.URL, "err", err)
	}
	return nil, errors.Join(faults...)
}

// To returns a new connection to this very server, which is the caller's to
// close. It is for what only that server has, and pins nothing.
func (p *Pool) To(ctx context.Context, server Server) (*Conn, error) {
	return p.opt.dial(ctx, server)
}

// Failed says that a server cannot serve now. Its connections are dropped once
// they are idle: what is under way may still be answered.
func (p *Pool) Failed(server Server) {
	p.mu.Lock()
	p.failed[server.URL] = time.Now()
	var drop []*Conn
	if len(p.opt.Servers) > 1 {
		p.conns = slices.DeleteFunc(p.conns, func(c *Conn) bool {
			mine := c.Root.Server.URL == server.URL
			if mine {
				drop = append(drop, c)
			}
			return mine
		})
	}
	p.mu.Unlock()
	for _, c := range drop {
		if c.Pending() == 0 {
			c.Close()
		}
	}
}

// order is the pinned server, then the others as configured, those that failed
// lately last.
func (p *Pool) order() []Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	servers := slices.Clone(p.opt.Servers)
	rank := func(s Server) int {
		at, failed := p.failed[s.URL]
		switch {
		case failed && time.Since(at) < failedFor:
			return 2
		case s.URL == p.pinned.URL:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(servers, func(a, b Server) int { return rank(a) - rank(b) })
	return servers
}

func (p *Pool) pin(s Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, s.URL)
	if s.URL != p.pinned.URL {
		p.opt.Log.Info("Domain controller changed", "from", p.pinned.URL, "to", s.URL)
		p.pinned = s
	}
}

// dial takes all steps to a connection that is ready.
func (o *Options) dial(ctx context.Context, s Server) (*Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Dial, fmt.Errorf("no success within %v", o.Dial))
	defer cancel()
	nc, err := Connect(ctx, s)
	if err != nil {
		return nil, err
	}
	if !o.Clear(s) {
		t, err := o.Encrypt(ctx, s, nc)
		if err != nil {
			_ = nc.Close()
			return nil, err
		}
		nc = t
	}
	return o.Ready(ctx, s, nc)
}

// Clear tells whether nothing is encrypted on the way to s.
func (o *Options) Clear(s Server) bool { return o.Plain && s.StartTLS }

// Ready signs in on nc, which it takes over, and asks the server what it is.
func (o *Options) Ready(ctx context.Context, s Server, nc net.Conn) (*Conn, error) {
	c := &Conn{Conn: wire.New(nc, o.Silence)}
	err := o.authenticate(ctx, s, c.Conn)
	if err == nil {
		c.Root, err = readRoot(ctx, s, c.Conn)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Connect opens the TCP connection.
func Connect(ctx context.Context, s Server) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		step := "connect"
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			step = "resolve"
		}
		return nil, &StepError{Server: s, Step: step, Err: err}
	}
	return nc, nil
}

// Encrypt makes nc a TLS connection, by StartTLS where the server says so.
func (o *Options) Encrypt(ctx context.Context, s Server, nc net.Conn) (*tls.Conn, error) {
	var shown []*x509.Certificate
	fail := func(err error) error { return &StepError{Server: s, Step: "TLS", Peer: shown, Err: err} }
	if until, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(until)
		defer func() { _ = nc.SetDeadline(time.Time{}) }()
	}
	if s.StartTLS {
		if err := wire.StartTLS(nc); err != nil {
			return nil, fail(fmt.Errorf("StartTLS: %w", err))
		}
	}
	config := &tls.Config{ServerName: s.Host, RootCAs: o.CA, MinVersion: tls.VersionTLS12}
	if o.External != nil {
		config.Certificates = []tls.Certificate{*o.External}
	}
	t := tls.Client(nc, config)
	if err := t.HandshakeContext(ctx); err != nil {
		if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			shown = bad.UnverifiedCertificates
		}
		return nil, fail(err)
	}
	return t, nil
}

func (o *Options) authenticate(ctx context.Context, s Server, c *wire.Conn) error {
	var err error
	switch {
	case o.Kerberos != nil:
		err = o.Kerberos.bind(ctx, s, c, o.Password)
	case o.External != nil:
		_, _, err = c.BindSASL(ctx, "EXTERNAL", []byte{})
	default:
		var result *wire.Result
		if result, err = c.BindSimple(ctx, o.Bind, o.Password.Reveal()); err == nil {
			err = result.Err()
		}
	}
	if err != nil {
		return &StepError{Server: s, Step: "bind", Err: err}
	}
	return nil
}

// activeDirectory is the capability by which a server says that it is one.
const activeDirectory = "1.2.840.113556.1.4.800"

func readRoot(ctx context.Context, s Server, c *wire.Conn) (*Root, error) {
	root := &Root{Server: s, Name: s.Host}
	result, err := c.Search(ctx, wire.Search{
		Scope: wire.ScopeBase, Filter: filter.Present("objectClass").Bytes(),
		Attributes: []string{"objectClass", "defaultNamingContext", "namingContexts", "schemaNamingContext", "subschemaSubentry",
			"supportedControl", "supportedExtension", "supportedCapabilities", "dnsHostName"},
	}, func(e *wire.Entry) error {
		for _, a := range e.Attributes {
			switch strings.ToLower(a.Name) {
			case "defaultnamingcontext":
				root.Base = a.Values[0]
			case "namingcontexts":
				root.Contexts = slices.Clone(a.Values)
			case "schemanamingcontext":
				root.Schema = a.Values[0]
			case "subschemasubentry":
				root.SubSchema = a.Values[0]
			case "supportedcontrol":
				root.Controls = slices.Clone(a.Values)
			case "objectclass":
				root.OpenLDAP = slices.Contains(a.Values, "OpenLDAProotDSE")
			case "supportedextension":
				root.Extensions = slices.Clone(a.Values)
			case "supportedcapabilities":
				root.ActiveDirectory = slices.Contains(a.Values, activeDirectory)
			case "dnshostname":
				root.Name = a.Values[0]
			}
		}
		return nil
	})
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return nil, &StepError{Server: s, Step: "rootDSE", Err: err}
	}
	if root.Base == "" && len(root.Contexts) > 0 {
		root.Base = root.Contexts[0]
	}
	return root, nil
}
