package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// What this program serves to a crowd of agents when it is told so by its environment.
const (
	serverKind   = "DRAWBRIDGE_BENCH_SERVER"
	serverDir    = "DRAWBRIDGE_BENCH_DIR"
	serverAgents = "DRAWBRIDGE_BENCH_AGENTS"

	productServer = "coordinator"
	bareServer    = "bare stream"
	acceptServer  = "bare accept"
)

// serveCrowd serves until standard input ends. It prints its address, and for
// each line that comes in its resident memory once that has settled.
func serveCrowd(kind string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	address, err := startKind(ctx, kind, os.Getenv(serverDir))
	if err != nil {
		return err
	}
	say := json.NewEncoder(os.Stdout)
	if err := say.Encode(address); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		time.Sleep(2 * time.Second) // what the last arrivals set going ends
		for range 6 {               // each time a stack is halved at most
			debug.FreeOSMemory()
		}
		resident, err := residentBytes()
		if err == nil {
			err = say.Encode(resident)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func startKind(ctx context.Context, kind, dir string) (string, error) {
	if kind == productServer {
		return startCoordinator(ctx, dir)
	}
	authority, err := enroll.OpenAuthority(filepath.Join(dir, "authority.pem"))
	if err != nil {
		return "", err
	}
	cfg := identity.ServerTLS(enroll.NewServer(authority, nil).Current, authority.Pool())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	if kind == acceptServer {
		go accept(listener, cfg)
	} else {
		go serveBare(listener, cfg)
	}
	return listener.Addr().String(), nil
}

// startCoordinator serves the whole product, whose store knows the crowd.
func startCoordinator(ctx context.Context, dir string) (string, error) {
	n, err := strconv.Atoi(os.Getenv(serverAgents))
	if err != nil {
		return "", err
	}
	st, err := store.Open(ctx, filepath.Join(dir, "coordinator.db"))
	if err != nil {
		return "", err
	}
	err = st.Write(ctx, func(tx *store.Tx) error {
		for i := range n {
			name := crowdName(i)
			if err := tx.AddAgent(store.Agent{Tenant: name.Tenant, ID: name.ID, Site: name.Site, Host: name.ID, Connectors: "[]", Generation: 1, Enrolled: tx.Now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, st.Close()); err != nil {
		return "", err
	}
	c, err := coordinator.New(ctx, coordinator.Options{Data: dir, Link: "127.0.0.1:0", API: "127.0.0.1:0", Tenant: "default", Version: "1.0.0"},
		slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	go func() { _ = c.Run(ctx) }()
	return c.Link().String(), nil
}

// bareLink holds a stream and does nothing.
type bareLink struct {
	linkv1.UnimplementedLinkServiceServer
}

func (bareLink) Connect(stream grpc.BidiStreamingServer[linkv1.ConnectRequest, linkv1.ConnectResponse]) error {
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		if frame.GetHello() == nil {
			continue
		}
		welcome := &linkv1.Welcome{Protocol: 1, Clock: timestamppb.Now(), Version: "1.0.0"}
		if err := stream.Send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Welcome{Welcome: welcome}}); err != nil {
			return err
		}
	}
}

// serveBare is gRPC tuned for many streams that are idle.
func serveBare(listener net.Listener, cfg *tls.Config) {
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(cfg)), grpc.ReadBufferSize(0), grpc.WriteBufferSize(16<<10),
		grpc.InitialWindowSize(64<<10), grpc.InitialConnWindowSize(64<<10), grpc.MaxConcurrentStreams(16),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}))
	linkv1.RegisterLinkServiceServer(s, bareLink{})
	_ = s.Serve(listener)
}

// accept shakes hands and sends a byte once the client's certificate is verified.
func accept(listener net.Listener, cfg *tls.Config) {
	for {
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			conn := tls.Server(raw, cfg)
			defer conn.Close()
			if conn.Handshake() == nil {
				_, _ = conn.Write([]byte{1})
				_, _ = conn.Read(make([]byte, 1)) // until it is cut
			}
		}()
	}
}

func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in /proc/self/status")
}
