package identity

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Dial connects to host:port, by whatever way leads there.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// directly is the way if no other is given.
func directly(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// An Enrollment is what joining needs. All fields but Again, Dial and TPM are required.
type Enrollment struct {
	Token   identity.Token
	Address string // host:port of the coordinator
	Data    string // data directory of the agent
	Host    string // name of this host, for people
	Version string // of the agent
	Again   bool   // replace an identity that is there
	Dial    Dial   // to the coordinator; nil means directly
	TPM     string // device of the TPM that the key shall be in; empty for a file
}

// Enroll makes a key, has the coordinator sign a certificate for it against the
// token, and stores both. A failure leaves an identity that is there as it is;
// one that is there and works is replaced only if Again is set: otherwise the
// error is [ErrEnrolled], and the token stays unused.
func Enroll(ctx context.Context, e Enrollment) (*Identity, error) {
	dir := filepath.Join(e.Data, "identity")
	switch _, err := os.Stat(filepath.Join(dir, currentFile)); {
	case err == nil && !e.Again:
		return nil, fmt.Errorf("%w: to join anew, remove %s or say so", ErrEnrolled, dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, csr, err := newKey(e.TPM)
	if err != nil {
		return nil, err
	}
	answer, err := join(ctx, e, csr)
	if err != nil {
		return nil, fmt.Errorf("join coordinator %s: %w", e.Address, err)
	}
	i, text, err := accept(dir, e.Token, key, answer)
	if err != nil {
		return nil, fmt.Errorf("join coordinator %s: its answer cannot be used: %w", e.Address, err)
	}
	if err := errors.Join(i.dropNext(), i.dropAsked()); err != nil {
		return nil, err
	}
	return i, durable.ReplaceFile(filepath.Join(dir, currentFile), text)
}

// join sends the token, to the coordinator that it names and no other.
func join(ctx context.Context, e Enrollment, csr []byte) (*linkv1.EnrollResponse, error) {
	conn, err := dial(e.Dial, e.Address, identity.EnrollTLS(e.Token.Fingerprint()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer, err := linkv1.NewEnrollmentServiceClient(conn).Enroll(ctx, &linkv1.EnrollRequest{
		Token: e.Token.Reveal(), Csr: csr, Host: e.Host, Version: e.Version, Clock: timestamppb.Now(),
	})
	return answer, conn.explain(err)
}

// accept checks the answer, as it will be trusted from now on, and returns what to store of it.
func accept(dir string, token identity.Token, key crypto.Signer, answer *linkv1.EnrollResponse) (*Identity, []byte, error) {
	authority, err := x509.ParseCertificate(answer.GetAuthority())
	if err != nil {
		return nil, nil, fmt.Errorf("authority: %w", err)
	}
	if identity.Fingerprint(authority) != token.Fingerprint() {
		return nil, nil, errors.New("its authority is not the one the join token names")
	}
	i := newIdentity(dir, authority)
	cert, err := signed(key, answer.GetChain(), authority)
	if err != nil {
		return nil, nil, err
	}
	i.use(cert)
	if i.agent, err = identity.OfCertificate(cert.Leaf); err != nil {
		return nil, nil, err
	}
	text, err := encode(key, answer.GetChain(), authority.Raw)
	return i, text, err
}

// signed returns the chain that authority gave for key.
func signed(key crypto.Signer, chain [][]byte, authority *x509.Certificate) (*tls.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("it gave no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if err := fits(key, leaf); err != nil {
		return nil, err
	}
	cert := &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}
	return cert, check(cert, authority)
}

// encode returns the text of a file with a key, its certificates and the authority.
func encode(key crypto.Signer, chain [][]byte, authority []byte) ([]byte, error) {
	block, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	for _, c := range append(slices.Clone(chain), authority) {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return text, nil
}

// callTimeout bounds a call and the connection it needs.
const callTimeout = 30 * time.Second

// A connection is gRPC's, which makes text of what went wrong in a handshake; this one keeps the error.
type connection struct {
	*grpc.ClientConn
	address string
	refused *atomic.Pointer[error] // by this end, in the handshake
	missed  *atomic.Pointer[error] // no connection
}

func dial(by Dial, address string, cfg *tls.Config) (connection, error) {
	var refused, missed atomic.Pointer[error]
	if by == nil {
		by = directly
	}
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		err := verify(state)
		if err != nil {
			refused.Store(&err)
		}
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := by(ctx, address)
			if err != nil {
				missed.Store(&err)
			}
			return conn, err
		}))
	if err != nil {
		return connection{}, fmt.Errorf("coordinator's address %q: %w", address, err)
	}
	return connection{conn, address, &refused, &missed}, nil
}

// explain returns what a person can act on of a call's error.
func (c connection) explain(err error) error {
	if err == nil {
		return nil
	}
	if refusal := identity.RefusalOf(err); refusal != nil {
		return refusal
	}
	if p := c.refused.Load(); p != nil {
		return *p
	}
	if p := c.missed.Load(); p != nil {
		return fmt.Errorf("%w: %w: check the address, DNS, and that the firewall lets out TCP to %s", ErrUnreachable, *p, c.address)
	}
	if s := status.Convert(err); s.Code() == codes.Unavailable || s.Code() == codes.DeadlineExceeded {
		return fmt.Errorf("%w: %s: check the address, DNS, and that the firewall lets out TCP to %s", ErrUnreachable, s.Message(), c.address)
	}
	return err
}
