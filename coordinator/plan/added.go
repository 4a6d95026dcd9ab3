package plan

import "github.com/drawbridge-id/drawbridge/coordinator/store"

// addedValues are values of additive rules that we wrote, by folded attribute, by account.
type addedValues map[string]map[string][]string

// loadAdded reads what we added to the accounts of the batch, where a target has additive rules.
func (b *batch) loadAdded() error {
	for _, t := range b.targets {
		if !t.system.Target.Adds() {
			continue
		}
		owner := map[string]*person{}
		var ids []string
		for _, p := range b.people {
			for _, a := range p.accounts {
				if a.System == t.row.Name && a.Class == t.system.Target.Class {
					owner[a.ID] = p
					ids = append(ids, a.ID)
				}
			}
		}
		rows, err := b.tx.AddedTo(b.tenant, t.row.Name, ids)
		if err != nil {
			return err
		}
		for _, row := range rows {
			owner[row.Account].adds(row)
		}
	}
	return nil
}

func (p *person) adds(row store.Added) {
	if p.added == nil {
		p.added = addedValues{}
	}
	key := accountKey(row.System, row.Account)
	if p.added[key] == nil {
		p.added[key] = map[string][]string{}
	}
	p.added[key][row.Attribute] = append(p.added[key][row.Attribute], row.Value)
}
