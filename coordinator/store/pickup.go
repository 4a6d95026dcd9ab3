package store

// A Pickup is a one-time link to pick up the passwords of a person's new accounts.
type Pickup struct {
	Tenant  string
	Name    string // SHA-256 of its secret key, hexadecimal
	Person  string
	Public  string // age1…: what passwords are sealed to
	Made    Instant
	Until   Instant // not good after
	Used    Instant // when passwords were last fetched with it; none where never
	Address string  // from where that was
}

const pickupColumns = "tenant, name, person, public, made, until, used, address"

func (p *Pickup) fields() []any {
	return []any{&p.Tenant, &p.Name, &p.Person, &p.Public, &p.Made, &p.Until, &p.Used, &p.Address}
}

// AddPickup stores a new link.
func (tx *Tx) AddPickup(p Pickup) error { return insert(tx, "pickup", pickupColumns, "", []Pickup{p}) }

// Pickup returns the link of a name, of whatever tenant, or [ErrNone].
func (tx *Tx) Pickup(name string) (Pickup, error) {
	return one[Pickup](tx, "SELECT "+pickupColumns+" FROM pickup WHERE name = ?", name)
}

// UsePickup notes when and from where passwords were fetched.
func (tx *Tx) UsePickup(p Pickup) error {
	return tx.changed(tx.exec("UPDATE pickup SET used = ?, address = ? WHERE tenant = ? AND name = ?", p.Used, p.Address, p.Tenant, p.Name))
}

// ForgetPickups removes links of all tenants whose time is over, and the recipients that they are.
func (tx *Tx) ForgetPickups() error {
	over, err := query[Pickup](tx, "SELECT "+pickupColumns+" FROM pickup WHERE until < ? LIMIT 1000", tx.Now)
	for _, p := range over {
		if err == nil {
			_, err = tx.exec("DELETE FROM recipient WHERE tenant = ? AND public = ?", p.Tenant, p.Public)
		}
		if err == nil {
			_, err = tx.exec("DELETE FROM pickup WHERE tenant = ? AND name = ?", p.Tenant, p.Name)
		}
	}
	return err
}
