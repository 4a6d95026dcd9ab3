package plan

import (
	"cmp"
	"iter"
	"slices"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// place is what the ledger calls places in containers by; they are of their system alone.
const place = "address"

type nameKey struct{ attribute, value string }

// newNames makes the ledger of a target for a batch.
func newNames(b *batch, t target) *names {
	return &names{batch: b, tx: b.tx, tenant: b.tenant, system: t.row.Name, taken: map[nameKey]string{}, holders: map[nameKey]*store.Name{},
		elsewhere: map[nameKey][]store.Name{}, kept: map[nameKey]string{}}
}

// names is the ledger of one system: who holds which value, with what the batch
// has reserved. A value that somebody else has in an attribute of the same name in
// another target is taken as well, and so is one in its cool-off.
type names struct {
	batch          *batch
	elsewhere      map[nameKey][]store.Name // held in other targets, as far as looked
	kept           map[nameKey]string       // in cool-off: whose it was
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
	if err != nil {
		return err
	}
	return n.lookFurther(attribute, unknown)
}

// lookFurther looks in other targets that choose values of the attribute, and among those in cool-off.
func (n *names) lookFurther(attribute string, values []string) error {
	others, cools := n.batch.choosers(n.system, attribute)
	rows, err := n.tx.NamesElsewhere(n.tenant, others, attribute, values)
	if err != nil {
		return err
	}
	for _, row := range rows {
		key := nameKey{attribute, row.Value}
		n.elsewhere[key] = append(n.elsewhere[key], row)
	}
	if !cools {
		return nil
	}
	kept, err := n.tx.KeptNames(n.tenant, append(others, n.system), attribute, values)
	for _, row := range kept {
		n.kept[nameKey{attribute, row.Value}] = row.Holder
	}
	return err
}

// choosers gives the other targets that have a rule which chooses values of the
// attribute, and whether any target, also this, keeps such values from others.
func (b *batch) choosers(system, attribute string) (others []string, cools bool) {
	for _, t := range b.targets {
		for _, r := range t.system.Target.Rules {
			if r.Attribute != attribute || !r.Unique() {
				continue
			}
			if cools = cools || r.CoolOff > 0; t.row.Name != system {
				others = append(others, t.row.Name)
			}
		}
	}
	return others, cools
}

// others tells whether somebody else has the name in another target, or had it a
// while ago. An account that is nobody's may be the person's own, not joined yet:
// its match value tells.
func (l *ledger) others(key nameKey) bool {
	id := l.person.row.ID
	if was, ok := l.kept[key]; ok && was != id {
		return true
	}
	if person, ok := l.batch.reserved[key]; ok && person != id {
		return true
	}
	for _, row := range l.elsewhere[key] {
		if row.Holder == id {
			continue
		}
		i := slices.IndexFunc(l.batch.targets, func(t target) bool { return t.row.Name == row.System && t.of(l.person) })
		if i < 0 {
			return true // a person's, and a group wants it, or the other way round
		}
		accounts, err := l.tx.Accounts(l.tenant, row.System, []string{row.Holder})
		if l.err = firstError(l.err, err); l.err != nil || len(accounts) == 0 || accounts[0].Person != "" {
			return true
		}
		mine, err := l.batch.targets[i].system.Target.MatchValue(l.person.person)
		if err != nil || mine == "" || mine != accounts[0].Match {
			return true
		}
	}
	return false
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
	switch holder := l.holders[key]; {
	case holder != nil && holder.Holder == l.person.row.ID:
		return true
	case holder != nil && (l.account == "" || holder.Holder != l.account):
		return false
	}
	return key.attribute == place || !l.others(key)
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
	if key.attribute != place {
		if l.batch.reserved == nil {
			l.batch.reserved = map[nameKey]string{}
		}
		l.batch.reserved[key] = id
	}
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
