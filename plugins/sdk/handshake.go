package sdk

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// PluginName is the name a host dispenses the service of [Plugins] by.
const PluginName = "connector"

// MaxMessage is the greatest message either end takes, in bytes. A batch of a
// read is some 256 KiB; only a Find of very large objects comes near it.
const MaxMessage = 16 << 20

// Window is how many bytes of a stream may be under way to the agent, which is
// also what a slow agent makes a connector wait at.
const Window = 1 << 20

// Handshake returns what agent and connector show each other so that an
// executable that is no connector is noticed at once. It is no security
// measure: the executable is pinned by its SHA-256 and the connection is
// mutual TLS. Its version is that of the way the two meet; the version of the
// contract is negotiated by Describe.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  1,
		MagicCookieKey:   "DRAWBRIDGE_CONNECTOR",
		MagicCookieValue: "b7d8b0c3-lower-the-bridge",
	}
}

// Plugins returns the plugin set of a host. What it dispenses as [PluginName]
// is a [connectorv1.ConnectorServiceClient].
func Plugins() plugin.PluginSet {
	return plugin.PluginSet{PluginName: &Plugin{}}
}

// DialOptions returns what a host dials a connector with, for the
// GRPCDialOptions of its plugin.ClientConfig: limits of messages and windows,
// and what fills a [Batch].
// The window must be set by the end that receives; with gRPC's own of 64 KiB
// a read is half as fast.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(newCodec()),
			grpc.MaxCallRecvMsgSize(MaxMessage),
			grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithInitialWindowSize(Window),
		grpc.WithInitialConnWindowSize(2 * Window),
	}
}

// ServerOptions returns the counterpart of [DialOptions], with which [Serve]
// serves; a test that serves a [Service] by itself needs them.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.InitialWindowSize(Window),
		grpc.InitialConnWindowSize(2 * Window),
	}
}

// A Plugin joins the service to go-plugin: Service is set in a connector and
// nil in a host.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Service connectorv1.ConnectorServiceServer
}

var _ plugin.GRPCPlugin = (*Plugin)(nil)

// GRPCServer registers the service in a connector.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if p.Service == nil {
		return errors.New("this end of the plugin has no service to serve")
	}
	connectorv1.RegisterConnectorServiceServer(s, p.Service)
	return nil
}

// GRPCClient returns the client of the service in a host.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return connectorv1.NewConnectorServiceClient(c), nil
}
