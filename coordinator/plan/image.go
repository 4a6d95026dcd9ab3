package plan

import (
	"encoding/json"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// An image keeps what planning looked at, so that a cycle can be looked at again
// when people, accounts and documents are others: see coordinator/forecast.

// pictured is an account in an image, of a target or a record of a source. One
// that is both stands there twice.
type pictured struct {
	System  string   `json:"system"`
	ID      string   `json:"id"`
	Class   string   `json:"class"`
	Address string   `json:"address"`
	Object  []byte   `json:"object"`
	Granted []string `json:"granted,omitempty"` // groups that we had put it in
	Mirror  int64    `json:"mirror,omitempty"`  // as [store.Account] has it
	Record  bool     `json:"record,omitempty"`
}

// images gives those of whoever a cycle has made due.
func (b *batch) images() ([]store.Image, error) {
	var rows []store.Image
	for _, p := range b.people {
		if p.due.Cycle == 0 {
			continue
		}
		accounts := []pictured{}
		for _, t := range b.targets {
			if a := p.known(t); a != nil {
				accounts = append(accounts, pictured{a.System, a.ID, a.Class, a.Address, a.Object, p.granted(t.row.Name), a.Mirror, false})
			}
		}
		for _, a := range p.accounts {
			if s := b.records[a.System]; s != nil && s.RecordOf(a.Class, a.Mirror != store.MirrorNone) != nil {
				accounts = append(accounts, pictured{a.System, a.ID, a.Class, a.Address, a.Object, nil, a.Mirror, true})
			}
		}
		text, err := json.Marshal(accounts)
		if err != nil {
			return nil, err
		}
		rows = append(rows, store.Image{Tenant: b.tenant, Cycle: p.due.Cycle, Person: p.row.ID, At: b.tx.Now, Sourced: p.person.HasSource,
			Attributes: p.row.Attributes, Accounts: string(text)})
	}
	return rows, nil
}

// known gives the person's account in a target as it was known before the batch: nil also where it was joined now.
func (p *person) known(t target) *store.Account {
	a := p.account(t)
	if a == nil || a.Person != p.row.ID || p.joins[a.System] {
		return nil
	}
	return a
}

// A Past is a person as an image has them, for [Foresight.People].
type Past struct {
	Records  []store.Account     // of sources
	accounts []store.Account     // in targets
	granted  map[string][]string // by system
}

// PastOf reads an image. It gives the person as they were, and their accounts.
func PastOf(row store.Image, key string) (directory.Person, *Past, error) {
	p := directory.Person{ID: row.Person, Key: key, HasSource: row.Sourced, Changed: row.At.Time()}
	var err error
	if p.Attributes, err = directory.ParseAttributes(row.Attributes); err != nil {
		return p, nil, err
	}
	var list []pictured
	if err := json.Unmarshal([]byte(row.Accounts), &list); err != nil {
		return p, nil, err
	}
	past := &Past{granted: map[string][]string{}}
	for _, a := range list {
		account := store.Account{Tenant: row.Tenant, System: a.System, ID: a.ID, Class: a.Class, Address: a.Address, Object: a.Object, Person: row.Person, Mirror: a.Mirror}
		if a.Record {
			past.Records = append(past.Records, account)
			continue
		}
		past.accounts = append(past.accounts, account)
		past.granted[a.System] = a.Granted
	}
	return p, past, nil
}
