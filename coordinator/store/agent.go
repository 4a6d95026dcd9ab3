package store

import "time"

// An Agent is an installed service that was let in.
type Agent struct {
	Tenant      string
	ID          string
	Site        string
	Host        string
	Version     string
	Platform    string
	Enrolled    Instant
	CertSerial  string // hex
	CertExpires Instant
	Spool       string
	Batch       int64   // last batch of records of that spool that is in the store
	Connected   Instant // since when; none while away
	Seen        Instant // last
	Revoked     Instant
	Connectors  string  // DescribeResponse of each, JSON array
	Counter     int64   // of its last Hello
	Attempt     string  // of its last Hello, random
	Generation  int64   // how often it was attested
	Request     string  // to be attested anew; enroll's, JSON
	Shut        Instant // when it was last revoked or attested anew
	Guardrail   string  // linkv1.Guardrail as it last told, JSON
	Ring        string  // of updates, as an administrator or the agent's host says; "" for none
	Update      Update
}

// An Update is how an agent's update stands, as it last told; link.v1.Update says what the states are.
type Update struct {
	State    string // "" for an agent that does not update itself
	Version  string
	Cause    string
	Previous string
	Since    Instant // that State and Version are those
}

const agentColumns = "tenant, id, site, host, version, platform, enrolled, cert_serial, cert_expires, spool, batch, connected, seen, revoked, connectors, " +
	"counter, attempt, generation, request, shut, guardrail, ring, update_state, update_version, update_cause, update_previous, updated"

func (a *Agent) fields() []any {
	return []any{&a.Tenant, &a.ID, &a.Site, &a.Host, &a.Version, &a.Platform, &a.Enrolled, &a.CertSerial, &a.CertExpires,
		&a.Spool, &a.Batch, &a.Connected, &a.Seen, &a.Revoked, &a.Connectors,
		&a.Counter, &a.Attempt, &a.Generation, &a.Request, &a.Shut, &a.Guardrail, &a.Ring,
		&a.Update.State, &a.Update.Version, &a.Update.Cause, &a.Update.Previous, &a.Update.Since}
}

// AddAgent stores a new agent.
func (tx *Tx) AddAgent(a Agent) error {
	tx.touch(a.Tenant, TopicAgents)
	if a.Guardrail == "" {
		a.Guardrail = "{}"
	}
	tx.raise(&tx.store.Agents)
	tx.raise(&tx.store.Systems) // whether agents of the site have a lease
	return insert(tx, "agent", agentColumns, "", []Agent{a})
}

// Agent returns the agent, or [ErrNone].
func (tx *Tx) Agent(tenant, id string) (Agent, error) {
	return one[Agent](tx, "SELECT "+agentColumns+" FROM agent WHERE tenant = ? AND id = ?", tenant, id)
}

// Agents returns a tenant's agents by site and host.
func (tx *Tx) Agents(tenant string) ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+" FROM agent WHERE tenant = ? ORDER BY site, host, id", tenant)
}

// RenewAgent notes the certificate that an agent now has.
func (tx *Tx) RenewAgent(tenant, id, serial string, expires Instant) error {
	tx.touch(tenant, TopicAgents)
	return tx.changed(tx.exec("UPDATE agent SET cert_serial = ?, cert_expires = ? WHERE tenant = ? AND id = ?", serial, expires, tenant, id))
}

// RevokeAgent shuts an agent out from now on.
func (tx *Tx) RevokeAgent(tenant, id string) error {
	tx.touch(tenant, TopicAgents)
	tx.raise(&tx.store.Agents)
	tx.raise(&tx.store.Systems)
	tx.raise(&tx.store.Releases)
	if err := tx.DropLeave(tenant, id); err != nil {
		return err
	}
	return tx.changed(tx.exec("UPDATE agent SET revoked = ?, shut = ?, request = '' WHERE tenant = ? AND id = ?", tx.Now, tx.Now, tenant, id))
}

// RequestAgent keeps, in the place of an earlier one, what an agent asks for; "" for nothing.
func (tx *Tx) RequestAgent(tenant, id, request string) error {
	tx.touch(tenant, TopicAgents)
	return tx.changed(tx.exec("UPDATE agent SET request = ? WHERE tenant = ? AND id = ?", request, tenant, id))
}

// AttestAgent notes that an agent was attested anew: its generation is a.Generation,
// its certificate a.CertSerial and a.CertExpires, its host and its request those of
// a. Its counter and its batches begin anew.
func (tx *Tx) AttestAgent(a Agent) error {
	tx.touch(a.Tenant, TopicAgents)
	tx.raise(&tx.store.Agents)
	return tx.changed(tx.exec(`UPDATE agent SET generation = ?, cert_serial = ?, cert_expires = ?, host = ?, counter = 0, attempt = '',
		spool = '', batch = 0, request = ?, shut = ? WHERE tenant = ? AND id = ?`,
		a.Generation, a.CertSerial, a.CertExpires, a.Host, a.Request, tx.Now, a.Tenant, a.ID))
}

// ShutAgents returns the agents of all tenants that were revoked or attested anew since an instant.
func (tx *Tx) ShutAgents(since Instant) ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+" FROM agent WHERE shut <> 0 AND shut >= ?", since)
}

// ConnectAgent notes that an agent is here since now, and what its Hello said:
// Host, Version, Platform, Spool, Connectors, Counter and Attempt of a. It tells
// whether the agent knows, or may know, that it has a lease.
func (tx *Tx) ConnectAgent(a Agent) (leased bool, err error) {
	tx.touch(a.Tenant, TopicAgents)
	tx.raise(&tx.store.Agents)
	rows, err := column[int64](tx, `UPDATE agent SET connected = ?, seen = ?, takeover = 0, host = ?, version = ?, platform = ?,
		batch = CASE WHEN spool = ? THEN batch ELSE 0 END, spool = ?, connectors = ?, counter = ?, attempt = ? WHERE tenant = ? AND id = ? RETURNING leased`,
		tx.Now, tx.Now, a.Host, a.Version, a.Platform, a.Spool, a.Spool, a.Connectors, a.Counter, a.Attempt, a.Tenant, a.ID)
	if err == nil && len(rows) == 0 {
		err = ErrNone
	}
	return err == nil && rows[0] != 0, err
}

// SetRing puts an agent into a ring of updates; "" takes it out of all, and takes back its leave to switch.
func (tx *Tx) SetRing(tenant, id, ring string) error {
	tx.touch(tenant, TopicAgents)
	tx.raise(&tx.store.Releases)
	if ring == "" {
		if err := tx.DropLeave(tenant, id); err != nil {
			return err
		}
	}
	return tx.changed(tx.exec("UPDATE agent SET ring = ? WHERE tenant = ? AND id = ?", ring, tenant, id))
}

// SetGuardrail stores which guardrail an agent obeys, as told now.
func (tx *Tx) SetGuardrail(tenant, id, guardrail string) error {
	tx.touch(tenant, TopicAgents)
	return tx.changed(tx.exec("UPDATE agent SET guardrail = ? WHERE tenant = ? AND id = ?", guardrail, tenant, id))
}

// SeenAgents notes that agents are here now.
func (tx *Tx) SeenAgents(tenant string, ids []string) error {
	return tx.later("UPDATE agent SET seen = ? WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))", tx.Now, tenant, list(ids))
}

// TakeBatch notes that a batch of records of an agent's spool is in the store.
func (tx *Tx) TakeBatch(tenant, id string, batch int64) error {
	return tx.changed(tx.exec("UPDATE agent SET batch = CASE WHEN batch < ? THEN ? ELSE batch END WHERE tenant = ? AND id = ?", batch, batch, tenant, id))
}

// DisconnectAgent notes that the connection made at since is gone: a later one
// stays noted. The jobs of an agent that has a lease may be another's from
// takeover on. It tells whether the agent is revoked.
func (tx *Tx) DisconnectAgent(tenant, id string, since, takeover Instant) (revoked bool, err error) {
	tx.touch(tenant, TopicAgents)
	tx.raise(&tx.store.Agents)
	rows, err := column[Instant](tx, `UPDATE agent SET connected = 0, seen = ?, takeover = leased * CAST(? AS BIGINT)
		WHERE tenant = ? AND id = ? AND connected = ? RETURNING revoked`, tx.Now, takeover, tenant, id, since)
	if err == nil && len(rows) == 0 {
		rows, err = column[Instant](tx, "SELECT revoked FROM agent WHERE tenant = ? AND id = ?", tenant, id)
	}
	return len(rows) > 0 && rows[0] != 0, err
}

// Connected tells whether the connection made at since is the agent's last, and not known to be gone.
func (tx *Tx) Connected(tenant, id string, since Instant) (bool, error) {
	at, err := value[Instant](tx, "SELECT connected FROM agent WHERE tenant = ? AND id = ?", tenant, id)
	return at != 0 && at == since, err
}

// silent is after how long without a sign of life an agent of another coordinator is not here any more.
const silent = 5 * time.Minute

// Grace is for how long after the start of a coordinator agents keep what is
// theirs: they are about to come back.
const Grace = 25 * time.Second

// DisconnectAll notes, at the start of a coordinator, that no agent is here; where
// others share the store, of those agents only that gave no sign of life lately.
func (tx *Tx) DisconnectAll() error {
	if tx.store.Shared() {
		_, err := tx.exec("UPDATE agent SET connected = 0, takeover = leased * CAST(? AS BIGINT) WHERE connected <> 0 AND seen < ?", tx.Now, tx.Now.Add(-silent))
		return err
	}
	_, err := tx.exec("UPDATE agent SET connected = 0, takeover = leased * CAST(? AS BIGINT) WHERE connected <> 0", tx.Now.Add(Grace))
	return err
}

// changed turns an update that met no row into [ErrNone].
func (tx *Tx) changed(n int, err error) error {
	if err == nil && n == 0 {
		err = ErrNone
	}
	return err
}
