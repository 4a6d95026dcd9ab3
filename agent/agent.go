// Package agent puts an agent together: every part is built here, in the order
// of dependence, and stopped in the reverse one.
//
//	identity ─► link ◄─► spool ◄─► runner ─► guard ─► host ─► connectors
//	                                 └─► vault, snapshot
//
// What each part does is said in its own package. See README.md for the admin
// of a host, DESIGN.md for why it is so.
package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/custody"
	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/link"
	"github.com/drawbridge-id/drawbridge/agent/metrics"
	"github.com/drawbridge-id/drawbridge/agent/proxy"
	"github.com/drawbridge-id/drawbridge/agent/runner"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/tracing"
	"github.com/drawbridge-id/drawbridge/agent/update"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	protoidentity "github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// ErrRestart is what [Agent.Run] returns when the agent is to be made anew: an
// admin has let it in again, and it begins with an empty journal.
var ErrRestart = identity.ErrAttested

const (
	window    = 4096            // jobs held unfinished: enough for 100 ms of way there and back at tens of thousands a second
	flushWait = 2 * time.Second // for results of the last moment to be sent
)

// An Agent is one running agent.
type Agent struct {
	config   *config.Config
	version  string
	log      *slog.Logger
	identity *identity.Identity
	spool    *spool.Spool
	vault    *vault.Vault
	guard    *guard.Guard
	host     *host.Host
	runner   *runner.Runner
	link     *link.Link
	clock    *runner.Clock
	tracer   *tracing.Tracer  // nil where nothing is traced
	metrics  *metrics.Metrics // nil where nothing is counted
	started  time.Time

	mu    sync.Mutex
	up    bool
	since time.Time
	err   error // why the last connection ended

	digest *string             // of the guardrail last told; nil before
	rights map[string][]string // by system: what its account lacks, or has too much

	updater *update.Updater // nil where the agent does not update itself
}

// New opens everything the agent works with. version is SemVer. The caller
// must [Agent.Run] it, which closes it again. Errors: those of agent/identity
// and agent/spool, with what to do.
func New(c *config.Config, version string, log *slog.Logger) (*Agent, error) {
	if err := custody.Private(c.Data); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	a := &Agent{config: c, version: version, log: log, started: time.Now(), since: time.Now()}
	var err error
	if a.identity, err = identity.Load(c.Data); err != nil {
		return nil, err
	}
	if a.vault, err = vault.Open(c.Data); err != nil {
		return nil, err
	}
	a.identity.Dial = NewDialer(c, a.vault).Dial
	if err := a.identity.Fresh(func() error { return setAside(c.Data) }); err != nil {
		return nil, err
	}
	if a.spool, err = spool.Open(filepath.Join(c.Data, "spool.db"), spool.Options{}); err != nil {
		return nil, err
	}
	if d := a.spool.Damage(); d != nil {
		log.Error("Spool was damaged; it was set aside, the coordinator sends its jobs again, and everything is read again", "err", d, "kept", d.Kept)
		// What was read and not confirmed yet is lost with it, and a snapshot would hold it for sent.
		if err := os.RemoveAll(filepath.Join(c.Data, "snapshots")); err != nil {
			return nil, errors.Join(fmt.Errorf("forget what was read: %w", err), a.spool.Close())
		}
	}
	if a.guard, err = guard.Open(guard.Options{
		Policy: c.Guardrail.File, Key: c.Guardrail.Key, Data: c.Data, Log: log.With("part", "guard"), Changed: a.guarded,
	}); err != nil {
		return nil, errors.Join(err, a.spool.Close())
	}
	if a.host, err = NewHost(c, log); err != nil {
		return nil, errors.Join(err, a.guard.Close(), a.spool.Close())
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	a.clock = runner.NewClock(log.With("part", "clock"))
	a.link = &link.Link{
		Address: c.Coordinator,
		TLS:     func() (*tls.Config, error) { return a.identity.TLS(), nil },
		Version: version,
		Host:    name,
		Window:  window,
		Spool:   a.spool,
		Site:    site{a},
		Log:     log.With("part", "link"),
		Linked:  a.linked,
		Told:    a.clock.Set,
		Dial:    a.identity.Dial,
		Self:    a.identity,
	}
	if a.tracer, err = tracing.New(context.Background(), c.Traces, version, name); err != nil {
		return nil, errors.Join(err, a.guard.Close(), a.spool.Close())
	}
	if c.Metrics != "" {
		a.metrics = metrics.New(version, a.Status)
	}
	a.runner = &runner.Runner{
		Spool:       a.spool,
		Host:        a.host,
		Vault:       a.vault,
		Folders:     c.Folders,
		Snapshots:   filepath.Join(c.Data, "snapshots"),
		Concurrency: c.Concurrency,
		Guard:       a.guard,
		Report:      a.link,
		Clock:       a.clock,
		Trace:       a.tracer.Job,
		Parent:      tracing.Parent,
		Ended:       a.metrics.Ended,
		Log:         log.With("part", "runner"),
	}
	return a, nil
}

// NewDialer returns the way to the coordinator.
func NewDialer(c *config.Config, v *vault.Vault) *proxy.Dialer {
	return &proxy.Dialer{URL: c.Proxy.URL, Credentials: func() (proxy.Credentials, error) {
		if c.Proxy.User == "" {
			return proxy.Credentials{}, nil
		}
		password, err := v.Get(ProxySecret, "password", ProxyAnchors(c))
		return proxy.Credentials{User: c.Proxy.User, Password: password}, err
	}}
}

// ProxySecret is the system under which the vault keeps the password of the
// proxy: no real one can have this name.
const ProxySecret = ".proxy"

// ProxyAnchors is what the password of the proxy is bound to.
func ProxyAnchors(c *config.Config) vault.Anchors {
	return vault.Anchors{"url": c.Proxy.URL, "user": c.Proxy.User}
}

// setAside puts away what an agent remembers that was attested anew: its journal
// and what it knows of systems are of another life. The journal is kept, to be
// looked at; the coordinator sends again what is open, and everything is read.
func setAside(data string) error {
	path := filepath.Join(data, "spool.db")
	err := os.Rename(path, path+".before-"+time.Now().UTC().Format("20060102T150405Z"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(data, "snapshots")))
}

// NewHost returns the host of the configured connectors.
func NewHost(c *config.Config, log *slog.Logger) (*host.Host, error) {
	var executables []host.Executable
	for _, e := range c.Connectors {
		executables = append(executables, host.Executable{Path: e.Path, SHA256: e.SHA256, Serves: e.Serves})
	}
	return host.New(filepath.Join(c.Data, "run"), executables, host.Options{}, log.With("part", "host"))
}

// Run works until ctx ends, or a part fails that the agent cannot be without.
// On stop it takes no new work, lets what is under way end, sends its results
// as far as that is quick, and closes the spool.
func (a *Agent) Run(ctx context.Context) error {
	a.log.InfoContext(ctx, "Agent starts", "version", a.version, "agent", a.identity.Agent().ID,
		"site", a.identity.Agent().Site, "coordinator", a.config.Coordinator, "data", a.config.Data)
	remembered, err := a.spool.Systems()
	if err != nil {
		return errors.Join(err, a.guard.Close(), a.spool.Close())
	}
	a.runner.SetLease(remembered.GetLease().AsDuration())
	a.runner.SetSystems(remembered.GetSystems(), false)

	sending, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var sender errgroup.Group
	sender.Go(func() error { return a.link.Run(sending) })
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.runner.Run(ctx) })
	group.Go(func() error { return a.spool.Watch(ctx) }) // the link would go on with a journal that can neither be read nor written
	group.Go(func() error { return a.identity.Run(ctx, a.config.Coordinator, a.log.With("part", "identity")) })
	group.Go(func() error { return control.Serve(ctx, a.config.Data, a) })
	group.Go(func() error { return a.guard.Run(ctx) })
	group.Go(func() error { return a.compareRights(ctx) })
	if a.updater != nil {
		group.Go(func() error { return a.updater.Run(ctx) })
	}
	if a.metrics != nil {
		group.Go(func() error {
			l, err := net.Listen("tcp", a.config.Metrics)
			if err != nil { // an agent that cannot be looked at still does its work
				a.log.ErrorContext(ctx, "Metrics are not served", "err", err)
				return nil
			}
			return a.metrics.Serve(ctx, l)
		})
	}
	err = group.Wait()
	a.flush(sending)
	if closing := a.closeTraces(); closing != nil {
		a.log.Warn("The last traces were not sent", "err", closing)
	}
	hangUp()
	_ = sender.Wait() // it was told to end
	if closeErr := errors.Join(a.guard.Close(), a.spool.Close()); closeErr != nil {
		return errors.Join(err, closeErr)
	}
	a.log.Info("Agent ends", "cause", err)
	return err
}

// closeTraces sends what is left to be told, if somebody listens.
func (a *Agent) closeTraces() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushWait)
	defer cancel()
	return a.tracer.Close(ctx)
}

// flush waits a moment for the results to be confirmed, if anybody listens.
func (a *Agent) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		a.mu.Lock()
		up := a.up
		a.mu.Unlock()
		if results, _ := a.spool.Held(); !up || results == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// guarded tells the coordinator which guardrail is obeyed. Another policy may
// withhold other attributes, so every system begins anew with it.
func (a *Agent) guarded(state *linkv1.Guardrail) {
	a.link.Guardrail(state)
	a.mu.Lock()
	again := a.digest != nil && *a.digest != state.GetDigest()
	a.digest = &state.Digest
	a.mu.Unlock()
	if again {
		for _, system := range a.runner.States() {
			a.runner.Retry(system.GetSystem())
		}
	}
}

func (a *Agent) linked(up bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if up != a.up {
		a.since = time.Now()
	}
	a.up, a.err = up, err
	a.runner.SetLinked(up)
	refusal := (*protoidentity.Refusal)(nil)
	if !errors.As(err, &refusal) {
		return
	}
	switch refusal.Reason {
	case protoidentity.Expired:
		a.identity.RenewNow()
	case protoidentity.Doubted:
		if err := a.identity.Doubt(refusal.Message); err != nil {
			a.log.Error("Request to be let in again not stored", "err", err)
		}
	}
}
