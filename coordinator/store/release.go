package store

import "errors"

// A Release is one of the agent's side. What it consists of its file says.
type Release struct {
	Tenant  string
	Version string
	File    []byte // proto/release, signed
	Added   Instant
	Who     string
}

const releaseColumns = "tenant, version, file, added, who"

func (r *Release) fields() []any { return []any{&r.Tenant, &r.Version, &r.File, &r.Added, &r.Who} }

// AddRelease stores a release in the place of one of the same version.
func (tx *Tx) AddRelease(r Release) error {
	tx.raise(&tx.store.Releases)
	if _, err := tx.exec("DELETE FROM agent_release WHERE tenant = ? AND version = ?", r.Tenant, r.Version); err != nil {
		return err
	}
	return insert(tx, "agent_release", releaseColumns, "", []Release{r})
}

// Release returns a release, or [ErrNone].
func (tx *Tx) Release(tenant, version string) (Release, error) {
	return one[Release](tx, "SELECT "+releaseColumns+" FROM agent_release WHERE tenant = ? AND version = ?", tenant, version)
}

// Releases returns a tenant's releases, in the order they were added.
func (tx *Tx) Releases(tenant string) ([]Release, error) {
	return query[Release](tx, "SELECT "+releaseColumns+" FROM agent_release WHERE tenant = ? ORDER BY added, version", tenant)
}

// RemoveRelease forgets a release; its executables are [Tx.RemoveExecutable]'s.
func (tx *Tx) RemoveRelease(tenant, version string) error {
	tx.raise(&tx.store.Releases)
	return tx.changed(tx.exec("DELETE FROM agent_release WHERE tenant = ? AND version = ?", tenant, version))
}

// RemoveExecutable forgets the parts of an executable.
func (tx *Tx) RemoveExecutable(tenant, sha256 string) error {
	_, err := tx.exec("DELETE FROM release_part WHERE tenant = ? AND sha256 = ?", tenant, sha256)
	return err
}

// PutReleasePart stores a part of an executable, counted from 0, again perhaps.
func (tx *Tx) PutReleasePart(tenant, sha256 string, part int64, data []byte) error {
	tx.raise(&tx.store.Releases)
	_, err := tx.exec("INSERT INTO release_part (tenant, sha256, part, data) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, sha256, part) DO UPDATE SET data = excluded.data",
		tenant, sha256, part, data)
	return err
}

// ReleasePart returns a part of an executable, or [ErrNone].
func (tx *Tx) ReleasePart(tenant, sha256 string, part int64) ([]byte, error) {
	all, err := column[[]byte](tx, "SELECT data FROM release_part WHERE tenant = ? AND sha256 = ? AND part = ?", tenant, sha256, part)
	if err == nil && len(all) == 0 {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// ExecutableBytes tells how many bytes of an executable are stored.
func (tx *Tx) ExecutableBytes(tenant, sha256 string) (int64, error) {
	return value[int64](tx, "SELECT COALESCE(SUM(LENGTH(data)), 0) FROM release_part WHERE tenant = ? AND sha256 = ?", tenant, sha256)
}

// A Ring is which release its agents are to have.
type Ring struct {
	Tenant  string
	Name    string
	Version string  // "" for none
	Changed Instant // a release that was taken back since holds the ring up
	Who     string
}

const ringColumns = "tenant, name, version, changed, who"

func (r *Ring) fields() []any { return []any{&r.Tenant, &r.Name, &r.Version, &r.Changed, &r.Who} }

// MoveRing says, now, which release a ring is to have; what has held it up does not any more.
func (tx *Tx) MoveRing(tenant, name, version, who string) error {
	tx.touch(tenant, TopicAgents)
	tx.raise(&tx.store.Releases)
	_, err := tx.exec(`INSERT INTO ring (tenant, name, version, changed, who) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (tenant, name) DO UPDATE SET version = excluded.version, changed = excluded.changed, who = excluded.who`, tenant, name, version, tx.Now, who)
	return err
}

// Ring returns a ring, or [ErrNone].
func (tx *Tx) Ring(tenant, name string) (Ring, error) {
	return one[Ring](tx, "SELECT "+ringColumns+" FROM ring WHERE tenant = ? AND name = ?", tenant, name)
}

// Rings returns a tenant's rings that were moved, by name.
func (tx *Tx) Rings(tenant string) ([]Ring, error) {
	return query[Ring](tx, "SELECT "+ringColumns+" FROM ring WHERE tenant = ? ORDER BY name", tenant)
}

// TookBack returns the agents of a ring that have taken its release back since it was moved there.
func (tx *Tx) TookBack(r Ring) ([]Agent, error) {
	return query[Agent](tx, "SELECT "+agentColumns+` FROM agent WHERE tenant = ? AND ring = ? AND revoked = 0
		AND update_state = 'failed' AND update_version = ? AND updated >= ? ORDER BY updated, id`, r.Tenant, r.Name, r.Version, r.Changed)
}

// A RingCount is how many agents of a ring run a version.
type RingCount struct {
	Ring    string
	Version string
	Agents  int
}

// RingCounts counts the agents that are in a ring and not revoked.
func (tx *Tx) RingCounts(tenant string) ([]RingCount, error) {
	return queryAny(tx, func(scan scan, c *RingCount) error { return scan(&c.Ring, &c.Version, &c.Agents) },
		"SELECT ring, version, count(*) FROM agent WHERE tenant = ? AND ring <> '' AND revoked = 0 GROUP BY ring, version ORDER BY ring, version", tenant)
}

// SetUpdate notes how an agent's update stands: u but for Since, which goes on
// with the same state and version. A ring that its host names is the agent's.
func (tx *Tx) SetUpdate(tenant, id string, u Update, ring string) error {
	tx.touch(tenant, TopicAgents)
	return tx.changed(tx.exec(`UPDATE agent SET updated = CASE WHEN update_state = ? AND update_version = ? THEN updated ELSE ? END,
		update_state = ?, update_version = ?, update_cause = ?, update_previous = ?, ring = CASE WHEN ? = '' THEN ring ELSE ? END WHERE tenant = ? AND id = ?`,
		u.State, u.Version, tx.Now, u.State, u.Version, u.Cause, u.Previous, ring, ring, tenant, id))
}

// TakeLeave gives an agent leave to switch to a version, unless another one of
// its site has leave, and tells whether it has it now.
func (tx *Tx) TakeLeave(tenant, site, agent, version string) (bool, error) {
	n, err := tx.exec(`INSERT INTO update_leave (tenant, site, agent, version, since) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (tenant, site) DO NOTHING`, tenant, site, agent, version, tx.Now)
	if err != nil || n > 0 {
		return n > 0, err
	}
	has, err := tx.Leave(tenant, site)
	return has == agent, err
}

// Leave tells which agent of a site may switch now; "" for none.
func (tx *Tx) Leave(tenant, site string) (agent string, err error) {
	agent, err = value[string](tx, "SELECT agent FROM update_leave WHERE tenant = ? AND site = ?", tenant, site)
	if errors.Is(err, ErrNone) {
		err = nil
	}
	return agent, err
}

// DropLeave takes an agent's leave back.
func (tx *Tx) DropLeave(tenant, agent string) error {
	_, err := tx.exec("DELETE FROM update_leave WHERE tenant = ? AND agent = ?", tenant, agent)
	return err
}
