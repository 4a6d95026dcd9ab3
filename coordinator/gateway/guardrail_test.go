package gateway_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Which guardrail an agent obeys is kept with it, and another one, or a broken
// one, is in the log; what only waits is not.
func TestConnect_guardrail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	a.connect(b, 4)
	tell := func(g *linkv1.Guardrail) {
		a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Guardrail{Guardrail: g}})
	}
	kept := func() (g *linkv1.Guardrail, entries []string) {
		b.write(func(tx *store.Tx) error {
			row, err := tx.Agent(tenant, "a1")
			if err != nil {
				return err
			}
			g = history.GuardrailOf(row)
			lines, err := tx.HistoryAfter(tenant, 0, 100)
			for _, h := range lines {
				if strings.Contains(h.Text, "guardrail") {
					entries = append(entries, h.Text)
				}
			}
			return err
		})
		return g, entries
	}
	tell(&linkv1.Guardrail{Mode: "built-in"})
	tell(&linkv1.Guardrail{Mode: "enforce", Digest: "0123456789abcdef", Signed: true, Summary: []string{"ad: all verbs"}})
	tell(&linkv1.Guardrail{Mode: "enforce", Digest: "0123456789abcdef", Signed: true, Waiting: []*linkv1.WaitingJob{{Job: 7, System: "ad", Cause: "over budget"}}})
	eventually(t, "the guardrail is kept", func() bool { g, _ := kept(); return len(g.GetWaiting()) == 1 && g.GetSigned() })
	tell(&linkv1.Guardrail{Mode: "enforce", Digest: "fedcba9876543210"})
	tell(&linkv1.Guardrail{Mode: "broken", Fault: &connectorv1.Fault{Cause: "line 3 is wrong"}})
	eventually(t, "the broken one is kept", func() bool { g, _ := kept(); return g.GetMode() == "broken" })
	_, entries := kept()
	if len(entries) != 3 || !strings.Contains(entries[0], "now enforce, SHA-256 0123456789ab") || !strings.Contains(entries[2], "everything is denied: line 3 is wrong") {
		t.Errorf("log = %q; want both policies and the broken one", entries)
	}
}
