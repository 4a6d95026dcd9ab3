package store

// An Added is a value of an additive rule that we wrote to an account.
type Added struct {
	Tenant    string
	System    string
	Account   string // native id
	Attribute string // folded
	Value     string
}

const addedColumns = "tenant, system, account, attribute, value"

func (a *Added) fields() []any {
	return []any{&a.Tenant, &a.System, &a.Account, &a.Attribute, &a.Value}
}

// AddedTo returns what we added to accounts of a system, in order.
func (tx *Tx) AddedTo(tenant, system string, accounts []string) ([]Added, error) {
	return query[Added](tx, "SELECT "+addedColumns+" FROM added WHERE tenant = ? AND system = ? AND account IN (SELECT value FROM json_each(?)) ORDER BY account, attribute, value",
		tenant, system, list(accounts))
}

// PutAdded notes values as added by us.
func (tx *Tx) PutAdded(rows []Added) error {
	return insert(tx, "added", addedColumns, "ON CONFLICT DO NOTHING", rows)
}

// RemoveAdded forgets values that are not there any more.
func (tx *Tx) RemoveAdded(rows []Added) error {
	for _, a := range rows {
		if _, err := tx.exec("DELETE FROM added WHERE tenant = ? AND system = ? AND account = ? AND attribute = ? AND lower(value) = lower(CAST(? AS TEXT))",
			a.Tenant, a.System, a.Account, a.Attribute, a.Value); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAddedTo forgets what we added to accounts of a system, which are no more.
func (tx *Tx) RemoveAddedTo(tenant, system string, accounts []string) error {
	_, err := tx.exec("DELETE FROM added WHERE tenant = ? AND system = ? AND account IN (SELECT value FROM json_each(?))", tenant, system, list(accounts))
	return err
}
