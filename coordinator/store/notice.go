package store

// A Webhook is where somebody wants to be told by HTTP.
type Webhook struct {
	Tenant   string
	ID       string
	Name     string
	URL      string
	Secret   string // whsec_ and base64
	Kinds    string // JSON array of kinds of events; empty: all
	Paused   bool
	Made     Instant
	Revision int64 // rises with every change
}

const webhookColumns = "tenant, id, name, url, secret, kinds, paused, made, revision"

func (w *Webhook) fields() []any {
	return []any{&w.Tenant, &w.ID, &w.Name, &w.URL, &w.Secret, &w.Kinds, &w.Paused, &w.Made, &w.Revision}
}

// PutWebhook stores a webhook, new or changed; its next revision is set in w.
func (tx *Tx) PutWebhook(w *Webhook) error {
	w.Revision++
	if w.Made == 0 {
		w.Made = tx.Now
	}
	return insert(tx, "webhook", webhookColumns, `ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, url = excluded.url, secret = excluded.secret,
		kinds = excluded.kinds, paused = excluded.paused, revision = excluded.revision`, []Webhook{*w})
}

// Webhooks returns a tenant's webhooks by name.
func (tx *Tx) Webhooks(tenant string) ([]Webhook, error) {
	return query[Webhook](tx, "SELECT "+webhookColumns+" FROM webhook WHERE tenant = ? ORDER BY name, id", tenant)
}

// Webhook returns a webhook, or [ErrNone].
func (tx *Tx) Webhook(tenant, id string) (Webhook, error) {
	return one[Webhook](tx, "SELECT "+webhookColumns+" FROM webhook WHERE tenant = ? AND id = ?", tenant, id)
}

// RemoveWebhook removes a webhook with what was told to it, and reports whether it was there.
func (tx *Tx) RemoveWebhook(tenant, id string) (bool, error) {
	if _, err := tx.exec("DELETE FROM notice WHERE tenant = ? AND receiver = ?", tenant, id); err != nil {
		return false, err
	}
	n, err := tx.exec("DELETE FROM webhook WHERE tenant = ? AND id = ?", tenant, id)
	return n > 0, err
}

// A MailTo is who is told by e-mail.
type MailTo struct {
	Tenant  string
	Address string
	Kinds   string // JSON array of kinds of events; empty: all
	Made    Instant
}

const mailToColumns = "tenant, address, kinds, made"

func (m *MailTo) fields() []any { return []any{&m.Tenant, &m.Address, &m.Kinds, &m.Made} }

// PutMailTo stores who is told by e-mail, new or changed.
func (tx *Tx) PutMailTo(m MailTo) error {
	m.Made = tx.Now
	return insert(tx, "mail_to", mailToColumns, "ON CONFLICT (tenant, address) DO UPDATE SET kinds = excluded.kinds", []MailTo{m})
}

// MailTos returns who of a tenant is told by e-mail, by address.
func (tx *Tx) MailTos(tenant string) ([]MailTo, error) {
	return query[MailTo](tx, "SELECT "+mailToColumns+" FROM mail_to WHERE tenant = ? ORDER BY address", tenant)
}

// RemoveMailTo has somebody told no more by e-mail, and reports whether they were.
func (tx *Tx) RemoveMailTo(tenant, address string) (bool, error) {
	if _, err := tx.exec("UPDATE notice SET next = 0, detail = 'the address was removed' WHERE tenant = ? AND receiver = ? AND next <> 0", tenant, "mailto:"+address); err != nil {
		return false, err
	}
	n, err := tx.exec("DELETE FROM mail_to WHERE tenant = ? AND address = ?", tenant, address)
	return n > 0, err
}

// A Notice is an event on its way to one receiver.
type Notice struct {
	Tenant   string
	ID       string // of the event: the same for all its receivers
	Receiver string // id of a webhook; mailto: and an address
	Kind     string
	Body     []byte // JSON
	Made     Instant
	Next     Instant // when it is tried; none: no more
	Tries    int64
	Done     Instant // when it was delivered
	Status   int64   // HTTP status of the last answer
	Detail   string  // what came of the last try
	Took     int64   // milliseconds that the last try took
	Request  string  // start line and headers of the last try
	Answer   string  // start line, headers and body that came back, the first 4 KiB; "" for none
}

const noticeColumns = "tenant, id, receiver, kind, body, made, next, tries, done, status, detail, took, request, answer"

func (n *Notice) fields() []any {
	return []any{&n.Tenant, &n.ID, &n.Receiver, &n.Kind, &n.Body, &n.Made, &n.Next, &n.Tries, &n.Done, &n.Status, &n.Detail, &n.Took, &n.Request, &n.Answer}
}

// AddNotices stores notices to be delivered from now on.
func (tx *Tx) AddNotices(rows []Notice) error {
	for i := range rows {
		rows[i].Made, rows[i].Next = tx.Now, tx.Now
	}
	if len(rows) > 0 {
		tx.raise(&tx.store.Notices)
	}
	return insert(tx, "notice", noticeColumns, "", rows)
}

// ClaimNotices returns up to limit notices whose time has come, the earliest
// first, and puts their next try off until an instant, so that no other takes them meanwhile.
func (tx *Tx) ClaimNotices(limit int, until Instant) ([]Notice, error) {
	rows, err := query[Notice](tx, "SELECT "+noticeColumns+" FROM notice WHERE next <> 0 AND next <= ? ORDER BY next LIMIT ?", tx.Now, limit)
	for _, n := range rows {
		if err == nil {
			_, err = tx.exec("UPDATE notice SET next = ? WHERE tenant = ? AND receiver = ? AND made = ? AND id = ?", until, n.Tenant, n.Receiver, n.Made, n.ID)
		}
	}
	return rows, err
}

// NextNotice returns when the earliest notice is to be tried, or none.
func (tx *Tx) NextNotice() (Instant, error) {
	return value[Instant](tx, "SELECT coalesce(min(next), 0) FROM notice WHERE next <> 0")
}

// TriedNotice stores what came of a try.
func (tx *Tx) TriedNotice(n Notice) error {
	_, err := tx.exec("UPDATE notice SET next = ?, tries = ?, done = ?, status = ?, detail = ?, took = ?, request = ?, answer = ? WHERE tenant = ? AND receiver = ? AND made = ? AND id = ?",
		n.Next, n.Tries, n.Done, n.Status, n.Detail, n.Took, n.Request, n.Answer, n.Tenant, n.Receiver, n.Made, n.ID)
	return err
}

// Notices returns up to limit notices to a receiver that were made before an instant, the newest first; none means from the end.
func (tx *Tx) Notices(tenant, receiver string, before Instant, limit int) ([]Notice, error) {
	w := filter{text: "tenant = ? AND receiver = ?", args: []any{tenant, receiver}}
	if before != 0 {
		w.text += " AND made < ?"
		w.args = append(w.args, before)
	}
	return query[Notice](tx, "SELECT "+noticeColumns+" FROM notice WHERE "+w.text+" ORDER BY made DESC, id LIMIT ?", append(w.args, limit)...)
}

// DeliverAgain has a notice to a receiver delivered once more, and reports whether it is there.
func (tx *Tx) DeliverAgain(tenant, receiver, id string) (bool, error) {
	tx.raise(&tx.store.Notices)
	n, err := tx.exec("UPDATE notice SET next = ?, tries = 0, done = 0 WHERE tenant = ? AND receiver = ? AND id = ?", tx.Now, tenant, receiver, id)
	return n > 0, err
}

// A Told is what a tenant's receivers were told and is not over.
type Told struct {
	Name string
	At   Instant
	Text string
}

func (t *Told) fields() []any { return []any{&t.Name, &t.At, &t.Text} }

// Told returns what a tenant's receivers were told and is not over.
func (tx *Tx) Told(tenant string) ([]Told, error) {
	return query[Told](tx, "SELECT name, at, text FROM told WHERE tenant = ? ORDER BY name", tenant)
}

// SetTold notes that something was told.
func (tx *Tx) SetTold(tenant, name, text string) error {
	_, err := tx.exec("INSERT INTO told (tenant, name, at, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", tenant, name, tx.Now, text)
	return err
}

// RemoveTold notes that something that was told is over.
func (tx *Tx) RemoveTold(tenant, name string) error {
	_, err := tx.exec("DELETE FROM told WHERE tenant = ? AND name = ?", tenant, name)
	return err
}
