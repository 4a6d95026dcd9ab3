package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent"
	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/doctor"
	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/proxy"
	"github.com/drawbridge-id/drawbridge/agent/rights"
	"github.com/drawbridge-id/drawbridge/agent/runner"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func (c *command) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Args: cobra.NoArgs,
		Short: "Examine this host step by step and say what to mend",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor.Doctor{ConfigPath: c.path}
			if d.Config, d.ConfigErr = c.load(); d.ConfigErr == nil {
				if v, err := vault.Open(d.Config.Data); err == nil {
					d.Dialer = agent.NewDialer(d.Config, v)
				} else {
					d.Dialer = &proxy.Dialer{URL: d.Config.Proxy.URL}
				}
				if s := newSystems(cmd.Context(), d.Config); s != nil {
					d.Systems = s
				}
			}
			findings := d.Examine(cmd.Context())
			if err := doctor.Print(c.stdout, findings); err != nil {
				return err
			}
			if !doctor.Well(findings) {
				return errUnwell
			}
			return nil
		},
	}
}

// systems are those of the site, probed by the running agent, or here if none runs.
type systems struct {
	names   []string
	running *control.Client // nil if none runs
	known   map[string]*linkv1.System
	runner  *runner.Runner
	policy  *guard.Policy
}

// newSystems returns nil where the systems cannot be known; why, another step says.
func newSystems(ctx context.Context, conf *config.Config) *systems {
	if !exists(filepath.Join(conf.Data, "spool.db")) { // which asking without an agent would make
		return nil
	}
	var names []string
	remembered, running, err := orAlone(ctx, conf, func(running *control.Client) (*linkv1.Systems, error) {
		status, err := running.Status(ctx)
		for _, system := range status.Systems {
			names = append(names, system.Name)
		}
		return nil, err
	}, (*spool.Spool).Systems)
	if err != nil {
		return nil
	}
	if running != nil {
		return &systems{running: running, names: names}
	}
	log := slog.New(slog.DiscardHandler)
	h, err := agent.NewHost(conf, log)
	if err != nil {
		return nil
	}
	v, err := vault.Open(conf.Data)
	if err != nil {
		return nil
	}
	s := &systems{known: make(map[string]*linkv1.System), runner: &runner.Runner{Host: h, Vault: v, Folders: conf.Folders, Log: log},
		policy: guard.Load(conf.Guardrail.File, conf.Guardrail.Key)}
	for _, system := range remembered.GetSystems() {
		s.names = append(s.names, system.GetName())
		s.known[system.GetName()] = system
	}
	return s
}

// Systems returns their names.
func (s *systems) Systems() []string { return s.names }

// Probe has a system's connector try every step to it.
func (s *systems) Probe(ctx context.Context, name string) ([]*connectorv1.ProbeStep, error) {
	var probe *connectorv1.ProbeResponse
	var err error
	if s.running != nil {
		probe, err = s.running.Probe(ctx, name)
	} else {
		probe, err = s.runner.Probe(ctx, s.known[name], rights.Needed(s.known[name], s.policy))
	}
	return probe.GetSteps(), err
}
