package gateway

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// takeGuardrail stores which guardrail the agent obeys; another policy, or a
// broken one, is an entry in the log.
func (s *stream) takeGuardrail(tx *store.Tx, now *linkv1.Guardrail) error {
	row, err := tx.Agent(s.agent.Tenant, s.agent.ID)
	if err != nil {
		return err
	}
	before := history.GuardrailOf(row)
	text, err := protojson.Marshal(now)
	if err != nil {
		return status.Error(codes.InvalidArgument, "the guardrail cannot be read: "+err.Error())
	}
	if err := tx.SetGuardrail(s.agent.Tenant, s.agent.ID, string(text)); err != nil {
		return err
	}
	first := before.GetMode() == "" && now.GetMode() == "built-in"
	if first || before.GetMode() == now.GetMode() && before.GetDigest() == now.GetDigest() {
		return nil
	}
	what := "the guardrail is now " + now.GetMode()
	switch {
	case now.GetFault() != nil:
		what = "the guardrail cannot be used and everything is denied: " + now.GetFault().GetCause()
	case now.GetDigest() != "":
		what += fmt.Sprintf(", SHA-256 %.12s", now.GetDigest())
	}
	return tx.AddHistory([]store.History{{Tenant: s.agent.Tenant, Kind: history.Audit,
		Text: fmt.Sprintf("agent %s on %s: %s", s.agent.ID, row.Host, what)}})
}
