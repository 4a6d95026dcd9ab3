// Package identity is who the agent is: its key, made on this host and never
// leaving it, and the certificate that the coordinator signed for it. It joins
// with a token, shows the certificate at every handshake, and renews it.
//
// The names and TLS rules that both ends share are proto/identity; the stream
// is agent/link; the authority is coordinator/enroll.
//
// In the folder identity of the data directory:
//
//	current.pem  key, certificate in use, and last the coordinator's authority, the
//	             only one trusted: in one file, so that they change together
//	next.pem     the same, given and not yet tried
//
//	no identity ── Enroll ──► current
//	current ── 2/3 of its life over ── Renew ──► current + next
//	current + next ── the coordinator took a connection with next ──► next is current
//	current + next ── it refused it ──► current, and Renew again later
//
// So the certificate that works is kept until another has been seen to work,
// and a join that fails changes nothing. A file is replaced whole: a crash
// leaves the old one or the new one.
//
// What may go wrong: the server is not ours (*identity.AuthorityError), a clock
// is wrong (*identity.ClockError, or a *identity.Refusal with reason ClockOff),
// the token does not serve (*identity.Refusal), no coordinator answers
// ([ErrUnreachable]), a file is damaged ([ErrDamaged]: left as it is).
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/identity"
)

// Errors to test for with [errors.Is].
var (
	ErrNotEnrolled = errors.New("this host has not joined: run `drawbridge-agent enroll` with a join token")
	ErrEnrolled    = errors.New("this host has joined already")
	ErrDamaged     = errors.New("identity damaged")
	ErrUnreachable = errors.New("coordinator not reached")
)

const (
	currentFile = "current.pem"
	nextFile    = "next.pem"
)

// An Identity is an agent that has joined. It is safe for concurrent use.
type Identity struct {
	dir       string
	agent     identity.Agent
	authority *x509.Certificate

	mu      sync.Mutex
	current *tls.Certificate
}

// Load reads the identity kept under the data directory. It returns
// [ErrNotEnrolled] if there is none and [ErrDamaged] if it cannot be used.
func Load(data string) (*Identity, error) {
	i := &Identity{dir: filepath.Join(data, "identity")}
	cert, authority, err := i.read(currentFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, err
	}
	i.current, i.authority = cert, authority
	i.agent, err = identity.OfCertificate(cert.Leaf)
	return i, err
}

// read loads a key with its certificate and the authority that signed it.
func (i *Identity) read(name string) (*tls.Certificate, *x509.Certificate, error) {
	path := filepath.Join(i.dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("load identity: %w", err)
	}
	bad := func(err error) (*tls.Certificate, *x509.Certificate, error) {
		return nil, nil, fmt.Errorf("%w: %s: %w: put it back from a backup, or enrol again", ErrDamaged, path, err)
	}
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		return bad(err)
	}
	last := len(cert.Certificate) - 1
	if last == 0 {
		return bad(errors.New("it does not hold the authority"))
	}
	authority, err := x509.ParseCertificate(cert.Certificate[last])
	if err != nil {
		return bad(err)
	}
	cert.Certificate = cert.Certificate[:last]
	if err := check(&cert, authority); err != nil {
		return bad(err)
	}
	return &cert, authority, nil
}

// check says whether authority made cert an agent's, at whatever time.
func check(cert *tls.Certificate, authority *x509.Certificate) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(authority)
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: cert.Leaf.NotBefore.Add(time.Second),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	_, err = identity.OfCertificate(cert.Leaf)
	return err
}

// Agent returns the name by which the coordinator knows this agent.
func (i *Identity) Agent() identity.Agent { return i.agent }

// Authority returns the only authority that is trusted.
func (i *Identity) Authority() *x509.Certificate { return i.authority }

// Certificate returns the certificate in use.
func (i *Identity) Certificate() *x509.Certificate {
	cert, _ := i.get()
	return cert.Leaf
}

// TLS returns the rules for connections to the coordinator. They show the
// certificate that is in use at the time of each handshake.
func (i *Identity) TLS() *tls.Config { return identity.ClientTLS(i.get, i.authority) }

func (i *Identity) get() (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current, nil
}

// promote makes next the certificate in use.
func (i *Identity) promote(next *tls.Certificate) error {
	if err := os.Rename(filepath.Join(i.dir, nextFile), filepath.Join(i.dir, currentFile)); err != nil {
		return err
	}
	i.mu.Lock()
	i.current = next
	i.mu.Unlock()
	return durable.SyncDir(i.dir)
}
