package store

import (
	"cmp"
	"slices"
	"strings"
)

// A Name is a value of an attribute that must be unique in a system and is spoken for.
type Name struct {
	Tenant    string
	System    string
	Attribute string
	Value     string // folded
	Holder    string // a person; the native id of an account that is nobody's; empty where only the system knows whose it is
}

const nameColumns = "tenant, system, attribute, value, holder"

func (n *Name) fields() []any { return []any{&n.Tenant, &n.System, &n.Attribute, &n.Value, &n.Holder} }

// Names returns who holds which of the folded values.
func (tx *Tx) Names(tenant, system, attribute string, values []string) ([]Name, error) {
	values = slices.Sorted(slices.Values(values))
	return query[Name](tx, "SELECT "+nameColumns+` FROM name WHERE tenant = ? AND system = ? AND attribute = ?
		AND value IN (SELECT value FROM json_each(?))`, tenant, system, attribute, list(values))
}

// AllNames returns every name of a system.
func (tx *Tx) AllNames(tenant, system string) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+" FROM name WHERE tenant = ? AND system = ? ORDER BY attribute, value", tenant, system)
}

// NamesAfter returns up to limit names of a system in order, those after the given one: a way to walk over all.
func (tx *Tx) NamesAfter(tenant, system string, last Name, limit int) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+" FROM name WHERE tenant = ? AND system = ? AND (attribute, value) > (?, ?) ORDER BY attribute, value LIMIT ?",
		tenant, system, last.Attribute, last.Value, limit)
}

// PutNames stores names; each takes the value over from whoever held it. They
// are written in the order of the key, so that neighbours find their page at hand.
func (tx *Tx) PutNames(rows []Name) error {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(strings.Compare(rows[i].Attribute, rows[j].Attribute), strings.Compare(rows[i].Value, rows[j].Value), i-j)
	})
	sorted := make([]Name, len(rows))
	for i, place := range order {
		sorted[i] = rows[place]
	}
	return insert(tx, "name", nameColumns, "ON CONFLICT (tenant, system, attribute, value) DO UPDATE SET holder = excluded.holder WHERE name.holder <> excluded.holder", sorted)
}

// RemoveNames frees names, each only if it is the holder's still.
func (tx *Tx) RemoveNames(rows []Name) error {
	for _, n := range rows {
		if _, err := tx.exec("DELETE FROM name WHERE tenant = ? AND system = ? AND attribute = ? AND value = ? AND holder = ?",
			n.Tenant, n.System, n.Attribute, n.Value, n.Holder); err != nil {
			return err
		}
	}
	return nil
}

// KeepNames frees a system's names of all attributes but the given ones.
func (tx *Tx) KeepNames(tenant, system string, attributes []string) error {
	_, err := tx.exec("DELETE FROM name WHERE tenant = ? AND system = ? AND attribute NOT IN (SELECT value FROM json_each(?))",
		tenant, system, list(attributes))
	return err
}

// NamesElsewhere returns who holds which of the folded values of an attribute in other systems.
func (tx *Tx) NamesElsewhere(tenant string, systems []string, attribute string, values []string) ([]Name, error) {
	if len(systems) == 0 {
		return nil, nil
	}
	return query[Name](tx, "SELECT "+nameColumns+` FROM name WHERE tenant = ? AND system IN (SELECT value FROM json_each(?)) AND attribute = ?
		AND value IN (SELECT value FROM json_each(?))`, tenant, list(systems), attribute, list(values))
}

// A KeptName is a name that its holder has no more and that nobody else is given before an instant.
type KeptName struct {
	Name
	Until Instant
}

func (n *KeptName) fields() []any { return append(n.Name.fields(), &n.Until) }

// KeepNamesUntil keeps names from being given to others.
func (tx *Tx) KeepNamesUntil(rows []KeptName) error {
	return insert(tx, "name_kept", nameColumns+", until", "ON CONFLICT (tenant, system, attribute, value) DO UPDATE SET holder = excluded.holder, until = excluded.until", rows)
}

// KeptNames returns which of the folded values of an attribute are kept from others in any of the systems.
func (tx *Tx) KeptNames(tenant string, systems []string, attribute string, values []string) ([]KeptName, error) {
	return query[KeptName](tx, "SELECT "+nameColumns+`, until FROM name_kept WHERE tenant = ? AND system IN (SELECT value FROM json_each(?)) AND attribute = ?
		AND value IN (SELECT value FROM json_each(?)) AND until > ?`, tenant, list(systems), attribute, list(values), tx.Now)
}

// ForgetKeptNames forgets what is kept from nobody any more.
func (tx *Tx) ForgetKeptNames() (int, error) {
	return tx.exec("DELETE FROM name_kept WHERE until <= ?", tx.Now)
}
