package store

// A History entry is a line of the provisioning log.
type History struct {
	Seq     int64 // given by the store
	Tenant  string
	At      Instant
	Kind    string
	System  string
	Person  string
	Account string
	Job     int64
	Text    string // one line for people
	Body    []byte // JSON, may be nil
}

const historyColumns = "tenant, at, kind, system, person, account, job, text, body"

// unnumbered are the fields of an entry whose number the store will give.
func (h *History) unnumbered() []any { return h.fields()[1:] }

func (h *History) fields() []any {
	return []any{&h.Seq, &h.Tenant, &h.At, &h.Kind, &h.System, &h.Person, &h.Account, &h.Job, &h.Text, &h.Body}
}

// AddHistory appends entries to the log; At is set to now in rows where it is none.
func (tx *Tx) AddHistory(rows []History) error {
	for i := range rows {
		if rows[i].At == 0 {
			rows[i].At = tx.Now
		}
		tx.touch(rows[i].Tenant, topicsOf(rows[i].Kind)...)
	}
	return insertFields(tx, "history", historyColumns, "", rows, (*History).unnumbered)
}

// HistoryOf returns up to limit entries about a person before the given
// number, the newest first; a number of 0 means from the end.
func (tx *Tx) HistoryOf(tenant, person string, before int64, limit int) ([]History, error) {
	ids, err := tx.underIDs(tenant, person)
	if err != nil {
		return nil, err
	}
	return query[History](tx, "SELECT seq, "+historyColumns+" FROM history WHERE tenant = ? AND "+ofPerson+`
		AND (CAST(? AS BIGINT) = 0 OR seq < ?) ORDER BY seq DESC LIMIT ?`, tenant, ids, before, before, limit)
}

// HistoryAfter returns up to limit entries after the given number, the oldest first.
func (tx *Tx) HistoryAfter(tenant string, after int64, limit int) ([]History, error) {
	return query[History](tx, "SELECT seq, "+historyColumns+" FROM history WHERE seq > ? AND tenant = ? ORDER BY seq LIMIT ?", after, tenant, limit)
}

// HistoryBefore returns up to limit entries before the given number, the newest first; 0 means from the end.
func (tx *Tx) HistoryBefore(tenant string, before int64, limit int) ([]History, error) {
	return query[History](tx, "SELECT seq, "+historyColumns+` FROM history WHERE (CAST(? AS BIGINT) = 0 OR seq < ?) AND tenant = ?
		ORDER BY seq DESC LIMIT ?`, before, before, tenant, limit)
}
