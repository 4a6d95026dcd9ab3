package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// drainCSV starts the csv connector as the agent would, reads everything from
// it and throws it away, and returns the objects per second.
func drainCSV(ctx context.Context, bin, path string, count int) (float64, error) {
	settings, err := json.Marshal(map[string]string{"path": path, "key": "employee_id", "delimiter": ";"})
	if err != nil {
		return 0, err
	}
	process := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.Plugins(), AutoMTLS: true,
		Cmd: exec.Command(filepath.Join(bin, "drawbridge-connectors"), "csv"), AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger: hclog.NewNullLogger(),
	})
	defer process.Kill()
	protocol, err := process.Client()
	if err != nil {
		return 0, err
	}
	raw, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return 0, err
	}
	connector := raw.(connectorv1.ConnectorServiceClient)
	if _, err := connector.Open(ctx, &connectorv1.OpenRequest{Settings: string(settings)}); err != nil {
		return 0, err
	}
	began := time.Now()
	stream, err := connector.Read(ctx, &connectorv1.ReadRequest{Classes: []string{"row"}, Attributes: hrColumns, Rows: true})
	if err != nil {
		return 0, err
	}
	n := 0
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		n += len(batch.GetRecords()) + len(batch.GetRows())
	}
	if n != count {
		return 0, fmt.Errorf("drained %d objects; want %d", n, count)
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// hrColumns are the columns that hrDocument uses.
var hrColumns = []string{"department", "employee_id", "first_name", "hire_date", "last_name", "location", "phone", "status", "term_date", "title"}
