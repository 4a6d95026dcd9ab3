package store

import "strings"

// likeEscaper makes a text one that LIKE takes as it is.
var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// A TokenSCIM says that an API token is good for SCIM alone.
type TokenSCIM struct {
	Tenant string
	Token  string // id
	Source string // system whose records it pushes; empty: it reads the directory
}

func (t *TokenSCIM) fields() []any { return []any{&t.Tenant, &t.Token, &t.Source} }

// PutTokenSCIM restricts a token.
func (tx *Tx) PutTokenSCIM(t TokenSCIM) error {
	return insert(tx, "token_scim", "tenant, token, source", "ON CONFLICT (tenant, token) DO UPDATE SET source = excluded.source", []TokenSCIM{t})
}

// TokenSCIM returns what a token is restricted to, or [ErrNone].
func (tx *Tx) TokenSCIM(tenant, token string) (TokenSCIM, error) {
	return one[TokenSCIM](tx, "SELECT tenant, token, source FROM token_scim WHERE tenant = ? AND token = ?", tenant, token)
}

// TokensSCIM returns the restrictions of a tenant's tokens.
func (tx *Tx) TokensSCIM(tenant string) ([]TokenSCIM, error) {
	return query[TokenSCIM](tx, "SELECT tenant, token, source FROM token_scim WHERE tenant = ? ORDER BY token", tenant)
}

// RemoveTokenSCIM forgets what a token was restricted to: it is removed itself.
func (tx *Tx) RemoveTokenSCIM(tenant, token string) error {
	_, err := tx.exec("DELETE FROM token_scim WHERE tenant = ? AND token = ?", tenant, token)
	return err
}

// A Pushed is a value that only one record pushed to a source has.
type Pushed struct {
	Tenant string
	System string
	Path   string
	Value  string
	ID     string // native id of the account
}

const pushedColumns = "tenant, system, path, value, id"

func (p *Pushed) fields() []any { return []any{&p.Tenant, &p.System, &p.Path, &p.Value, &p.ID} }

// Pushed returns whose the value is, or [ErrNone].
func (tx *Tx) Pushed(tenant, system, path, value string) (Pushed, error) {
	return one[Pushed](tx, "SELECT "+pushedColumns+" FROM pushed WHERE tenant = ? AND system = ? AND path = ? AND value = ?", tenant, system, path, value)
}

// PutPushed notes whose values are.
func (tx *Tx) PutPushed(rows []Pushed) error {
	return insert(tx, "pushed", pushedColumns, "ON CONFLICT (tenant, system, path, value) DO UPDATE SET id = excluded.id", rows)
}

// RemovePushed frees values that are still the records'.
func (tx *Tx) RemovePushed(rows []Pushed) error {
	for _, p := range rows {
		if _, err := tx.exec("DELETE FROM pushed WHERE tenant = ? AND system = ? AND path = ? AND value = ? AND id = ?", p.Tenant, p.System, p.Path, p.Value, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// A Walk says which rows a walk in the order of ids takes.
type Walk struct {
	After  string  // id
	Since  Instant // changed then or later
	Needle string  // folded ASCII text that a person's attributes or key must hold; empty: any
	Skip   int
	Limit  int
}

// ofKind chooses rows of people of a kind; of groups by their own index.
func ofKind(kind string) string {
	if kind == "" {
		return "kind = ''"
	}
	return "kind <> ''"
}

// WalkPeople returns the next people of a walk, or, of that kind, groups.
func (tx *Tx) WalkPeople(tenant, kind string, w Walk) ([]Person, error) {
	f := filter{text: "tenant = ? AND id > ? AND " + ofKind(kind), args: []any{tenant, w.After}}
	f.walk(w)
	return query[Person](tx, "SELECT "+personColumns+" FROM person WHERE "+f.text, f.args...)
}

// notGroups leaves out the groups among the accounts of a source that is pushed.
const notGroups = " AND NOT EXISTS (SELECT 1 FROM pushed_group g WHERE g.tenant = account.tenant AND g.system = account.system AND g.id = account.id)"

// WalkAccounts returns the next accounts of a walk over those of a pushed source that exist, without groups.
func (tx *Tx) WalkAccounts(tenant, system string, w Walk) ([]Account, error) {
	f := filter{text: "tenant = ? AND system = ? AND id > ? AND gone = 0 AND missing = 0", args: []any{tenant, system, w.After}}
	w.Needle = ""
	f.text += notGroups
	f.walk(w)
	return query[Account](tx, "SELECT "+accountColumns+" FROM account WHERE "+f.text, f.args...)
}

func (f *filter) walk(w Walk) {
	if w.Since > 0 {
		f.text += " AND changed >= ?"
		f.args = append(f.args, w.Since)
	}
	if w.Needle != "" {
		f.text += ` AND (key = ? OR lower(attributes) LIKE ? ESCAPE '!')`
		f.args = append(f.args, w.Needle, "%"+likeEscaper.Replace(w.Needle)+"%")
	}
	f.text += " ORDER BY id LIMIT ? OFFSET ?"
	f.args = append(f.args, w.Limit, w.Skip)
}

// CountPeopleSince returns how many people, or groups, changed at an instant or later.
func (tx *Tx) CountPeopleSince(tenant, kind string, since Instant) (int, error) {
	if since == 0 && kind == "" {
		return tx.CountPeople(tenant)
	}
	return value[int](tx, "SELECT count(*) FROM person WHERE tenant = ? AND changed >= ? AND "+ofKind(kind), tenant, since)
}

// CountAccountsSince returns how many accounts of a pushed source exist that changed at an instant or later, without groups.
func (tx *Tx) CountAccountsSince(tenant, system string, since Instant) (int, error) {
	return value[int](tx, "SELECT count(*) FROM account WHERE tenant = ? AND system = ? AND gone = 0 AND missing = 0 AND changed >= ?"+notGroups, tenant, system, since)
}

// CountGoneSince returns how many accounts of a system are gone since an instant or later.
func (tx *Tx) CountGoneSince(tenant, system string, since Instant) (int, error) {
	return value[int](tx, "SELECT count(*) FROM account WHERE tenant = ? AND system = ? AND gone <> 0 AND gone >= ?", tenant, system, since)
}

// PeopleIn returns which of the people have a record that exists in one of the systems.
func (tx *Tx) PeopleIn(tenant string, people, systems []string) ([]string, error) {
	return column[string](tx, `SELECT DISTINCT person FROM account WHERE tenant = ? AND person <> '' AND person IN (SELECT value FROM json_each(?))
		AND gone = 0 AND mirror = 0 AND system IN (SELECT value FROM json_each(?))`, tenant, list(people), list(systems))
}
