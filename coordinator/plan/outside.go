package plan

import (
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// loadOutside reads since when people are out of scope, where a target deletes accounts for that.
func (b *batch) loadOutside(ids []string) error {
	for _, t := range b.targets {
		if !t.system.Target.Lifecycle.CountsOutside() {
			continue
		}
		rows, err := b.tx.OutsideOf(b.tenant, t.row.Name, ids)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if p := b.byID[row.Person]; p != nil {
				if p.outside == nil {
					p.outside = map[string]time.Time{}
				}
				p.outside[row.System] = row.Since.Time()
			}
		}
	}
	return nil
}

// noteOutside notes that a person was seen to be out of a target's scope, or to be so no more.
func (b *batch) noteOutside(t target, p *person, out reconcile.Output) {
	row := store.Outside{Tenant: b.tenant, System: t.row.Name, Person: p.row.ID, Since: b.tx.Now}
	_, known := p.outside[t.row.Name]
	switch {
	case out.Outside && !known:
		b.left = append(b.left, row)
	case known && !out.Outside:
		b.back = append(b.back, row)
	}
}

func (b *batch) saveOutside() error {
	if err := b.tx.PutOutside(b.left); err != nil {
		return err
	}
	return b.tx.RemoveOutside(b.back)
}
