package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	crowdSize = 10_000
	arriving  = 256 // connections made at a time
)

// agentsIdle compares the resident memory of a coordinator with 10,000 agents
// that have nothing to do, each alone at its site, per agent, with a bare gRPC server that holds one
// stream for each, with buffers as small as they may be; both by mutual TLS
// and after their memory has settled. Then it cuts all connections at once and
// compares the time until the last agent is let in again with the time in
// which a bare listener makes as many full mutual-TLS handshakes.
func agentsIdle(ctx context.Context, b *bench) ([]Figure, error) {
	crowd, err := newCrowd(b.dir, b.count(crowdSize))
	if err != nil {
		return nil, err
	}
	memory, back := map[string]float64{}, map[string]time.Duration{}
	for _, kind := range []string{bareServer, productServer} {
		if memory[kind], back[kind], err = crowd.visit(ctx, kind); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		b.log("%s: %.1f kB an agent, all back in %s", kind, memory[kind]/1024, back[kind].Round(time.Millisecond))
	}
	if _, back[acceptServer], err = crowd.visit(ctx, acceptServer); err != nil {
		return nil, err
	}
	return []Figure{
		against("agents_idle", memory[productServer]/1024, "kB/agent", memory[bareServer]/1024),
		against("reconnect_storm", back[productServer].Seconds(), "s", back[acceptServer].Seconds()),
		against("reconnect_storm_bare_stream", back[bareServer].Seconds(), "s", back[acceptServer].Seconds()),
	}, nil
}

// A crowd is many agents, each with a certificate and sessions of its own.
type crowd struct {
	dir       string
	authority *enroll.Authority
	agents    []*crowdAgent
}

type crowdAgent struct {
	cert     *tls.Certificate
	sessions tls.ClientSessionCache // as agent/identity keeps them
	counter  uint64
	raw      net.Conn
	conn     *grpc.ClientConn
}

func newCrowd(dir string, n int) (*crowd, error) {
	authority, err := enroll.OpenAuthority(filepath.Join(dir, "authority.pem"))
	if err != nil {
		return nil, err
	}
	c := &crowd{dir: dir, authority: authority}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	for i := range n {
		leaf, err := authority.SignAgent(key.Public(), crowdName(i), 1, 24*time.Hour)
		if err != nil {
			return nil, err
		}
		c.agents = append(c.agents, &crowdAgent{cert: &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}})
	}
	return c, nil
}

func crowdName(i int) identity.Agent {
	return identity.Agent{Tenant: "default", Site: "site-" + strconv.Itoa(i), ID: "agent-" + strconv.Itoa(i)}
}

// visit has the crowd connect to a server of a kind, measures the server's
// memory for each, cuts all, and measures how long they take to be back.
func (c *crowd) visit(ctx context.Context, kind string) (memory float64, back time.Duration, err error) {
	s, err := startServer(ctx, kind, c.dir, len(c.agents))
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	before, err := s.settle()
	if err != nil {
		return 0, 0, err
	}
	for _, a := range c.agents {
		a.sessions = tls.NewLRUClientSessionCache(2)
	}
	arrive := c.join
	if kind == acceptServer {
		arrive = c.shake
	}
	if kind != acceptServer {
		if err := arrive(ctx, s.address); err != nil {
			return 0, 0, err
		}
		after, err := s.settle()
		if err != nil {
			return 0, 0, err
		}
		memory = float64(after-before) / float64(len(c.agents))
		c.cut()
	}
	began := time.Now()
	if err := arrive(ctx, s.address); err != nil {
		return 0, 0, err
	}
	back = time.Since(began)
	c.cut()
	return memory, back, nil
}

// each does something for every agent, many at a time.
func (c *crowd) each(ctx context.Context, do func(context.Context, *crowdAgent) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(arriving)
	for _, a := range c.agents {
		group.Go(func() error { return do(ctx, a) })
	}
	return group.Wait()
}

// shake only shakes hands.
func (c *crowd) shake(ctx context.Context, address string) error {
	return c.each(ctx, func(ctx context.Context, a *crowdAgent) error {
		raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		a.raw = raw
		conn := tls.Client(raw, a.tls(c.authority, false))
		_, err = io.ReadFull(conn, make([]byte, 1)) // the server has verified the certificate
		return err
	})
}

// join says Hello and waits for Welcome.
func (c *crowd) join(ctx context.Context, address string) error {
	return c.each(ctx, func(ctx context.Context, a *crowdAgent) error { return c.welcome(ctx, a, address) })
}

func (c *crowd) welcome(ctx context.Context, a *crowdAgent, address string) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(a.tls(c.authority, true))),
		grpc.WithReadBufferSize(4<<10), grpc.WithWriteBufferSize(4<<10),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 60 * time.Second, Timeout: 30 * time.Second}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			a.raw = raw
			return raw, err
		}))
	if err != nil {
		return err
	}
	a.conn = conn
	stream, err := linkv1.NewLinkServiceClient(conn).Connect(context.Background())
	if err != nil {
		return err
	}
	a.counter++
	if err := stream.Send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{
		Protocol: 1, Version: "1.0.0", Host: a.cert.Leaf.Subject.CommonName, Platform: "linux/amd64", Spool: "s", Window: 4096,
		Clock: timestamppb.Now(), Counter: a.counter, Attempt: strconv.FormatUint(a.counter, 10), Instance: "p",
	}}}); err != nil {
		return err
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		if frame.GetWelcome() != nil {
			go func() { // what follows is read, as an agent does
				for err == nil {
					_, err = stream.Recv()
				}
			}()
			return nil
		}
		if d := frame.GetDepart(); d != nil { // the coordinator sheds load: an agent comes when it is told
			a.conn.Close()
			timer := time.NewTimer(d.GetComeBackAfter().AsDuration())
			select {
			case <-timer.C:
				return c.welcome(ctx, a, address)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

func (a *crowdAgent) tls(authority *enroll.Authority, resume bool) *tls.Config {
	cfg := identity.ClientTLS(func() (*tls.Certificate, error) { return a.cert, nil }, authority.Certificate())
	if resume {
		cfg.ClientSessionCache = a.sessions
	}
	return cfg
}

// cut breaks all connections at once.
func (c *crowd) cut() {
	var all sync.WaitGroup
	for _, a := range c.agents {
		all.Go(func() {
			if a.raw != nil {
				a.raw.Close()
			}
			if a.conn != nil {
				a.conn.Close()
			}
			a.raw, a.conn = nil, nil
		})
	}
	all.Wait()
}

// A server is a process of this program that serves a crowd.
type server struct {
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startServer(ctx context.Context, kind, dir string, agents int) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.CommandContext(ctx, self)}
	s.cmd.Env = append(os.Environ(), serverKind+"="+kind, serverDir+"="+dir, serverAgents+"="+strconv.Itoa(agents))
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := s.out.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &s.address)
	}
	return s, err
}

// settle has the server give back the memory that it does not need, and returns what it keeps.
func (s *server) settle() (resident int64, err error) {
	if _, err := fmt.Fprintln(s.in, "settle"); err != nil {
		return 0, err
	}
	line, err := s.out.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &resident)
	}
	return resident, err
}

func (s *server) stop() {
	s.in.Close()
	_ = s.cmd.Wait()
}
