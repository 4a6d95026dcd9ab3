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
	taken          map[nameKey]string      // by this batch: id of the person
	holders        map[nameKey]*store.Name // in the store before this batch; nil where nobody is; no entry where not looked
	fresh          []store.Name            // of the person being planned
	err            error                   // of the store; every Pick after it fails
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

// Pick gives the first candidate that is free or the person's own. It asks the
// store for one candidate, then for ever more at once: where a name is common
// the free one is far down.
func (l *ledger) Pick(attribute string, candidates iter.Seq[string]) (string, bool) {
	var asked []string
	most := 1
	for value := range candidates {
		if asked = append(asked, value); len(asked) < most {
			continue
		}
		if value, ok := l.first(attribute, asked); ok || l.err != nil {
			return value, ok
		}
		asked, most = asked[:0], min(4*most, mostAsked)
	}
	return l.first(attribute, asked)
}

// mostAsked is how many candidates are looked for at once.
const mostAsked = 256

// first takes the first of the values that is free or the person's own.
func (l *ledger) first(attribute string, values []string) (string, bool) {
	folded := make([]string, len(values))
	for i, value := range values {
		folded[i] = directory.Fold(value)
	}
	if l.err = firstError(l.err, l.look(attribute, folded)); l.err != nil {
		return "", false
	}
	for i, value := range values {
		if l.free(nameKey{attribute, folded[i]}) {
			return value, true
		}
	}
	return "", false
}

// look reads who holds the folded values of which that is not known yet.
func (n *names) look(attribute string, values []string) error {
	var unknown []string
	for _, value := range values {
		key := nameKey{attribute, value}
		if _, known := n.holders[key]; !known {
			n.holders[key] = nil
			unknown = append(unknown, key.value)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	rows, err := n.tx.Names(n.tenant, n.system, attribute, unknown)
	for i := range rows {
		n.holders[nameKey{attribute, rows[i].Value}] = &rows[i]
	}
	return err
}

// free tells whether the person may have the name, and reserves it.
func (l *ledger) free(key nameKey) bool {
	if !l.may(key) {
		return false
	}
	l.take(key)
	return true
}

// reserve reserves all of the names, or none where the person may not have one. It has been looked who holds them.
func (l *ledger) reserve(keys []nameKey) bool {
	for _, key := range keys {
		if !l.may(key) {
			return false
		}
	}
	for _, key := range keys {
		l.take(key)
	}
	return true
}

// may tells whether the person may have the name: it is nobody's, theirs, or their account's.
func (l *ledger) may(key nameKey) bool {
	if person, ok := l.taken[key]; ok {
		return person == l.person.row.ID
	}
	holder := l.holders[key]
	return holder == nil || holder.Holder == l.person.row.ID || l.account != "" && holder.Holder == l.account
}

// take reserves a name that the person may have, unless they hold it.
func (l *ledger) take(key nameKey) {
	id := l.person.row.ID
	if _, ok := l.taken[key]; ok {
		return
	}
	if holder := l.holders[key]; holder != nil && holder.Holder == id {
		return
	}
	l.taken[key] = id
	l.fresh = append(l.fresh, store.Name{Tenant: l.tenant, System: l.system, Attribute: key.attribute, Value: key.value, Holder: id})
}

// wishes implements reconcile.Names: every name is free, and noted.
type wishes []nameKey

func (w *wishes) Pick(attribute string, candidates iter.Seq[string]) (string, bool) {
	for value := range candidates {
		*w = append(*w, nameKey{attribute, directory.Fold(value)})
		return value, true
	}
	return "", false
}
