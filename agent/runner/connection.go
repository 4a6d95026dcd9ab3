package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/settings"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A connection is a connector process with its system open.
type connection struct {
	process *host.Process
	stop    context.CancelFunc // of the watch
	watch   sync.WaitGroup
}

// badSettings says that what is configured does not serve: it must be mended
// before anything else can be done.
type badSettings struct{ fault *connectorv1.Fault }

func (b *badSettings) Error() string { return b.fault.GetCause() }

// lost is closed when the process is gone. Of no connection it never is.
func (c *connection) lost() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.process.Done()
}

func (c *connection) close() {
	c.stop()
	c.process.Kill()
	c.watch.Wait()
}

// connect starts a process and opens the system in it; the lane gets an event.
func (l *lane) connect(ctx context.Context) {
	conn, err := l.open(ctx)
	l.events <- event{did: connected, conn: conn, err: err}
}

func (l *lane) open(ctx context.Context) (*connection, error) {
	process, err := l.Host.Start(ctx, l.system.GetConnector())
	if err != nil {
		return nil, err
	}
	if err := l.openIn(ctx, l.system, process); err != nil {
		process.Kill()
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	c := &connection{process: process, stop: stop}
	if l.system.GetWatch() && process.Can(connectorv1.Capability_CAPABILITY_WATCH) {
		c.watch.Go(func() { l.watch(ctx, process) })
	}
	return c, nil
}

// openIn checks the settings against what the host's admin allows, adds the
// secrets, and hands both to the process.
func (r *Runner) openIn(ctx context.Context, system *linkv1.System, process *host.Process) error {
	name := system.GetName()
	schema, err := settings.ParseSchema(process.Description().GetSettingsSchema())
	if err != nil {
		return fmt.Errorf("connector %q: %w", system.GetConnector(), err)
	}
	if err := schema.CheckPaths(system.GetSettings(), r.Folders); err != nil {
		return &badSettings{&connectorv1.Fault{
			Cause:    fmt.Sprintf("the settings of system %q do not serve: %v", name, err),
			NextStep: "Change the setting, or add the folder to folders in agent.yaml on the agent's host.",
		}}
	}
	anchors, err := schema.Anchors(system.GetSettings())
	if err != nil {
		return &badSettings{&connectorv1.Fault{Cause: err.Error(), NextStep: "Correct the settings of the system."}}
	}
	plain, err := r.secrets(name, schema, anchors)
	if err != nil {
		return err
	}
	fault, err := process.Open(ctx, system.GetSettings(), plain)
	if fault != nil {
		return &badSettings{fault}
	}
	return err
}

// secrets returns those that were given. What is missing, the connector says.
func (r *Runner) secrets(system string, schema *settings.Schema, anchors vault.Anchors) (map[string]string, error) {
	plain := make(map[string]string)
	for _, name := range schema.Secrets() {
		secret, err := r.Vault.Get(system, name, anchors)
		switch {
		case errors.Is(err, vault.ErrMissing):
		case errors.Is(err, vault.ErrAnchors):
			return nil, &badSettings{&connectorv1.Fault{
				Cause:    fmt.Sprintf("the secret %q of system %q is locked: %v", name, system, err),
				NextStep: fmt.Sprintf("If the change is wanted, give it again on the agent's host with `drawbridge-agent secret set %s %s`.", system, name),
			}}
		case err != nil:
			return nil, err
		default:
			plain[name] = secret.Reveal()
		}
	}
	return plain, nil
}

// Probe has a connector process of its own try the way to a system, apart from
// the lane, and compare what its account may do with access. It works also on a runner that does not run, of which Host, Vault
// and Folders are set.
func (r *Runner) Probe(ctx context.Context, system *linkv1.System, access []*connectorv1.Access) (*connectorv1.ProbeResponse, error) {
	process, err := r.Host.Start(ctx, system.GetConnector())
	if err != nil {
		return nil, err
	}
	defer process.Kill()
	err = r.openIn(ctx, system, process)
	var bad *badSettings
	if errors.As(err, &bad) {
		return &connectorv1.ProbeResponse{Steps: []*connectorv1.ProbeStep{{
			Name: "take the settings", Outcome: connectorv1.Outcome_OUTCOME_INVALID, Fault: bad.fault,
		}}}, nil
	}
	if err != nil {
		return nil, err
	}
	return process.Probe(ctx, access)
}

// watch tells the coordinator of changes until ctx or the process ends.
func (l *lane) watch(ctx context.Context, process *host.Process) {
	err := process.Watch(ctx, func(w *connectorv1.WatchResponse) {
		l.Report.Changed(&linkv1.Changed{System: l.system.GetName(), Noticed: w.GetNoticed()})
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, host.ErrLost) {
		l.Log.WarnContext(ctx, "Changes are no longer noticed at once; scheduled reads go on",
			"system", l.system.GetName(), "err", err)
	}
}
