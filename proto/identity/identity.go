// Package identity holds what agent and coordinator must agree on to know each
// other: the names in certificates, the TLS rules of each end, the join token
// and the reasons for which an enrolment is refused.
//
// It makes no certificate: the authority is coordinator/enroll, and the agent's
// key and files are agent/identity.
//
//	authority (CA, self-signed, one for a coordinator; its SHA-256 is in every join token)
//	├── coordinator   URI drawbridge://coordinator                  server auth
//	└── agent         URI drawbridge://<tenant>/<site>/agent/<id>   client auth,
//	                  subject serial number: generation
//
// An agent enrols over a connection whose server it knows only by the
// fingerprint in its token ([EnrollTLS]); afterwards it trusts the authority it
// was given and nothing else, in particular not the host's own list
// ([ClientTLS]). The server takes a connection with or without a client
// certificate, because enrolment comes to the same address ([ServerTLS]), and takes one whose
// time is over, because an agent that was away for long renews by it. The link
// refuses a stream for which [Peer] finds no agent, or one whose time is over.
//
// What may go wrong: another server answers, or a proxy opens the connection
// (*[AuthorityError], before the token was sent); a clock is wrong
// (*[ClockError]); the token does not serve (*[Refusal]).
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const scheme = "drawbridge"

// CoordinatorURI is the URI name that makes a certificate a coordinator's.
const CoordinatorURI = scheme + "://coordinator"

// ErrNoAgent says that a connection or certificate does not name an agent. Test with [errors.Is].
var ErrNoAgent = errors.New("no agent's certificate")

// part is what a tenant, a site and an agent id may look like: safe in a URI, a file name and a log line.
var part = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// An Agent is the name of an agent. Its parts are 1 to 63 letters, digits, dots,
// dashes and underscores, beginning with a letter or digit.
type Agent struct {
	Tenant string
	Site   string
	ID     string
}

// ParseAgent reads the form that [Agent.String] writes.
func ParseAgent(uri string) (Agent, error) {
	rest, ok := strings.CutPrefix(uri, scheme+"://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 4 || parts[2] != "agent" {
		return Agent{}, fmt.Errorf("%w: name %q, want %s://<tenant>/<site>/agent/<id>", ErrNoAgent, uri, scheme)
	}
	a := Agent{Tenant: parts[0], Site: parts[1], ID: parts[3]}
	return a, a.Validate()
}

// Validate says which part of the name cannot stand in a certificate.
func (a Agent) Validate() error {
	for _, p := range []struct{ what, value string }{{"tenant", a.Tenant}, {"site", a.Site}, {"agent id", a.ID}} {
		if !part.MatchString(p.value) {
			return fmt.Errorf("%w: %s %q: use 1 to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
				ErrNoAgent, p.what, p.value)
		}
	}
	return nil
}

// String returns the name as it stands in the certificate.
func (a Agent) String() string {
	return scheme + "://" + a.Tenant + "/" + a.Site + "/agent/" + a.ID
}

// URI returns the name for [x509.Certificate.URIs].
func (a Agent) URI() *url.URL {
	return &url.URL{Scheme: scheme, Host: a.Tenant, Path: "/" + a.Site + "/agent/" + a.ID}
}

// Coordinator returns the name for a coordinator's [x509.Certificate.URIs].
func Coordinator() *url.URL { return &url.URL{Scheme: scheme, Host: "coordinator"} }

// OfCertificate returns the agent that cert names. It does not verify cert.
func OfCertificate(cert *x509.Certificate) (Agent, error) {
	if len(cert.URIs) != 1 {
		return Agent{}, fmt.Errorf("%w: it has %d URI names, want 1", ErrNoAgent, len(cert.URIs))
	}
	return ParseAgent(cert.URIs[0].String())
}

// A Caller is an agent as its certificate says: see [Peer].
type Caller struct {
	Agent
	Generation uint64    // how often the agent was attested: see [Generation]
	Expires    time.Time // when the certificate's time is over, or was
}

// Peer returns the agent at the other end of a connection that was made under
// [ServerTLS]. Its certificate's time may be over: whether that matters is the
// caller's to say. It returns [ErrNoAgent] if the client showed no certificate.
func Peer(state tls.ConnectionState) (Caller, error) {
	if len(state.PeerCertificates) == 0 {
		return Caller{}, fmt.Errorf("%w: the client showed none", ErrNoAgent)
	}
	cert := state.PeerCertificates[0]
	agent, err := OfCertificate(cert)
	return Caller{Agent: agent, Generation: Generation(cert), Expires: cert.NotAfter}, err
}

// Generation returns how often the agent had been attested when cert was
// signed, 1 after it has joined. Once an admin has approved a later one, those
// before it are good for nothing: so a copy of a host is shut out. It stands in
// the subject's serial number.
func Generation(cert *x509.Certificate) uint64 {
	n, _ := strconv.ParseUint(cert.Subject.SerialNumber, 10, 64) // 0: made by an earlier release
	return n
}
