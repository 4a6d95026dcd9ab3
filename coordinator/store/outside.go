package store

// An Outside is somebody who is out of the scope of a system whose document has accounts deleted for that.
type Outside struct {
	Tenant string
	System string
	Person string
	Since  Instant // when that was first seen
}

const outsideColumns = "tenant, system, person, since"

func (o *Outside) fields() []any { return []any{&o.Tenant, &o.System, &o.Person, &o.Since} }

// OutsideOf returns which of the people are out of a system's scope.
func (tx *Tx) OutsideOf(tenant, system string, people []string) ([]Outside, error) {
	return query[Outside](tx, "SELECT "+outsideColumns+" FROM outside WHERE tenant = ? AND system = ? AND person IN (SELECT value FROM json_each(?))", tenant, system, list(people))
}

// PutOutside notes that people are out of scope; who was so before stays so since then.
func (tx *Tx) PutOutside(rows []Outside) error {
	return insert(tx, "outside", outsideColumns, "ON CONFLICT DO NOTHING", rows)
}

// RemoveOutside forgets that people were out of scope.
func (tx *Tx) RemoveOutside(rows []Outside) error {
	for _, o := range rows {
		if _, err := tx.exec("DELETE FROM outside WHERE tenant = ? AND system = ? AND person = ?", o.Tenant, o.System, o.Person); err != nil {
			return err
		}
	}
	return nil
}

// ForgetOutside forgets who was out of a system's scope.
func (tx *Tx) ForgetOutside(tenant, system string) error {
	_, err := tx.exec("DELETE FROM outside WHERE tenant = ? AND system = ?", tenant, system)
	return err
}
