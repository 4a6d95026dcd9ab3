package connkit

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Serve serves the connector until the test ends and returns its client.
func Serve(t testing.TB, c sdk.Connector) connectorv1.ConnectorServiceClient {
	t.Helper()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	service := sdk.NewService(c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	listener, server := bufconn.Listen(sdk.Window), grpc.NewServer(sdk.ServerOptions()...)
	connectorv1.RegisterConnectorServiceServer(server, service)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///connector", append(sdk.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), service.Close()); err != nil {
			t.Errorf("close the connector: %v", err)
		}
		server.Stop()
		<-done
	})
	return connectorv1.NewConnectorServiceClient(conn)
}

// Open serves the connector and opens it with settings, which are marshalled
// as JSON, or taken as JSON if they are a string. The settings must serve.
func Open(t testing.TB, c sdk.Connector, settings any, secrets map[string]string) connectorv1.ConnectorServiceClient {
	t.Helper()
	client := Serve(t, c)
	if fault := OpenFault(t, client, settings, secrets); fault != nil {
		t.Fatalf("Open(%v) = fault %q; want none", settings, fault.GetCause())
	}
	return client
}

// OpenFault opens the system and returns the fault of its settings, if any.
func OpenFault(t testing.TB, client connectorv1.ConnectorServiceClient, settings any, secrets map[string]string) *connectorv1.Fault {
	t.Helper()
	text, isText := settings.(string)
	if !isText {
		b, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	response, err := client.Open(t.Context(), &connectorv1.OpenRequest{Settings: text, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetFault()
}

// A Reading is everything that a read gave.
type Reading struct {
	Objects []*connectorv1.Object // in the order they came
	Gone    []string
	Rejects []*connectorv1.Reject
	End     *connectorv1.ReadEnd
	Batches int // responses
}

// Read reads to the end.
func Read(t testing.TB, client connectorv1.ConnectorServiceClient, request *connectorv1.ReadRequest) Reading {
	t.Helper()
	stream, err := client.Read(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var r Reading
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if r.End == nil {
				t.Fatal("the read ended without an end")
			}
			return r
		}
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if r.End != nil {
			t.Fatal("a response came after the end")
		}
		r.Batches++
		for _, record := range response.GetRecords() {
			if record.GetDeleted() {
				r.Gone = append(r.Gone, record.GetId())
				continue
			}
			r.Objects = append(r.Objects, Object(t, record))
		}
		r.Rejects, r.End = append(r.Rejects, response.GetRejects()...), response.GetEnd()
	}
}

// Object decodes the object of a record.
func Object(t testing.TB, record *connectorv1.Record) *connectorv1.Object {
	t.Helper()
	o := &connectorv1.Object{}
	if err := proto.Unmarshal(record.GetObject(), o); err != nil {
		t.Fatalf("record %q holds no object: %v", record.GetId(), err)
	}
	if o.GetId() != record.GetId() {
		t.Errorf("record %q holds object %q", record.GetId(), o.GetId())
	}
	return o
}

// Apply carries out one operation on a stream of its own.
func Apply(t testing.TB, client connectorv1.ConnectorServiceClient, op *connectorv1.Operation) *connectorv1.ApplyResponse {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Apply(ctx)
	if err == nil {
		err = stream.Send(&connectorv1.ApplyRequest{Tag: 7, Operation: op})
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil || r.GetTag() != 7 {
		t.Fatalf("answer = %v, %v; want one of tag 7", r, err)
	}
	return r
}
