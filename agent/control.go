package agent

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/rights"
	"github.com/drawbridge-id/drawbridge/agent/settings"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// What people on the host see and order, over the control socket: an Agent is
// what control.Serve asks.

// Status says how the agent is.
func (a *Agent) Status() control.Status {
	a.mu.Lock()
	s := control.Status{
		Version: a.version, PID: os.Getpid(), Started: a.started, Coordinator: a.config.Coordinator,
		Agent: a.identity.Agent().ID, Site: a.identity.Agent().Site, CertEnds: a.identity.Certificate().NotAfter,
		Connected: a.up, Since: a.since,
	}
	if a.err != nil {
		s.LinkError = a.err.Error()
	}
	a.mu.Unlock()
	if full := a.spool.Full(); full != nil {
		s.DiskFull = full.Error()
	}
	s.ClockOff = a.clock.Off()
	s.AskingKey, s.Asking = a.identity.Asking()
	s.Results, s.Records = a.spool.Held()
	g := a.guard.State()
	s.Guardrail = control.Guardrail{Mode: g.GetMode(), File: a.config.Guardrail.File, Digest: g.GetDigest(), Signed: g.GetSigned(),
		Summary: g.GetSummary(), Cause: g.GetFault().GetCause(), Denied: g.GetDenied(), Spent: a.guard.Spent()}
	for _, w := range g.GetWaiting() {
		s.Guardrail.Waiting = append(s.Guardrail.Waiting, control.Waiting{Job: w.GetJob(), System: w.GetSystem(), Cause: w.GetCause(), Since: w.GetSince().AsTime()})
	}
	s.Update = a.updating()
	for _, h := range a.runner.States() {
		system := control.System{
			Name: h.GetSystem(), Ready: h.GetReady(), Cause: h.GetFault().GetCause(), NextStep: h.GetFault().GetNextStep(),
			Concurrency: int(h.GetConcurrency()), Waiting: int(h.GetWaiting()), Connector: a.runner.System(h.GetSystem()).GetConnector(),
		}
		a.mu.Lock()
		system.Rights = a.rights[h.GetSystem()]
		a.mu.Unlock()
		if h.GetNextTry() != nil {
			system.NextTry = h.GetNextTry().AsTime()
		}
		s.Systems = append(s.Systems, system)
	}
	return s
}

// Secrets says which secrets a system takes and what they are bound to.
func (a *Agent) Secrets(ctx context.Context, system string) (control.Secrets, error) {
	return SecretsOf(ctx, a.host, a.runner.System(system), system)
}

// SecretsOf is [Agent.Secrets] for an agent that does not run.
func SecretsOf(ctx context.Context, h *host.Host, s *linkv1.System, name string) (control.Secrets, error) {
	if s == nil {
		return control.Secrets{}, fmt.Errorf("system %q is not known on this host: apply it at the coordinator for this site first (`drawbridge system apply -f FILE`), and let the agent connect once", name)
	}
	d, err := h.Describe(ctx, s.GetConnector())
	if err != nil {
		return control.Secrets{}, err
	}
	schema, err := settings.ParseSchema(d.GetSettingsSchema())
	if err != nil {
		return control.Secrets{}, err
	}
	anchors, err := schema.Anchors(s.GetSettings())
	return control.Secrets{Names: schema.Secrets(), Anchors: anchors}, err
}

// Probe has a system's connector try every step to it.
func (a *Agent) Probe(ctx context.Context, system string) (*connectorv1.ProbeResponse, error) {
	s := a.runner.System(system)
	if s == nil {
		return nil, fmt.Errorf("system %q is not configured for this site", system)
	}
	return a.runner.Probe(ctx, s, rights.Needed(s, a.guard.Policy()))
}

// Approve lets jobs pass that the guardrail has wait, once, and returns those that do not wait.
func (a *Agent) Approve(jobs []uint64, all bool, who string) ([]uint64, error) {
	return a.guard.Approve(jobs, all, who)
}

// Systems returns the systems as they are configured.
func (a *Agent) Systems() *linkv1.Systems {
	all := new(linkv1.Systems)
	for _, h := range a.runner.States() {
		if s := a.runner.System(h.GetSystem()); s != nil {
			all.Systems = append(all.Systems, s)
		}
	}
	return all
}

// Draft returns a guardrail that allows what jobs have asked for here.
func (a *Agent) Draft() string { return a.guard.Draft() }

// Retry has a system tried at once, and tells the coordinator, which may have
// given up reading it for a while.
func (a *Agent) Retry(system string) {
	a.runner.Retry(system)
	a.link.Changed(&linkv1.Changed{System: system, Noticed: timestamppb.Now()})
}
