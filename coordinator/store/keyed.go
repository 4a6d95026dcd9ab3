package store

// A Keyed is what was done under an idempotency key.
type Keyed struct {
	Tenant  string
	Subject string // who asked
	Name    string // the key
	Request []byte // SHA-256 of what was asked for
	Status  int64  // of the answer; 0: it was done, and its answer is not known
	Kind    string // media type of the answer
	Answer  []byte
	At      Instant
}

const keyedColumns = "tenant, subject, name, request, status, kind, answer, at"

func (o *Keyed) fields() []any {
	return []any{&o.Tenant, &o.Subject, &o.Name, &o.Request, &o.Status, &o.Kind, &o.Answer, &o.At}
}

// Keyed returns what was done under a key, or [ErrNone].
func (tx *Tx) Keyed(tenant, subject, name string) (Keyed, error) {
	return one[Keyed](tx, "SELECT "+keyedColumns+" FROM keyed WHERE tenant = ? AND subject = ? AND name = ?", tenant, subject, name)
}

// AddKeyed notes that something is done under a key, in the transaction that does it. It fails where that was done before.
func (tx *Tx) AddKeyed(o Keyed) error {
	o.At, o.Answer = tx.Now, []byte{}
	return insert(tx, "keyed", keyedColumns, "", []Keyed{o})
}

// AnswerKeyed keeps the answer to what was done under a key.
func (tx *Tx) AnswerKeyed(o Keyed) error {
	_, err := tx.exec("UPDATE keyed SET status = ?, kind = ?, answer = ? WHERE tenant = ? AND subject = ? AND name = ?", o.Status, o.Kind, o.Answer, o.Tenant, o.Subject, o.Name)
	return err
}

// ForgetKeyed forgets what was done under keys before an instant.
func (tx *Tx) ForgetKeyed(before Instant) error {
	_, err := tx.exec("DELETE FROM keyed WHERE at < ?", before)
	return err
}
