package fake

import (
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// What rogues and moody ones share: each stands between the agent and the
// service of the directory.

// serve serves it as the SDK serves a connector, until the agent ends it.
func serve(between connectorv1.ConnectorServiceServer) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(),
		Plugins:         plugin.PluginSet{sdk.PluginName: &sdk.Plugin{Service: between}},
		Logger:          hclog.NewNullLogger(),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, sdk.ServerOptions()...)...)
		},
	})
}

// asMessages gives the responses of a read to Send of what it holds: the SDK
// sends them by SendMsg, as they go over the wire.
type asMessages struct {
	connectorv1.ConnectorService_ReadServer
}

func (s asMessages) SendMsg(m any) error {
	f, ok := m.(interface {
		Response() (*connectorv1.ReadResponse, error)
	})
	if !ok {
		return s.ConnectorService_ReadServer.SendMsg(m)
	}
	b, err := f.Response()
	if err != nil {
		return err
	}
	return s.Send(b)
}
