package jobs

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// complete gives the fault of a write that was not done with what the person who
// must act needs and the connector has left out: what happened and what to do, by
// the outcome; the object; and how long the value was that was refused, which
// tells a value that is too long from one that is wrong. The value itself stays
// in the job. An outcome that nobody must act upon may come without a fault.
func complete(outcome connectorv1.Outcome, fault *connectorv1.Fault, op *connectorv1.Operation) *connectorv1.Fault {
	cause, next := plain(outcome)
	if fault == nil && cause == "" {
		return nil
	}
	f := new(connectorv1.Fault)
	if fault != nil {
		f = proto.CloneOf(fault)
	}
	f.Cause, f.NextStep = cmp.Or(f.GetCause(), cause, "the connector does not say why"), cmp.Or(f.GetNextStep(), next, "see the agent's log")
	f.Object = cmp.Or(f.GetObject(), place(op))
	if f.GetLength() == 0 && f.GetAttribute() != "" {
		f.Length = longest(op, f.GetAttribute())
	}
	return f
}

// plain says what an outcome means where its connector has not.
func plain(outcome connectorv1.Outcome) (cause, next string) {
	switch outcome {
	case connectorv1.Outcome_OUTCOME_INVALID:
		return "the system does not take what was to be written, and the connector does not say why", "look at the exact request; correct the rule or the value in the source, then try again"
	case connectorv1.Outcome_OUTCOME_DENIED:
		return "a right is missing, and the connector does not say which", "run drawbridge-agent doctor on the agent's host, which compares the account's rights with what is needed"
	}
	return "", ""
}

// place says which object an operation is about, as far as it knows.
func place(op *connectorv1.Operation) string {
	if c := op.GetCreate(); c != nil && op.GetId() == "" {
		return strings.TrimSuffix(c.GetName()+" in "+c.GetContainer(), " in ")
	}
	return op.GetId()
}

// address puts the address of an account, which people know it by, in place of its id.
func (f *finish) address(fault *connectorv1.Fault, j store.Job, op *connectorv1.Operation) error {
	if fault == nil || op.GetId() == "" || !strings.Contains(fault.GetObject(), op.GetId()) {
		return nil
	}
	rows, err := f.tx.Accounts(f.tenant, j.System, []string{op.GetId()})
	if len(rows) == 1 && rows[0].Address != "" {
		fault.Object = rows[0].Address
	}
	return err
}

// longest gives the characters of the longest value that an operation would write to an attribute; 0 where it writes none.
func longest(op *connectorv1.Operation, attribute string) uint32 {
	n := 0
	count := func(name string, values ...string) {
		if strings.EqualFold(name, attribute) {
			for _, v := range values {
				n = max(n, utf8.RuneCountInString(v))
			}
		}
	}
	for _, a := range op.GetCreate().GetAttributes() {
		count(a.GetName(), a.GetValues()...)
	}
	for _, c := range op.GetModify().GetChanges() {
		count(c.GetName(), c.GetWant()...)
	}
	return uint32(n)
}
