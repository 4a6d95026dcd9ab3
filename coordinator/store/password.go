package store

// A Password is one that a connector made and sealed, until it is picked up.
type Password struct {
	Tenant     string
	Job        int64 // that made it
	System     string
	Person     string
	Account    string // native id
	Recipients string // keys that it is sealed to, JSON
	Box        []byte // age
	Made       Instant
}

const passwordColumns = "tenant, job, system, person, account, recipients, box, made"

func (p *Password) fields() []any {
	return []any{&p.Tenant, &p.Job, &p.System, &p.Person, &p.Account, &p.Recipients, &p.Box, &p.Made}
}

// AddPasswords stores sealed passwords; Made is set to now.
func (tx *Tx) AddPasswords(rows []Password) error {
	for _, p := range rows {
		tx.touch(p.Tenant, TopicPasswords)
	}
	for i := range rows {
		rows[i].Made = tx.Now
	}
	return insert(tx, "password", passwordColumns, "", rows)
}

// VoidPasswords forgets those made for an account before a job made another.
func (tx *Tx) VoidPasswords(p Password) error {
	_, err := tx.exec("DELETE FROM password WHERE tenant = ? AND person = ? AND system = ? AND account = ? AND job < ?", p.Tenant, p.Person, p.System, p.Account, p.Job)
	return err
}

// Passwords returns up to limit of a tenant's passwords, the newest first; of
// one person unless person is "".
func (tx *Tx) Passwords(tenant, person string, limit int) ([]Password, error) {
	return query[Password](tx, "SELECT "+passwordColumns+` FROM password WHERE tenant = ? AND (? = '' OR person = ?)
		ORDER BY job DESC LIMIT ?`, tenant, person, person, limit)
}

// Password returns the password that a job made, or [ErrNone].
func (tx *Tx) Password(tenant string, job int64) (Password, error) {
	return one[Password](tx, "SELECT "+passwordColumns+" FROM password WHERE tenant = ? AND job = ?", tenant, job)
}

// PasswordsBefore returns up to limit passwords, of whatever tenant, that were made before an instant.
func (tx *Tx) PasswordsBefore(at Instant, limit int) ([]Password, error) {
	return query[Password](tx, "SELECT "+passwordColumns+" FROM password WHERE made < ? ORDER BY made LIMIT ?", at, limit)
}

// RemovePassword forgets the password that a job made.
func (tx *Tx) RemovePassword(tenant string, job int64) error {
	tx.touch(tenant, TopicPasswords)
	_, err := tx.exec("DELETE FROM password WHERE tenant = ? AND job = ?", tenant, job)
	return err
}
