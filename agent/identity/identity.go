// Package identity is who the agent is: its key, made on this host and never
// leaving it, and the certificate that the coordinator signed for it. It joins
// with a token, shows the certificate at every handshake, and renews it.
//
// The names and TLS rules that both ends share are proto/identity; the stream
// is agent/link; the authority is coordinator/enroll.
//
// In the folder identity of the data directory:
//
//	current.pem   key (or what the TPM makes one of), certificate in use, and last the coordinator's authority, the
//	              only one trusted: in one file, so that they change together
//	asked.pem     a key that a certificate is asked for, and why if an admin must approve
//	next.pem      as current.pem, given and not yet tried
//	counter.json  how often this agent has connected
//	fresh         it was attested anew and has not started since
//
//	no identity ── Enroll ──► current
//	current ── 2/3 of its life over ── Renew ──► current + asked
//	current + asked ── signed ──► current + next
//	current + next ── the coordinator took a connection with next ──► next is current
//	current + next ── it refused it ──► current, and Renew again later
//
// Where the coordinator cannot just believe the agent, because it was away for
// longer than the grace after its certificate, or is a clone or a restored
// snapshot of the host, the same way is gone, and an admin must approve the key
// asked for (drawbridge agent approve). Then the agent starts anew, with a new
// journal: what it remembers is of another life.
//
// The key is in the file, which only the account of the service may read: on
// Windows the ACL of the data folder sees to that, elsewhere the mode. Who may
// read it may be the agent, until the counter of connections gives the copy
// away. Or, on Linux and if asked for, it is in the TPM (identity/tpm): then a
// copy is of no use elsewhere. Windows' key store (CNG) is not used.
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
	"crypto/rand"
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
	Dial Dial // Optional. To the coordinator, directly if nil; to be set before use

	dir       string
	agent     identity.Agent
	authority *x509.Certificate

	instance string        // random, of this process
	wake     chan struct{} // holds one: Run is to look at once

	mu       sync.Mutex
	current  *tls.Certificate
	sessions tls.ClientSessionCache // of current
	mark     *mark
}

// newIdentity returns one without a certificate.
func newIdentity(dir string, authority *x509.Certificate) *Identity {
	return &Identity{dir: dir, authority: authority, instance: rand.Text(), wake: make(chan struct{}, 1)}
}

// use makes cert the one in use. A session of one before it is not resumed.
func (i *Identity) use(cert *tls.Certificate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current, i.sessions = cert, tls.NewLRUClientSessionCache(2)
}

// Load reads the identity kept under the data directory. It returns
// [ErrNotEnrolled] if there is none and [ErrDamaged] if it cannot be used.
func Load(data string) (*Identity, error) {
	i := newIdentity(filepath.Join(data, "identity"), nil)
	cert, authority, err := i.read(currentFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, err
	}
	i.authority = authority
	i.use(cert)
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
	cert, err := decode(text)
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
	if err := check(cert, authority); err != nil {
		return bad(err)
	}
	return cert, authority, nil
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

// Device is the TPM that holds the key; empty where it is in a file.
func (i *Identity) Device() string {
	cert, _ := i.get()
	return deviceOf(cert.PrivateKey)
}

// Authority returns the only authority that is trusted.
func (i *Identity) Authority() *x509.Certificate { return i.authority }

// Certificate returns the certificate in use.
func (i *Identity) Certificate() *x509.Certificate {
	cert, _ := i.get()
	return cert.Leaf
}

// TLS returns the rules for connections to the coordinator. They show the
// certificate that is in use at the time of each handshake.
func (i *Identity) TLS() *tls.Config {
	cfg := identity.ClientTLS(i.get, i.authority)
	i.mu.Lock()
	defer i.mu.Unlock()
	cfg.ClientSessionCache = i.sessions
	return cfg
}

func (i *Identity) get() (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current, nil
}

// promote makes next the certificate in use. It returns [ErrAttested] if by
// that the agent was attested anew.
func (i *Identity) promote(next *tls.Certificate) error {
	generation := identity.Generation(next.Leaf)
	fresh := generation > identity.Generation(i.Certificate())
	if fresh {
		if err := durable.ReplaceFile(filepath.Join(i.dir, freshFile), fmt.Appendln(nil, generation)); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(i.dir, nextFile), filepath.Join(i.dir, currentFile)); err != nil {
		return err
	}
	i.use(next)
	if err := durable.SyncDir(i.dir); err != nil {
		return err
	}
	if fresh {
		return ErrAttested
	}
	return nil
}
