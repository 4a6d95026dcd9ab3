package plan

import (
	"cmp"
	"iter"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

type nameKey struct{ attribute, value string }

// names is the ledger of one system: who holds which value, with what the batch
// has reserved.
type names struct {
	tx             *store.Tx
	tenant, system string
	taken          map[nameKey]string // by this batch: id of the person
	fresh          []store.Name       // of the person being planned
	err            error              // of the store; every Pick after it fails
}

// of gives the ledger as one person with the account sees it.
func (n *names) of(p *person, account string) *ledger {
	n.fresh = nil
	return &ledger{names: n, person: p, account: account}
}

// reserved gives the names that the person being planned did not hold before.
func (n *names) reserved() []store.Name { return n.fresh }

// A ledger implements reconcile.Names for one person.
type ledger struct {
	*names
	person  *person
	account string
}

// Pick gives the first candidate that is free or the person's own.
func (l *ledger) Pick(attribute string, candidates iter.Seq[string]) (string, bool) {
	for value := range candidates {
		if l.err != nil {
			return "", false
		}
		if l.free(nameKey{attribute, directory.Fold(value)}) {
			return value, true
		}
	}
	return "", false
}

func (l *ledger) free(key nameKey) bool {
	id := l.person.row.ID
	if holder, ok := l.taken[key]; ok {
		return holder == id
	}
	for _, n := range l.person.names {
		if n.System == l.system && n.Attribute == key.attribute && n.Value == key.value {
			return true
		}
	}
	holder, held, err := l.tx.NameOf(l.tenant, l.system, key.attribute, key.value)
	if err != nil {
		l.err = err
		return false
	}
	if held && holder.Person != id && (holder.Person != "" || l.account == "" || holder.Account != l.account) {
		return false
	}
	l.taken[key] = id
	l.fresh = append(l.fresh, store.Name{Tenant: l.tenant, System: l.system, Attribute: key.attribute, Value: key.value,
		Person: id, Account: l.account})
	return true
}
