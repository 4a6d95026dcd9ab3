package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const (
	platform    = runtime.GOOS + "/" + runtime.GOARCH
	aliveAfter  = 10 * time.Second // of silence, the peer is asked
	aliveWait   = 10 * time.Second // for its answer
	streamBytes = 1 << 20          // flow-control window: fixed, so that memory is
	frameBytes  = 16 << 20         // largest frame taken
)

// A connection remembers why its handshakes failed, which gRPC gives as text only.
type connection struct {
	*grpc.ClientConn
	address   string
	handshake *handshake
	missed    *atomic.Pointer[error] // why there was no connection
}

func (l *Link) connect(ctx context.Context, address string) (net.Conn, error) {
	if l.Dial != nil {
		return l.Dial(ctx, address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func (l *Link) dial() (*connection, error) {
	conf, err := l.TLS()
	if err != nil {
		return nil, err
	}
	hs := &handshake{TransportCredentials: credentials.NewTLS(conf), failed: new(atomic.Pointer[error])}
	missed := new(atomic.Pointer[error])
	conn, err := grpc.NewClient("passthrough:///"+l.Address,
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := l.connect(ctx, address)
			if err != nil {
				missed.Store(&err)
			}
			return conn, err
		}),
		grpc.WithTransportCredentials(hs),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: aliveAfter, Timeout: aliveWait, PermitWithoutStream: true}),
		grpc.WithInitialWindowSize(streamBytes),
		grpc.WithInitialConnWindowSize(streamBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(frameBytes)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: greetWait}),
		grpc.WithDisableRetry(),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", l.Address, err)
	}
	return &connection{ClientConn: conn, address: l.Address, handshake: hs, missed: missed}, nil
}

// explain turns what gRPC says into an error that names the cause and the cure.
func (c *connection) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && (err == nil || status.Code(err) == codes.Canceled) {
		err = cause
	}
	if failed := c.handshake.failed.Load(); failed != nil && status.Code(err) == codes.Unavailable {
		return c.explainTLS(*failed)
	}
	if missed := c.missed.Load(); missed != nil && status.Code(err) == codes.Unavailable {
		return fmt.Errorf("connect to %s: %w", c.address, *missed)
	}
	if refusal := identity.RefusalOf(err); refusal != nil {
		return fmt.Errorf("%w: %w", ErrRefused, refusal)
	}
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%w: %s; if it was revoked or deleted there, make a join token and run `drawbridge-agent enroll` again",
			ErrRefused, status.Convert(err).Message())
	case codes.Unavailable:
		return fmt.Errorf("connect to %s: %s", c.address, status.Convert(err).Message())
	case codes.Unimplemented:
		return fmt.Errorf("%w: %s answers, but not as a coordinator: check the name and port in agent.yaml", ErrProtocol, c.address)
	}
	return err
}

// explainTLS adds what to do; the errors of proto/identity say what is wrong.
func (c *connection) explainTLS(err error) error {
	var foreign *identity.AuthorityError
	if errors.As(err, &foreign) {
		return fmt.Errorf("connect to %s: %w; if a proxy inspects TLS on the way, exempt this address, else check the address in agent.yaml", c.address, err)
	}
	return fmt.Errorf("connect to %s: %w", c.address, err)
}

// A handshake is TLS that keeps its last failure.
type handshake struct {
	credentials.TransportCredentials
	failed *atomic.Pointer[error]
}

func (h *handshake) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		h.failed.Store(&err)
	}
	return conn, info, err
}

func (h *handshake) Clone() credentials.TransportCredentials {
	return &handshake{TransportCredentials: h.TransportCredentials.Clone(), failed: h.failed}
}
