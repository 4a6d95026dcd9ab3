package store

// A Session is somebody signed in at a browser. Every coordinator of the store honours it.
type Session struct {
	Tenant  string
	ID      string // hex
	Secret  []byte // SHA-256 of what the cookie holds
	Subject string // who, as their provider knows them for good
	Name    string // as shown
	Email   string
	Roles   string // with commas
	Means   string // how they signed in
	Made    Instant
	Seen    Instant // last, to some minutes
	Expires Instant // whatever they do
	Address string  // from where they signed in
	Browser string  // User-Agent
}

const sessionColumns = "tenant, id, secret, subject, name, email, roles, means, made, seen, expires, address, browser"

func (s *Session) fields() []any {
	return []any{&s.Tenant, &s.ID, &s.Secret, &s.Subject, &s.Name, &s.Email, &s.Roles, &s.Means, &s.Made, &s.Seen, &s.Expires, &s.Address, &s.Browser}
}

// AddSession stores a new session, and forgets those whose time is over.
func (tx *Tx) AddSession(s Session) error {
	if _, err := tx.exec("DELETE FROM session WHERE tenant = ? AND expires <= ?", s.Tenant, tx.Now); err != nil {
		return err
	}
	return insert(tx, "session", sessionColumns, "", []Session{s})
}

// Session returns the session with the id, of whatever tenant, or [ErrNone]. Its time may be over.
func (tx *Tx) Session(id string) (Session, error) {
	return one[Session](tx, "SELECT "+sessionColumns+" FROM session WHERE id = ?", id)
}

// Sessions returns a tenant's sessions whose time is not over, the newest first.
func (tx *Tx) Sessions(tenant string) ([]Session, error) {
	return query[Session](tx, "SELECT "+sessionColumns+" FROM session WHERE tenant = ? AND expires > ? ORDER BY made DESC, id", tenant, tx.Now)
}

// SeenSession notes that a session was used now.
func (tx *Tx) SeenSession(tenant, id string) error {
	_, err := tx.exec("UPDATE session SET seen = ? WHERE tenant = ? AND id = ?", tx.Now, tenant, id)
	return err
}

// RemoveSession ends a session and reports whether it was there.
func (tx *Tx) RemoveSession(tenant, id string) (bool, error) {
	n, err := tx.exec("DELETE FROM session WHERE tenant = ? AND id = ?", tenant, id)
	return n == 1, err
}

// RemoveSessionsOf ends every session of a subject and returns how many.
func (tx *Tx) RemoveSessionsOf(tenant, subject string) (int, error) {
	return tx.exec("DELETE FROM session WHERE tenant = ? AND subject = ?", tenant, subject)
}

// A Once is good one time, and not after its end.
type Once struct {
	Tenant  string
	ID      string // SHA-256 of its secret, hex
	Use     string // what it is good for
	Detail  string // JSON, of who made it
	Made    Instant
	Expires Instant
}

const onceColumns = "tenant, id, use, detail, made, expires"

func (o *Once) fields() []any {
	return []any{&o.Tenant, &o.ID, &o.Use, &o.Detail, &o.Made, &o.Expires}
}

// AddOnce stores what is good once, and forgets what is good no more.
func (tx *Tx) AddOnce(o Once) error {
	if _, err := tx.exec("DELETE FROM once WHERE tenant = ? AND expires <= ?", o.Tenant, tx.Now); err != nil {
		return err
	}
	return insert(tx, "once", onceColumns, "", []Once{o})
}

// Once returns what is good for the use and was not taken, or [ErrNone].
func (tx *Tx) Once(id, use string) (Once, error) {
	return one[Once](tx, "SELECT "+onceColumns+" FROM once WHERE id = ? AND use = ? AND expires > ?", id, use, tx.Now)
}

// TakeOnce takes it: of many who try one gets it, the others [ErrNone].
func (tx *Tx) TakeOnce(id, use string) (Once, error) {
	return one[Once](tx, "DELETE FROM once WHERE id = ? AND use = ? AND expires > ? RETURNING "+onceColumns, id, use, tx.Now)
}
