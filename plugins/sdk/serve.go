package sdk

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/drawbridge-id/drawbridge/proto/heap"
)

// How long a connector without an agent waits before it ends: for the first
// connection, and for another when the last one is gone.
const (
	waitForAgent = time.Minute
	waitAfter    = 2 * time.Second
)

// Serve is the main function of an executable that holds these connectors: it
// serves the one that the first argument names until the agent ends it. It
// ends the process, also when the agent is gone: the connection, which the
// operating system closes with the agent, is its sign of life on every
// platform. Started by a person, it prints what it holds.
func Serve(connectors ...Connector) {
	shake := Handshake()
	if os.Getenv(shake.MagicCookieKey) != shake.MagicCookieValue {
		os.Exit(Usage(os.Stdout, os.Stderr, os.Args, connectors))
	}
	log := newLogger(os.Stderr) // before plugin.Serve puts a pipe in its place
	c, err := choose(os.Args, connectors)
	if err != nil {
		log.Error("Connector cannot be served", "err", err)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	heap.FitBuffers()
	if os.Getenv("GOGC") == "" {
		heap.LeaveSmall(8<<20, 50)
		go heap.GiveIdle(heap.IdleLook)
	}
	service := NewService(c, log)
	alive := &lifeline{end: func(why string) {
		log.Warn("Agent is gone, connector ends", "connector", c.Name, "reason", why)
		os.Exit(0)
	}}
	alive.wait(waitForAgent, "no agent connected")
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: shake,
		Plugins:         plugin.PluginSet{PluginName: &Plugin{Service: service}},
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			options = append(options, ServerOptions()...)
			return grpc.NewServer(append(options, grpc.StatsHandler(alive))...)
		},
	})
	if err := service.Close(); err != nil {
		log.Warn("System closed with an error", "connector", c.Name, "err", err)
	}
	os.Exit(0)
}

// choose returns the connector that the arguments name.
func choose(args []string, connectors []Connector) (Connector, error) {
	name := ""
	if len(args) > 1 {
		name = args[1]
	}
	var names []string
	for _, c := range connectors {
		if c.Name == name {
			return c, c.Check()
		}
		names = append(names, c.Name)
	}
	return Connector{}, fmt.Errorf("%s holds no connector %q; it holds %q", cmp.Or(args[0], "this executable"), name, names)
}

// Usage prints for a person which connectors there are and how they are used,
// or the settings of the one that args names. It returns the exit status.
func Usage(stdout, stderr io.Writer, args []string, connectors []Connector) int {
	if len(args) > 1 && args[1] != "-h" && args[1] != "--help" && args[1] != "help" {
		c, err := choose(args, connectors)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
		fmt.Fprintf(stdout, "%s %s: %s\n\nIts settings:\n%s\n", c.Name, c.Version, c.Summary, c.SettingsSchema())
		return 0
	}
	fmt.Fprint(stdout, "Connectors for a Drawbridge agent. The agent starts them; nobody else needs to.\n\n")
	for _, c := range connectors {
		fmt.Fprintf(stdout, "  %-18s %-8s %s\n", c.Name, c.Version, c.Summary)
	}
	fmt.Fprintf(stdout, `
To use them, name this executable, its SHA-256 and the connectors in agent.yaml:

  connectors:
    - path: %s
      sha256: (sha256sum prints it)
      serves: [%s]

To see the settings of one: %s NAME
`, args[0], joinNames(connectors), args[0])
	return 0
}

func joinNames(connectors []Connector) (names string) {
	for i, c := range connectors {
		if i > 0 {
			names += ", "
		}
		names += c.Name
	}
	return names
}

// A lifeline ends the process some time after the last connection is gone. It
// is the stats handler of the server.
type lifeline struct {
	end func(why string)

	mu          sync.Mutex
	connections int
	timer       *time.Timer
}

// wait ends the process after d, unless a connection comes.
func (l *lifeline) wait(d time.Duration, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.connections == 0 {
			l.end(why)
		}
	})
}

// HandleConn counts connections.
func (l *lifeline) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.connections++
		l.timer.Stop()
	case *stats.ConnEnd:
		l.mu.Lock()
		l.connections--
		last := l.connections == 0
		l.mu.Unlock()
		if last {
			l.wait(waitAfter, "the connection ended")
		}
	}
}

// TagConn, TagRPC and HandleRPC have nothing to do.
func (l *lifeline) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (l *lifeline) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (l *lifeline) HandleRPC(context.Context, stats.RPCStats)                         {}
