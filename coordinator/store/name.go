package store

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
	return query[Name](tx, "SELECT "+nameColumns+` FROM name WHERE tenant = ? AND system = ? AND attribute = ?
		AND value IN (SELECT value FROM json_each(?))`, tenant, system, attribute, list(values))
}

// AllNames returns every name of a system.
func (tx *Tx) AllNames(tenant, system string) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+" FROM name WHERE tenant = ? AND system = ? ORDER BY attribute, value", tenant, system)
}

// PutNames stores names; each takes the value over from whoever held it.
func (tx *Tx) PutNames(rows []Name) error {
	return insert(tx, "name", nameColumns, "ON CONFLICT (tenant, system, attribute, value) DO UPDATE SET holder = excluded.holder WHERE name.holder <> excluded.holder", rows)
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
