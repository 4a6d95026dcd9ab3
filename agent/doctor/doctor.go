// Package doctor examines an agent's host the way a person would who was called
// to it: from the file that the admin wrote to the systems behind the agent,
// one step after the other, each with what was found and, where something is
// wrong, what happened and what to do next.
//
// It changes nothing, needs no running agent and disturbs none. What a running
// agent thinks of itself is `drawbridge-agent status` (agent/control). The
// steps inside a system are its connector's Probe, which the caller hands in.
//
//	configuration ─► data folder ─► identity ─► name or proxy ─► TCP ─► TLS ─► coordinator, clock
//	                 └─► connectors ─► spool ─► vault ─► systems
//
// A step whose forerunner failed is left out and says which that was.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/proxy"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// An Outcome is how a step ended.
type Outcome string

// The outcomes. Only Failed means that the agent cannot do its work.
const (
	Passed  Outcome = "ok"
	Warned  Outcome = "warning"
	Failed  Outcome = "FAILED"
	LeftOut Outcome = "left out"
)

// A Finding is what a step found.
type Finding struct {
	Step    string
	Outcome Outcome
	Detail  string // what was found, or left it out
	Next    string // what to do; set when Outcome is Warned or Failed
}

// A prober tries the systems that the agent serves.
type prober interface {
	// Systems returns their names.
	Systems() []string
	// Probe has a system's connector try every step to it.
	Probe(ctx context.Context, system string) ([]*connectorv1.ProbeStep, error)
}

// A Doctor examines one host. Config is nil if the file cannot be used; then
// ConfigErr says why. Systems may be nil: none is tried.
type Doctor struct {
	ConfigPath string
	Config     *config.Config
	ConfigErr  error
	Dialer     *proxy.Dialer // Optional. To the coordinator; nil means as the environment says
	Systems    prober
}

// stepWait bounds a step that waits for others.
const stepWait = 10 * time.Second

// Examine goes through all steps, and returns what they found in the order of the package comment.
func (d *Doctor) Examine(ctx context.Context) []Finding {
	e := &examination{ctx: ctx, config: d.Config, dialer: cmp.Or(d.Dialer, new(proxy.Dialer))}
	if d.ConfigErr != nil || d.Config == nil {
		e.fail("configuration", fmt.Sprintf("%s: %v", d.ConfigPath, d.ConfigErr), "mend the lines named, then check with `drawbridge-agent validate`")
		return e.findings
	}
	e.pass("configuration", d.ConfigPath)
	if e.dataFolder() {
		e.identity()
	}
	e.network()
	e.connectors()
	e.spool()
	e.vault()
	e.systems(d.Systems)
	return e.findings
}

// Well says whether nothing failed.
func Well(findings []Finding) bool {
	for _, f := range findings {
		if f.Outcome == Failed {
			return false
		}
	}
	return true
}

// Print writes findings as a table, each fault with its next step below it.
func Print(w io.Writer, findings []Finding) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		lines := strings.Split(strings.TrimRight(f.Detail, "\n"), "\n")
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Outcome, f.Step, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(t, "\t\t%s\n", line)
		}
		if f.Next != "" {
			fmt.Fprintf(t, "\t\t→ %s\n", f.Next)
		}
	}
	return t.Flush()
}
