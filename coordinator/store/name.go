package store

// A Name is a value of an attribute that must be unique in a system and is spoken for.
type Name struct {
	Tenant    string
	System    string
	Attribute string
	Value     string // folded
	Person    string // empty: an account that is nobody's
	Account   string // native id; empty until the account exists
}

const nameColumns = "tenant, system, attribute, value, person, account"

func (n *Name) fields() []any {
	return []any{&n.Tenant, &n.System, &n.Attribute, &n.Value, &n.Person, &n.Account}
}

// Names returns who holds which of the folded values.
func (tx *Tx) Names(tenant, system, attribute string, values []string) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+` FROM name WHERE tenant = ? AND system = ? AND attribute = ?
		AND value IN (SELECT value FROM json_each(?))`, tenant, system, attribute, list(values))
}

// NamesOf returns the names that people hold in every system.
func (tx *Tx) NamesOf(tenant string, people []string) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+" FROM name WHERE tenant = ? AND person <> '' AND person IN (SELECT value FROM json_each(?))",
		tenant, list(people))
}

// PutNames stores names; each takes the value over from whoever held it.
func (tx *Tx) PutNames(rows []Name) error {
	return insert(tx, "name", nameColumns, "ON CONFLICT DO UPDATE SET person = excluded.person, account = excluded.account", rows)
}

// AddNames stores those names whose values nobody holds.
func (tx *Tx) AddNames(rows []Name) error {
	return insert(tx, "name", nameColumns, "ON CONFLICT DO NOTHING", rows)
}

// RemoveNames frees names, each only if the account given holds it.
func (tx *Tx) RemoveNames(rows []Name) error {
	for _, n := range rows {
		if _, err := tx.exec("DELETE FROM name WHERE tenant = ? AND system = ? AND attribute = ? AND value = ? AND account = ?",
			n.Tenant, n.System, n.Attribute, n.Value, n.Account); err != nil {
			return err
		}
	}
	return nil
}

// RemoveNamesOfAccounts frees the names of accounts that are no more.
func (tx *Tx) RemoveNamesOfAccounts(tenant, system string, ids []string) error {
	_, err := tx.exec("DELETE FROM name WHERE tenant = ? AND system = ? AND account IN (SELECT value FROM json_each(?))", tenant, system, list(ids))
	return err
}

// NamesOfAccounts returns the names that accounts hold.
func (tx *Tx) NamesOfAccounts(tenant, system string, ids []string) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+` FROM name WHERE tenant = ? AND system = ? AND account <> ''
		AND account IN (SELECT value FROM json_each(?))`, tenant, system, list(ids))
}
