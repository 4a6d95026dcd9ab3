package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"path/filepath"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/update"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Follow has the agent update itself by releases that one of the keys has
// signed; it must have been started by the supervisor. It is called before
// [Agent.Run], which then may return [update.ErrSwitch].
func (a *Agent) Follow(keys []ed25519.PublicKey) {
	a.updater = &update.Updater{
		Folder: update.FolderOf(a.config.Data), Version: a.version, Keys: keys,
		Ring: a.config.Update.Ring, Hold: a.config.Update.Hold, Open: a.config.Update.Window.Open,
		Fetch: a.link.Fetch, Systems: a.answering, Report: a.link.Update, Log: a.log.With("part", "update"),
	}
	a.link.Offered = func(r *linkv1.Release) { a.updater.Offer(r) }
}

// answering names the systems that pass every step of a probe now.
func (a *Agent) answering(ctx context.Context) (names []string) {
	for _, system := range a.Systems().GetSystems() {
		if err := update.Passes(a.Probe(ctx, system.GetName())); err != nil {
			a.log.WarnContext(ctx, "System does not answer; the next version need not reach it either", "system", system.GetName(), "err", err)
			continue
		}
		names = append(names, system.GetName())
	}
	return names
}

// LookForUpdate has what is ordered about updates looked at.
func (a *Agent) LookForUpdate() {
	if a.updater != nil {
		a.updater.Look()
	}
}

func (a *Agent) updating() *control.Update {
	if a.updater == nil {
		return nil
	}
	s := a.updater.State()
	return &control.Update{State: s.GetState(), Version: s.GetVersion(), Cause: s.GetCause(), Previous: s.GetPrevious()}
}

// Aside puts a journal away that a newer release has written, in a data folder
// where no agent runs: what is open comes again, and everything is read. A
// journal of a layout up to the given one is left as it is.
func Aside(data string, layout int) error {
	got, err := spool.LayoutOf(filepath.Join(data, "spool.db"))
	if err != nil || got <= layout {
		return err
	}
	return setAside(data)
}

// Reach goes the way to the coordinator up to its certificate, as the link does.
func Reach(ctx context.Context, c *config.Config) error {
	v, err := vault.Open(c.Data)
	if err != nil {
		return err
	}
	self, err := identity.Load(c.Data)
	if err != nil {
		return err
	}
	raw, err := NewDialer(c, v).Dial(ctx, c.Coordinator)
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := tls.Client(raw, self.TLS()).HandshakeContext(ctx); err != nil {
		return fmt.Errorf("reach %s: %w", c.Coordinator, err)
	}
	return nil
}
