package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/identity"
)

const (
	authorityLife = 20 * 365 * 24 * time.Hour
	serverLife    = 90 * 24 * time.Hour
)

// ErrAuthority says that the authority's file is there but does not serve. It
// is never replaced: every agent trusts what is in it. Test with [errors.Is].
var ErrAuthority = errors.New("authority unreadable")

// An Authority signs the certificates of one coordinator and its agents. It is safe for concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// OpenAuthority reads the authority from the file at path, or makes one, with
// its key, in a new file that only its owner can read. A file that is there but
// does not serve is left alone: then the error is [ErrAuthority].
func OpenAuthority(path string) (*Authority, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeAuthority(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
	}
	a, err := parseAuthority(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w: restore the file from a backup; without it every agent must enrol anew", ErrAuthority, path, err)
	}
	return a, nil
}

func parseAuthority(text []byte) (*Authority, error) {
	a := &Authority{}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		switch block.Type {
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			a.cert = cert
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			signer, ok := key.(crypto.Signer)
			if !ok {
				return nil, fmt.Errorf("its key is a %T, which cannot sign", key)
			}
			a.key = signer
		}
	}
	switch {
	case a.cert == nil:
		return nil, errors.New("it holds no certificate")
	case a.key == nil:
		return nil, errors.New("it holds no private key")
	}
	if pub, ok := a.key.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(a.cert.PublicKey) {
		return nil, errors.New("its key is not the certificate's")
	}
	return a, nil
}

func makeAuthority(path string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: "Drawbridge authority"},
		NotBefore:    now.Add(-identity.MaxSkew),
		NotAfter:     now.Add(authorityLife),
		IsCA:         true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := create(path, text); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return &Authority{cert: cert, key: key}, nil
}

// create makes a file that is either whole and on the disk or not there, readable by its owner only.
func create(path string, content []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if d, err := os.Open(dir); err == nil { // where a directory can be synced
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// Certificate returns the authority's own certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Pool returns the authority as the only one to trust.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// SignAgent signs a certificate by which the holder of pub's key is the agent,
// attested generation times, for as long as life; one below 0 is over already.
func (a *Authority) SignAgent(pub crypto.PublicKey, agent identity.Agent, generation uint64, life time.Duration) (*x509.Certificate, error) {
	if err := agent.Validate(); err != nil {
		return nil, err
	}
	template := a.template(agent.ID, life, x509.ExtKeyUsageClientAuth)
	template.URIs = append(template.URIs, agent.URI())
	template.Subject.SerialNumber = strconv.FormatUint(generation, 10)
	return a.sign(template, pub)
}

func (a *Authority) template(name string, life time.Duration, usage x509.ExtKeyUsage) *x509.Certificate {
	now := time.Now().UTC()
	return &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(min(life, 0) - early(life)),
		NotAfter:     now.Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
}

// early is how long before it is made a certificate begins, for clocks that are
// slow. Of a short one it is little: it is renewed by the share of its life that
// is over.
func early(life time.Duration) time.Duration {
	if life > 0 {
		return min(identity.MaxSkew, life/4)
	}
	return identity.MaxSkew
}

func (a *Authority) sign(template *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, pub, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newSerial returns a positive serial number of 127 random bits.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

// A Server holds the coordinator's own certificate and renews it in time. It is safe for concurrent use.
type Server struct {
	authority *Authority
	names     []string

	mu   sync.Mutex
	cert *tls.Certificate
}

// NewServer returns the certificate of a coordinator that is reached under the
// given host names and addresses; localhost is always among them.
func NewServer(authority *Authority, names []string) *Server {
	all := append(slices.Clone(names), "localhost", "127.0.0.1", "::1")
	slices.Sort(all)
	return &Server{authority: authority, names: slices.Compact(all)}
}

// Current returns the certificate to show, with the authority at the end of its
// chain. It is made anew, with a new key, when a third of its life is left.
func (s *Server) Current() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert != nil && time.Until(s.cert.Leaf.NotAfter) > serverLife/3 {
		return s.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := s.authority.template("Drawbridge coordinator", serverLife, x509.ExtKeyUsageServerAuth)
	template.URIs = append(template.URIs, identity.Coordinator())
	for _, name := range s.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf, err := s.authority.sign(template, key.Public())
	if err != nil {
		return nil, err
	}
	s.cert = &tls.Certificate{Certificate: [][]byte{leaf.Raw, s.authority.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return s.cert, nil
}
