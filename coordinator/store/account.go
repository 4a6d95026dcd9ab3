package store

// An Account is an object as it exists in a system, with its last known values.
type Account struct {
	Tenant  string
	System  string
	ID      string // native id
	Class   string
	Address string
	Match   string // value of the match attribute, folded; empty when none
	Person  string // empty while nobody's
	Object  []byte // connectorv1.Object, protobuf
	Changed Instant
	Gone    Instant // since when it is deleted in the system
	Missing int64   // cycle that found it gone, not yet believed
	Seen    int64   // cycle that last sent it
	Mirror  int64   // where the system is source and target of the class: what the object is there
}

// What an object is of a system that is both source and target of its class.
const (
	MirrorNone  = 0 // a record: whoever it is of has their home in the system; also every object of other systems
	MirrorOurs  = 1 // the account of somebody whose home is elsewhere: made by us, or recognised
	MirrorMaybe = 2 // it stands where one of ours is being made; the result of that tells
)

const accountColumns = "tenant, system, id, class, address, match, person, object, changed, gone, missing, seen, mirror"

func (a *Account) fields() []any {
	return []any{&a.Tenant, &a.System, &a.ID, &a.Class, &a.Address, &a.Match, &a.Person, &a.Object, &a.Changed, &a.Gone, &a.Missing, &a.Seen, &a.Mirror}
}

const selectAccount = "SELECT " + accountColumns + " FROM account WHERE tenant = ?"

// Accounts returns those that are there of the accounts of a system with the ids, in no order, also those gone.
func (tx *Tx) Accounts(tenant, system string, ids []string) ([]Account, error) {
	return queryMost[Account](tx, len(ids), selectAccount+" AND system = ? AND id IN (SELECT value FROM json_each(?))", tenant, system, list(ids))
}

// AccountsOf returns the accounts of people in every system, those of sources among them, in no order, also those gone.
func (tx *Tx) AccountsOf(tenant string, people []string) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND person <> '' AND person IN (SELECT value FROM json_each(?))", tenant, list(people))
}

// AccountsByMatch returns the accounts of a system that have one of the folded match values, are nobody's and not gone.
func (tx *Tx) AccountsByMatch(tenant, system string, matches []string) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND system = ? AND match <> '' AND person = '' AND match IN (SELECT value FROM json_each(?)) AND gone = 0",
		tenant, system, list(matches))
}

// AccountsAfter returns up to limit accounts of a system in the order of their ids, those after the given id: a way to walk over all.
func (tx *Tx) AccountsAfter(tenant, system, id string, limit int) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND system = ? AND id > ? ORDER BY id LIMIT ?", tenant, system, id, limit)
}

// PutAccounts stores accounts, new or changed.
func (tx *Tx) PutAccounts(rows []Account) error {
	return insert(tx, "account", accountColumns, `ON CONFLICT (tenant, system, id) DO UPDATE SET class = excluded.class, address = excluded.address,
		match = excluded.match, person = excluded.person, object = excluded.object, changed = excluded.changed,
		gone = excluded.gone, missing = excluded.missing, seen = excluded.seen, mirror = excluded.mirror`, rows)
}

// SetAccounts is PutAccounts for accounts that are there: to a server it is half the work.
func (tx *Tx) SetAccounts(rows []Account) error {
	if !tx.Shared() {
		return tx.PutAccounts(rows)
	}
	return updateArrays(tx, "account", accountColumns, 3, rows, (*Account).fields)
}

// MarkMissing notes that a cycle found the accounts with the ids gone, unless they are known to be.
func (tx *Tx) MarkMissing(tenant, system string, cycle int64, ids []string) (int, error) {
	return tx.exec(`UPDATE account SET missing = ? WHERE tenant = ? AND system = ? AND gone = 0
		AND id IN (SELECT value FROM json_each(?))`, cycle, tenant, system, list(ids))
}

// MarkSeen notes that a cycle sent the accounts with the ids, which are as they were.
func (tx *Tx) MarkSeen(tenant, system string, cycle int64, ids []string) error {
	_, err := tx.exec(`UPDATE account SET seen = ?, missing = 0 WHERE tenant = ? AND system = ?
		AND id IN (SELECT value FROM json_each(?))`, cycle, tenant, system, list(ids))
	return err
}

// MarkUnseen notes that a cycle that sent everything did not send the other
// accounts, save those that changed after it began or that it could not read.
// Where it does not tell which it could not read, nothing is noted.
func (tx *Tx) MarkUnseen(tenant, system string, cycle int64, began Instant) (int, error) {
	return tx.exec(`UPDATE account SET missing = ? WHERE tenant = ? AND system = ? AND gone = 0 AND seen < ? AND changed < ?
		AND NOT EXISTS (SELECT 1 FROM reject WHERE tenant = ? AND system = ? AND cycle = ? AND (object = '' OR object = account.id))`,
		cycle, tenant, system, cycle, began, tenant, system, cycle)
}

// MissingAccounts returns up to limit accounts of a system that cycles up to the given one found missing.
func (tx *Tx) MissingAccounts(tenant, system string, cycle int64, limit int) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND system = ? AND missing <> 0 AND missing <= ? ORDER BY id LIMIT ?", tenant, system, cycle, limit)
}

// CountMissing returns how many accounts of a system are missing.
func (tx *Tx) CountMissing(tenant, system string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM account WHERE tenant = ? AND system = ? AND missing <> 0", tenant, system)
}

// BelieveMissing makes the accounts with the ids gone.
func (tx *Tx) BelieveMissing(tenant, system string, ids []string) error {
	_, err := tx.exec(`UPDATE account SET missing = 0, gone = ?, changed = ? WHERE tenant = ? AND system = ? AND missing <> 0
		AND id IN (SELECT value FROM json_each(?))`, tx.Now, tx.Now, tenant, system, list(ids))
	return err
}

// DiscardMissing forgets that accounts of a system were found gone by the cycle, or by any when it is 0.
func (tx *Tx) DiscardMissing(tenant, system string, cycle int64) (int, error) {
	return tx.exec("UPDATE account SET missing = 0 WHERE tenant = ? AND system = ? AND missing <> 0 AND (CAST(? AS BIGINT) = 0 OR missing = ?)",
		tenant, system, cycle, cycle)
}

// CountAccounts returns how many accounts of a system exist.
func (tx *Tx) CountAccounts(tenant, system string) (int, error) {
	return value[int](tx, "SELECT count(*) FROM account WHERE tenant = ? AND system = ? AND gone = 0", tenant, system)
}

// MirrorsByMatch returns the accounts of a system that have one of the folded match values, and whose owners have their home elsewhere.
func (tx *Tx) MirrorsByMatch(tenant, system string, matches []string) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND system = ? AND mirror <> 0 AND match IN (SELECT value FROM json_each(?)) AND gone = 0",
		tenant, system, list(matches))
}

// MaybeMirrors returns up to limit objects of a system of which it was not known yet whether they are ours.
func (tx *Tx) MaybeMirrors(tenant, system string, limit int) ([]Account, error) {
	return query[Account](tx, selectAccount+" AND system = ? AND mirror <> 0 AND mirror = 2 AND gone = 0 ORDER BY id LIMIT ?", tenant, system, limit)
}

// SetMirrors says of accounts of a system what they are.
func (tx *Tx) SetMirrors(tenant, system string, ids []string, mirror int64) error {
	_, err := tx.exec("UPDATE account SET mirror = ? WHERE tenant = ? AND system = ? AND id IN (SELECT value FROM json_each(?))", mirror, tenant, system, list(ids))
	return err
}

// MirrorAll makes mirrors of all accounts of a class of a system that are somebody's.
func (tx *Tx) MirrorAll(tenant, system, class string) error {
	_, err := tx.exec("UPDATE account SET mirror = 1 WHERE tenant = ? AND system = ? AND class = ? AND person <> ''", tenant, system, class)
	return err
}
