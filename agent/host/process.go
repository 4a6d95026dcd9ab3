package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// killWait is how long the remains of a killed process are waited for.
const killWait = 5 * time.Second

// A Process is one running connector. It is safe for concurrent use.
type Process struct {
	host        *Host
	name        string
	client      *plugin.Client
	conn        *grpc.ClientConn
	rpc         connectorv1.ConnectorServiceClient
	description *connectorv1.DescribeResponse
	pid         int
	sockets     string

	life    context.Context // ends with the process; its cause says why
	lose    context.CancelCauseFunc
	ending  sync.Once // guards lose and the killing of the group: its number is good only then
	kill    sync.Once
	parted  chan struct{} // closed by Kill: the starting thread may go
	waiting atomic.Int64  // calls under way
	secrets sdk.Redactor  // that Open handed out: of its log and its faults
	applier applier
}

// spawn starts the process and connects to it.
func (h *Host) spawn(ctx context.Context, name string, exe Executable, pin []byte) (*Process, error) {
	cmd, sockets, err := h.command(exe, name)
	if err != nil {
		return nil, err
	}
	p := &Process{host: h, name: name, sockets: sockets, parted: make(chan struct{})}
	p.life, p.lose = context.WithCancelCause(context.Background())
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		Plugins:          sdk.Plugins(),
		Cmd:              cmd,
		SkipHostEnv:      true, // the command's is all
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SecureConfig:     &plugin.SecureConfig{Checksum: pin, Hash: sha256.New()},
		StartTimeout:     h.opt.StartWait,
		GRPCDialOptions:  append(sdk.DialOptions(), grpc.WithIdleTimeout(0)), // see watchConnection
		Logger:           newLogger(slog.New(p.secrets.Handler(h.log.Handler())), name),
	})
	connected := make(chan error, 1)
	go p.start(connected)
	select {
	case err = <-connected:
	case <-ctx.Done():
		err = context.Cause(ctx)
		go func() { <-connected; p.Kill() }() // the start ends by itself, at StartWait
		return nil, err
	}
	if err == nil {
		return p, nil
	}
	p.Kill()
	switch got, sumErr := "", error(nil); {
	case errors.Is(err, plugin.ErrChecksumsDoNotMatch):
		if got, sumErr = Sum(exe.Path); sumErr != nil {
			got = sumErr.Error()
		}
		return nil, &PinError{Path: exe.Path, Want: exe.SHA256, Got: got}
	case errors.Is(err, os.ErrPermission), errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w; check connectors in agent.yaml and that the agent may execute the file", err)
	}
	return nil, fmt.Errorf("%w while starting: %w", ErrLost, err)
}

// start runs on a thread that stays as long as the process, because Linux
// sends the parent-death signal when the thread that started it ends.
func (p *Process) start(connected chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.connect()
	connected <- err
	if err == nil {
		<-p.parted
	}
}

func (p *Process) connect() error {
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	p.pid, _ = strconv.Atoi(p.client.ID())
	if err := limit(p.pid, p.host.opt.Memory); err != nil { // before it was told anything
		return err
	}
	rpc, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return err
	}
	over, isGRPC := protocol.(*plugin.GRPCClient)
	service, isConnector := rpc.(connectorv1.ConnectorServiceClient)
	if !isGRPC || !isConnector {
		return fmt.Errorf("it serves a %T, no connector", rpc)
	}
	p.conn, p.rpc = over.Conn, service
	go p.watchdog()
	go p.watchConnection()
	return nil
}

// describe asks what the connector is, and refuses one of another name or contract.
func (p *Process) describe(ctx context.Context) error {
	d, err := call(ctx, p, p.host.opt.StartWait, func(ctx context.Context) (*connectorv1.DescribeResponse, error) {
		return p.rpc.Describe(ctx, &connectorv1.DescribeRequest{Protocol: Protocol})
	})
	switch {
	case err != nil:
		return err
	case d.GetProtocol() == 0 || d.GetProtocol() > Protocol:
		return fmt.Errorf("it speaks version %d of the contract, this agent up to %d: update the agent", d.GetProtocol(), Protocol)
	case d.GetName() != p.name:
		return fmt.Errorf("it calls itself %q: check serves in agent.yaml", d.GetName())
	}
	p.description = d
	return nil
}

// Description is what the connector says of itself. It is not to be changed.
func (p *Process) Description() *connectorv1.DescribeResponse { return p.description }

// PID is the process's number.
func (p *Process) PID() int { return p.pid }

// Can says whether the connector has a capability.
func (p *Process) Can(c connectorv1.Capability) bool {
	for _, has := range p.description.GetCapabilities() {
		if has == c {
			return true
		}
	}
	return false
}

// Done is closed when the process is lost or killed.
func (p *Process) Done() <-chan struct{} { return p.life.Done() }

// Err says why the process is lost; nil while it is not.
func (p *Process) Err() error {
	if p.life.Err() == nil {
		return nil
	}
	return context.Cause(p.life)
}

// Kill ends the process and everything it started. It must be called once the
// process is not needed or lost; it may be called again.
func (p *Process) Kill() {
	p.kill.Do(func() {
		p.end(fmt.Errorf("%w: killed", ErrLost)) // first, because go-plugin would wait for a frozen process
		cleaned := make(chan struct{})
		go func() {
			defer close(cleaned)
			p.client.Kill()
		}()
		timer := time.NewTimer(killWait)
		defer timer.Stop()
		select {
		case <-cleaned:
		case <-timer.C:
			p.host.log.Error("Killed connector left something running that keeps its output open", "connector", p.name, "pid", p.pid)
		}
		if p.conn != nil {
			p.conn.Close()
		}
		os.RemoveAll(p.sockets)
		close(p.parted)
	})
}

// watchConnection declares the process lost when its connection breaks, which
// the operating system sees to at once when it ends.
func (p *Process) watchConnection() {
	for state := p.conn.GetState(); ; state = p.conn.GetState() {
		if state == connectivity.TransientFailure || state == connectivity.Idle || state == connectivity.Shutdown {
			p.lost(errors.New("its connection broke"))
			return
		}
		if !p.conn.WaitForStateChange(p.life, state) {
			return
		}
	}
}

// watchdog declares the process lost when it gives no sign of life.
func (p *Process) watchdog() {
	every := p.host.opt.PingEvery
	tick := time.NewTicker(every)
	defer tick.Stop()
	health := grpc_health_v1.NewHealthClient(p.conn)
	for quiet := 0; ; quiet++ {
		select {
		case <-tick.C:
		case <-p.life.Done():
			return
		}
		if p.waiting.Load() == 0 && quiet%6 != 5 { // an idle one is asked seldom
			continue
		}
		ctx, cancel := context.WithTimeout(p.life, every)
		_, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
		cancel()
		if err != nil && p.life.Err() == nil {
			p.lost(fmt.Errorf("it gave no sign of life within %s: %w", every, err))
			return
		}
	}
}

// lost ends the process's life for a reason. The holder still has to kill it.
func (p *Process) lost(why error) {
	if p.end(fmt.Errorf("%w: %w", ErrLost, why)) {
		p.host.log.Warn("Connector lost", "connector", p.name, "pid", p.pid, "err", why)
	}
}

// end makes cause the end of the process and kills it with all it started, so
// that nothing of it writes to a system any more. It does so once: later the
// number of the process may be another's.
func (p *Process) end(cause error) (first bool) {
	p.ending.Do(func() {
		first = true
		p.lose(cause)
		pid, err := strconv.Atoi(p.client.ID())
		if err == nil {
			KillAll(pid)
		}
	})
	return first
}
