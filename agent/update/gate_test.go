package update

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/rights"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// An answering is an agent that says what it was told to.
type answering struct {
	status control.Status
	failed bool // the probe
}

func (a *answering) Status(context.Context) (control.Status, error) {
	if a.status.Version == "" {
		return a.status, control.ErrNotRunning
	}
	return a.status, nil
}

func (a *answering) Probe(context.Context, string) (*connectorv1.ProbeResponse, error) {
	step := &connectorv1.ProbeStep{Name: "bind"}
	if a.failed {
		step.Fault = &connectorv1.Fault{Cause: "wrong password"}
	}
	much := &connectorv1.ProbeStep{Name: rights.Prefix + "groups", Fault: &connectorv1.Fault{Cause: "more rights than it needs"}}
	return &connectorv1.ProbeResponse{Steps: []*connectorv1.ProbeStep{much, step}}, nil
}

func (a *answering) Look(context.Context) error { return nil }

// A version passes by doing its work; one that does not is found out in the
// gate's time. A network that is away from the supervisor, too, is not its
// fault, however long that takes.
func TestPass(t *testing.T) {
	t.Parallel()
	well := control.Status{Version: "1.4.0", Connected: true}
	for name, c := range map[string]struct {
		agent  answering
		reach  error
		broken string // "" for none
		waits  bool
	}{
		"does its work":              {agent: answering{status: well}},
		"does not answer":            {broken: "not running"},
		"is another version":         {agent: answering{status: control.Status{Version: "1.3.0", Connected: true}}, broken: "1.3.0"},
		"has no link":                {agent: answering{status: control.Status{Version: "1.4.0"}}, broken: "no link"},
		"has no link, as nobody has": {agent: answering{status: control.Status{Version: "1.4.0"}}, reach: errors.New("away"), waits: true},
		"loses a system":             {agent: answering{status: well, failed: true}, broken: "corp-ad, which answered before: bind: wrong password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &Supervisor{Agent: &c.agent, Reach: func(context.Context) error { return c.reach }, Gate: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
				defer cancel()
				began := time.Now()
				broken := s.pass(ctx, "1.4.0", []string{"corp-ad"})
				took := time.Since(began)
				if (broken == "") != (c.broken == "") || !strings.Contains(broken, c.broken) {
					t.Errorf("taken back because %q; want %q", broken, c.broken)
				}
				if c.broken != "" && (took < 5*time.Minute || took > 6*time.Minute) {
					t.Errorf("found out after %v; want the gate's time", took)
				}
				if waited := took >= 10*time.Hour; waited != c.waits {
					t.Errorf("waited %v; want %v for as long as the network is away", took, c.waits)
				}
			})
		})
	}
}
