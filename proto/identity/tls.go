package identity

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// An AuthorityError says that a server is not the coordinator it should be:
// another one, or an inspecting proxy in between.
type AuthorityError struct {
	Issuer string // who issued the server's certificate, as it calls itself
	Reason string
}

func (e *AuthorityError) Error() string {
	return fmt.Sprintf("not our coordinator: %s (certificate issued by %q)", e.Reason, e.Issuer)
}

// A ClockError says that the certificate of the server is right but for the
// time: mostly the clock of this host is wrong.
type ClockError struct {
	Now, NotBefore, NotAfter time.Time
}

func (e *ClockError) Error() string {
	if e.Now.Before(e.NotBefore) {
		return fmt.Sprintf("the coordinator's certificate is valid only from %s, and this host's clock says %s: the clock is at least %s slow; set it, best by time service",
			stamp(e.NotBefore), stamp(e.Now), e.NotBefore.Sub(e.Now).Round(time.Second))
	}
	return fmt.Sprintf("the coordinator's certificate ended %s, and this host's clock says %s: the clock is %s fast, or the coordinator did not renew its certificate",
		stamp(e.NotAfter), stamp(e.Now), e.Now.Sub(e.NotAfter).Round(time.Second))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Fingerprint returns the SHA-256 of cert, as it stands in a join token.
func Fingerprint(cert *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(cert.Raw) }

// ServerTLS returns the rules of the coordinator's listener: TLS 1.3, the
// certificate that current returns at each handshake, and a client certificate
// that is verified against authorities if there is one. One whose time is over
// is taken: all but a renewal must be refused by it ([Peer]). The chain of current
// must end in the authority itself, because an enrolling agent knows only its
// fingerprint. A nil pool would mean the host's own list, so it is a mistake.
func ServerTLS(current func() (*tls.Certificate, error), authorities *x509.CertPool) *tls.Config {
	if authorities == nil {
		authorities = x509.NewCertPool()
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current() },
		ClientAuth:     tls.RequestClientCert, // the check of TLS itself would refuse one whose time is over
		ClientCAs:      authorities,
		NextProtos:     []string{"h2"},
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 {
				return nil
			}
			return verifyClient(chain, authorities, time.Now())
		},
	}
}

// verifyClient checks that an authority made chain a client's, as of now or,
// where its time is over, of its end.
func verifyClient(chain [][]byte, authorities *x509.CertPool, now time.Time) error {
	certs := make([]*x509.Certificate, len(chain))
	between := x509.NewCertPool()
	for i, der := range chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if certs[i] = cert; i > 0 {
			between.AddCert(cert)
		}
	}
	if now.After(certs[0].NotAfter) {
		now = certs[0].NotAfter
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots: authorities, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// ClientTLS returns the rules of an enrolled agent: TLS 1.3, the certificate
// that current returns at each handshake, and a server that authority made a
// coordinator. The server's host name is not compared: the authority signs for
// nobody else. A handshake fails with *[AuthorityError] or *[ClockError].
func ClientTLS(current func() (*tls.Certificate, error), authority *x509.Certificate) *tls.Config {
	cfg := clientTLS(func(state tls.ConnectionState) error { return verify(state, authority, time.Now()) })
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return current() }
	return cfg
}

// EnrollTLS returns the rules of an agent that holds only a token: TLS 1.3 and a
// server that was made coordinator by an authority with this fingerprint, which
// the server shows in its chain. The time in the certificates is not looked at:
// the coordinator compares the clocks, and knows by how much they differ.
func EnrollTLS(fingerprint [sha256.Size]byte) *tls.Config {
	return clientTLS(func(state tls.ConnectionState) error {
		i := slices.IndexFunc(state.PeerCertificates, func(c *x509.Certificate) bool { return Fingerprint(c) == fingerprint })
		if i < 0 {
			return foreign(state, "its authority is not the one the join token names")
		}
		return verify(state, state.PeerCertificates[i], state.PeerCertificates[0].NotBefore)
	})
}

// clientTLS leaves the verification to check alone: the built-in one knows only
// host names and would hide whether the authority or the clock is wrong.
func clientTLS(check func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it, on every handshake.
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return &AuthorityError{Reason: "it showed no certificate"}
			}
			return check(state)
		},
		NextProtos: []string{"h2"},
	}
}

// verify checks that authority made the server a coordinator, as of now.
func verify(state tls.ConnectionState, authority *x509.Certificate, now time.Time) error {
	leaf := state.PeerCertificates[0]
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(authority)
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	opt := x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	_, err := leaf.Verify(opt)
	if late := (x509.CertificateInvalidError{}); errors.As(err, &late) && late.Reason == x509.Expired {
		opt.CurrentTime = leaf.NotBefore // is it ours but for the time?
		if _, err = leaf.Verify(opt); err == nil {
			return &ClockError{Now: now, NotBefore: late.Cert.NotBefore, NotAfter: late.Cert.NotAfter}
		}
	}
	if err != nil {
		return foreign(state, err.Error())
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != CoordinatorURI {
		return foreign(state, "its certificate is not a coordinator's")
	}
	return nil
}

func foreign(state tls.ConnectionState, reason string) error {
	return &AuthorityError{Issuer: state.PeerCertificates[0].Issuer.String(), Reason: reason}
}
