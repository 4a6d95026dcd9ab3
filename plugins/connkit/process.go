package connkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A process is the connector's executable, running.
type process struct {
	connectorv1.ConnectorServiceClient
	plugin  *plugin.Client
	conn    *grpc.ClientConn
	pid     int
	sockets string
}

// start runs the executable and connects to it.
func (k *kit) start() (*process, error) {
	sockets, err := os.MkdirTemp("", "ck") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(k.Executable, k.Connector)
	cmd.Env = append(os.Environ(), "PLUGIN_UNIX_SOCKET_DIR="+sockets)
	p := &process{sockets: sockets, plugin: plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.Plugins(), Cmd: cmd, AutoMTLS: true, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, StartTimeout: 30 * time.Second,
		GRPCDialOptions: append(sdk.DialOptions(), grpc.WithChainUnaryInterceptor(k.watch.unary),
			grpc.WithChainStreamInterceptor(k.watch.stream)),
		Stderr: &k.watch.said, SyncStdout: &k.watch.said, SyncStderr: &k.watch.said,
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
	})}
	protocol, err := p.plugin.Client()
	var service any
	if err == nil {
		service, err = protocol.Dispense(sdk.PluginName)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("%s %s does not start as a connector: %w; it said: %s", k.Executable, k.Connector, err, k.watch.said.tail())
	}
	p.ConnectorServiceClient = service.(connectorv1.ConnectorServiceClient)
	p.conn = protocol.(*plugin.GRPCClient).Conn
	p.pid, err = strconv.Atoi(p.plugin.ID())
	return p, err
}

// open starts a process and opens the system in it, with settings in place of
// those of the same name.
func (k *kit) open(ctx context.Context, instead map[string]any) (*process, error) {
	p, err := k.start()
	if err != nil {
		return nil, err
	}
	if err := k.openIn(ctx, p, instead); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

func (k *kit) openIn(ctx context.Context, p *process, instead map[string]any) error {
	ctx, cancel := k.limit(ctx)
	defer cancel()
	r, err := p.Open(ctx, &connectorv1.OpenRequest{Settings: k.settings(instead), Secrets: k.Secrets})
	if err != nil {
		return fmt.Errorf("call Open: %w", err)
	}
	if f := r.GetFault(); f != nil {
		return fmt.Errorf("the settings of the test do not serve: %s; %s", f.GetCause(), f.GetNextStep())
	}
	return nil
}

// settings returns those of the test as JSON.
func (k *kit) settings(instead map[string]any) string {
	all := map[string]any{}
	for name, value := range k.Settings {
		all[name] = fill(value, k.marks)
	}
	for name, value := range instead {
		all[name] = fill(value, k.marks)
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err) // YAML with string keys, or what a test in Go wrote
	}
	return string(b)
}

// kill ends the process without a word, as a crash would.
func (p *process) kill() {
	if victim, err := os.FindProcess(p.pid); err == nil && p.pid > 0 {
		_ = victim.Kill() // gone already is as good
	}
	p.plugin.Kill()
	os.RemoveAll(p.sockets)
}

// A watch sees everything that the connector says, in answers and in its log.
type watch struct {
	said    recorder
	secrets map[string]string // value to name

	mu     sync.Mutex
	quiet  bool // nothing is looked at: a read of very many objects
	faults map[string]bool
	leaks  map[string]bool
}

func (w *watch) unary(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := call(ctx, method, request, reply, conn, opts...)
	w.look(method, reply, err)
	return err
}

func (w *watch) stream(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, d, conn, method, opts...)
	if err != nil {
		return nil, err
	}
	return &watchedStream{s, w, method}, nil
}

type watchedStream struct {
	grpc.ClientStream
	watch  *watch
	method string
}

func (s *watchedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.watch.look(s.method, m, err)
	return err
}

// look judges one answer.
func (w *watch) look(method string, reply any, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quiet {
		return
	}
	if err != nil {
		if !errors.Is(err, io.EOF) {
			w.leak("the error of "+method, []byte(err.Error()))
		}
		return
	}
	m, ok := reply.(proto.Message)
	if !ok {
		return
	}
	for _, f := range outcomes(m) {
		switch {
		case f.outcome == connectorv1.Outcome_OUTCOME_UNSPECIFIED || connectorv1.Outcome_name[int32(f.outcome)] == "":
			w.faults[fmt.Sprintf("%s: outcome %d is not in the contract", method, f.outcome)] = true
		case f.outcome == sdk.OutcomeDone && f.fault != nil:
			w.faults[fmt.Sprintf("%s: DONE comes with a fault (%s)", method, f.fault.GetCause())] = true
		case f.outcome != sdk.OutcomeDone && f.fault == nil:
			w.faults[fmt.Sprintf("%s: %v comes without a fault", method, f.outcome)] = true
		case f.fault != nil && (f.fault.GetCause() == "" || f.fault.GetNextStep() == ""):
			w.faults[fmt.Sprintf("%s: a fault has no cause or no next step: %v", method, f.fault)] = true
		}
	}
	if len(w.secrets) > 0 {
		if b, err := proto.Marshal(m); err == nil {
			w.leak("the answer of "+method, b)
		}
	}
}

func (w *watch) leak(where string, text []byte) {
	for value, name := range w.secrets {
		if len(value) >= 4 && bytes.Contains(text, []byte(value)) {
			w.leaks[fmt.Sprintf("secret %q is in %s", name, where)] = true
		}
	}
}

type verdictOf struct {
	outcome connectorv1.Outcome
	fault   *connectorv1.Fault
}

// outcomes returns what an answer says of how things went.
func outcomes(m proto.Message) (all []verdictOf) {
	switch m := m.(type) {
	case *connectorv1.OpenResponse:
		if m.GetFault() != nil {
			return []verdictOf{{sdk.OutcomeInvalid, m.GetFault()}}
		}
	case *connectorv1.SchemaResponse:
		if m.GetFault() != nil {
			return []verdictOf{{sdk.OutcomeUnavailable, m.GetFault()}}
		}
	case *connectorv1.ProbeResponse:
		for _, step := range m.GetSteps() {
			all = append(all, verdictOf{step.GetOutcome(), step.GetFault()})
		}
	case *connectorv1.ReadResponse:
		if end := m.GetEnd(); end != nil {
			return []verdictOf{{end.GetOutcome(), end.GetFault()}}
		}
	case *connectorv1.FindResponse:
		return []verdictOf{{m.GetOutcome(), m.GetFault()}}
	case *connectorv1.ApplyResponse:
		return []verdictOf{{m.GetOutcome(), m.GetFault()}}
	}
	return all
}

// A recorder keeps what was written, up to a limit.
type recorder struct {
	mu   sync.Mutex
	text []byte
}

const maxSaid = 32 << 20

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := maxSaid - len(r.text); room > 0 {
		r.text = append(r.text, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (r *recorder) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.text)
}

func (r *recorder) tail() string {
	b := bytes.TrimSpace(r.bytes())
	if len(b) == 0 {
		return "(nothing)"
	}
	return string(b[max(0, len(b)-400):])
}
