package store

// A Recipient is somebody to whom new passwords may be sealed.
type Recipient struct {
	Tenant string
	Name   string // folded
	Label  string // the name as it was given
	Public string // age1…
	Made   Instant
}

const recipientColumns = "tenant, name, label, public, made"

func (r *Recipient) fields() []any { return []any{&r.Tenant, &r.Name, &r.Label, &r.Public, &r.Made} }

// PutRecipient stores a recipient, replacing the one with the name.
func (tx *Tx) PutRecipient(r Recipient) error {
	return insert(tx, "recipient", recipientColumns,
		"ON CONFLICT (tenant, name) DO UPDATE SET label = excluded.label, public = excluded.public, made = excluded.made", []Recipient{r})
}

// Recipients returns a tenant's recipients by name.
func (tx *Tx) Recipients(tenant string) ([]Recipient, error) {
	return query[Recipient](tx, "SELECT "+recipientColumns+" FROM recipient WHERE tenant = ? ORDER BY name", tenant)
}

// RecipientsNamed returns those that are there of the recipients with the folded names.
func (tx *Tx) RecipientsNamed(tenant string, names []string) ([]Recipient, error) {
	return query[Recipient](tx, "SELECT "+recipientColumns+` FROM recipient WHERE tenant = ?
		AND name IN (SELECT value FROM json_each(?)) ORDER BY name`, tenant, list(names))
}

// RemoveRecipient removes a recipient and reports whether it was there.
func (tx *Tx) RemoveRecipient(tenant, name string) (bool, error) {
	n, err := tx.exec("DELETE FROM recipient WHERE tenant = ? AND name = ?", tenant, name)
	return n == 1, err
}
