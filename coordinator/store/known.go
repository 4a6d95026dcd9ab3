package store

// A Known is something that a person is known by besides their present key.
type Known struct {
	Tenant string
	Path   string // of the attribute; empty for a key
	Value  string // folded
	Person string
}

const knownColumns = "tenant, path, value, person"

func (k *Known) fields() []any { return []any{&k.Tenant, &k.Path, &k.Value, &k.Person} }

// KnownBy returns who is known by one of the folded values at a path, in the order of values and people.
func (tx *Tx) KnownBy(tenant, path string, values []string) ([]Known, error) {
	if len(values) == 0 {
		return nil, nil
	}
	return query[Known](tx, "SELECT "+knownColumns+" FROM known WHERE tenant = ? AND path = ? AND value IN (SELECT value FROM json_each(?)) ORDER BY value, person",
		tenant, path, list(values))
}

// KnownOf returns what people are known by.
func (tx *Tx) KnownOf(tenant string, people []string) ([]Known, error) {
	return query[Known](tx, "SELECT "+knownColumns+" FROM known WHERE tenant = ? AND person IN (SELECT value FROM json_each(?)) ORDER BY person, path, value",
		tenant, list(people))
}

// PutKnown notes what people are known by.
func (tx *Tx) PutKnown(rows []Known) error {
	return insert(tx, "known", knownColumns, "ON CONFLICT DO NOTHING", rows)
}

// RemoveKnown forgets some of what people are known by.
func (tx *Tx) RemoveKnown(rows []Known) error {
	for _, k := range rows {
		if _, err := tx.exec("DELETE FROM known WHERE tenant = ? AND path = ? AND value = ? AND person = ?", k.Tenant, k.Path, k.Value, k.Person); err != nil {
			return err
		}
	}
	return nil
}

// KnownPaths returns the attributes of which every person's value is known.
func (tx *Tx) KnownPaths(tenant string) ([]string, error) {
	return column[string](tx, "SELECT path FROM known_path WHERE tenant = ? ORDER BY path", tenant)
}

// AddKnownPath notes that every person's value of the attribute is known from now on.
func (tx *Tx) AddKnownPath(tenant, path string) error {
	_, err := tx.exec("INSERT INTO known_path (tenant, path) VALUES (?, ?) ON CONFLICT DO NOTHING", tenant, path)
	return err
}

// Rekey gives a person another key, which nobody else has.
func (tx *Tx) Rekey(tenant, person, key, spelled string) error {
	_, err := tx.exec("UPDATE person SET key = ?, spelled = ? WHERE tenant = ? AND id = ?", key, spelled, tenant, person)
	return err
}
