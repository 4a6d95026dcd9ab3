package store

// A Tenant is a customer organisation.
type Tenant struct {
	ID   string
	Made Instant
}

func (t *Tenant) fields() []any { return []any{&t.ID, &t.Made} }

// PutTenant adds a tenant unless it is there.
func (tx *Tx) PutTenant(id string) error {
	return insert(tx, "tenant", "id, made", "ON CONFLICT DO NOTHING", []Tenant{{ID: id, Made: tx.Now}})
}

// Tenants returns all tenants.
func (tx *Tx) Tenants() ([]Tenant, error) {
	return query[Tenant](tx, "SELECT id, made FROM tenant ORDER BY id")
}

// A JoinToken lets one agent in, once.
type JoinToken struct {
	Tenant  string
	ID      string // hex
	Secret  []byte // SHA-256 of it
	Site    string
	Made    Instant
	Expires Instant
	Used    Instant
	UsedBy  string // host
}

const joinTokenColumns = "tenant, id, secret, site, made, expires, used, used_by"

func (t *JoinToken) fields() []any {
	return []any{&t.Tenant, &t.ID, &t.Secret, &t.Site, &t.Made, &t.Expires, &t.Used, &t.UsedBy}
}

// AddJoinToken stores a new token.
func (tx *Tx) AddJoinToken(t JoinToken) error {
	return insert(tx, "join_token", joinTokenColumns, "", []JoinToken{t})
}

// JoinToken returns the token with the id, of whatever tenant, or [ErrNone].
func (tx *Tx) JoinToken(id string) (JoinToken, error) {
	return one[JoinToken](tx, "SELECT "+joinTokenColumns+" FROM join_token WHERE id = ?", id)
}

// JoinTokens returns a tenant's tokens, the newest first.
func (tx *Tx) JoinTokens(tenant string) ([]JoinToken, error) {
	return query[JoinToken](tx, "SELECT "+joinTokenColumns+" FROM join_token WHERE tenant = ? ORDER BY made DESC, id", tenant)
}

// UseJoinToken marks a token used by host, and reports whether it was unused.
func (tx *Tx) UseJoinToken(tenant, id, host string) (bool, error) {
	n, err := tx.exec("UPDATE join_token SET used = ?, used_by = ? WHERE tenant = ? AND id = ? AND used = 0", tx.Now, host, tenant, id)
	return n == 1, err
}

// An APIToken lets somebody, or a program, use the API.
type APIToken struct {
	Tenant  string
	ID      string
	Secret  []byte // SHA-256
	Name    string
	Made    Instant
	Used    Instant // last
	Roles   string  // with commas
	Expires Instant // none: never
	Maker   string  // who made it
	Owner   string  // subject of whose command line it is; "": a program's
}

const apiTokenColumns = "tenant, id, secret, name, made, used, roles, expires, maker, owner"

func (t *APIToken) fields() []any {
	return []any{&t.Tenant, &t.ID, &t.Secret, &t.Name, &t.Made, &t.Used, &t.Roles, &t.Expires, &t.Maker, &t.Owner}
}

// PutAPIToken stores a token, replacing one with its id.
func (tx *Tx) PutAPIToken(t APIToken) error {
	return insert(tx, "api_token", apiTokenColumns,
		`ON CONFLICT (tenant, id) DO UPDATE SET secret = excluded.secret, name = excluded.name, made = excluded.made, used = excluded.used,
		roles = excluded.roles, expires = excluded.expires, maker = excluded.maker, owner = excluded.owner`, []APIToken{t})
}

// APIToken returns the token with the id, of whatever tenant, or [ErrNone].
func (tx *Tx) APIToken(id string) (APIToken, error) {
	return one[APIToken](tx, "SELECT "+apiTokenColumns+" FROM api_token WHERE id = ?", id)
}

// APITokens returns a tenant's tokens.
func (tx *Tx) APITokens(tenant string) ([]APIToken, error) {
	return query[APIToken](tx, "SELECT "+apiTokenColumns+" FROM api_token WHERE tenant = ? ORDER BY made, id", tenant)
}

// UsedAPIToken notes that a token was used now.
func (tx *Tx) UsedAPIToken(tenant, id string) error {
	_, err := tx.exec("UPDATE api_token SET used = ? WHERE tenant = ? AND id = ?", tx.Now, tenant, id)
	return err
}

// RemoveAPIToken removes a token and reports whether it was there.
func (tx *Tx) RemoveAPIToken(tenant, id string) (bool, error) {
	n, err := tx.exec("DELETE FROM api_token WHERE tenant = ? AND id = ?", tenant, id)
	return n == 1, err
}

// RemoveAPITokensOf removes the tokens of a subject's command lines and returns how many.
func (tx *Tx) RemoveAPITokensOf(tenant, owner string) (int, error) {
	return tx.exec("DELETE FROM api_token WHERE tenant = ? AND owner = ? AND owner <> ''", tenant, owner)
}

// RemoveEndedAPITokens removes the tokens of command lines whose time is over.
func (tx *Tx) RemoveEndedAPITokens(tenant string) error {
	_, err := tx.exec("DELETE FROM api_token WHERE tenant = ? AND owner <> '' AND expires <> 0 AND expires <= ?", tenant, tx.Now)
	return err
}
