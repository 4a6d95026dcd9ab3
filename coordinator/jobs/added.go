package jobs

import (
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// added notes which values of additive rules a write has added, and which it took away.
func (f *finish) added(j store.Job, op *connectorv1.Operation, account string) error {
	if op.GetCreate() == nil && op.GetModify() == nil {
		return nil
	}
	s, err := f.system(j.System)
	if err != nil || s == nil {
		return err
	}
	t := s.TargetOf(op.GetClass())
	if t == nil || !t.Adds() || account == "" {
		return nil
	}
	var put, remove []store.Added
	note := func(attribute string, before, after []string) {
		if r := t.RuleOf(attribute); r == nil || r.Keep != mapping.KeepAdditive {
			return
		}
		row := store.Added{Tenant: j.Tenant, System: j.System, Account: account, Attribute: strings.ToLower(attribute)}
		for _, row.Value = range after {
			if !directory.Among(before, row.Value) {
				put = append(put, row)
			}
		}
		for _, row.Value = range before {
			if !directory.Among(after, row.Value) {
				remove = append(remove, row)
			}
		}
	}
	for _, a := range op.GetCreate().GetAttributes() {
		note(a.GetName(), nil, a.GetValues())
	}
	for _, c := range op.GetModify().GetChanges() {
		note(c.GetName(), c.GetExpect(), c.GetWant())
	}
	if err := f.tx.RemoveAdded(remove); err != nil {
		return err
	}
	return f.tx.PutAdded(put)
}
