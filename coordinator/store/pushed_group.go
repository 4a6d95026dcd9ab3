package store

// A PushedGroup is a group among the records pushed to a source.
type PushedGroup struct {
	Tenant   string
	System   string
	ID       string  // native id of the account
	Name     string  // displayName, folded
	Changed  Instant // when it or who is in it last changed
	Revision int64   // one more with every change
}

const pushedGroupColumns = "tenant, system, id, name, changed, revision"

func (g *PushedGroup) fields() []any {
	return []any{&g.Tenant, &g.System, &g.ID, &g.Name, &g.Changed, &g.Revision}
}

// groupsThere are those groups whose record is there.
const groupsThere = `FROM pushed_group g JOIN account a ON a.tenant = g.tenant AND a.system = g.system AND a.id = g.id AND a.gone = 0 AND a.missing = 0
	WHERE g.tenant = ? AND g.system = ?`

const selectPushedGroups = "SELECT g.tenant, g.system, g.id, g.name, g.changed, g.revision " + groupsThere

// PushedGroups returns those of the ids that are groups whose record is there, in no order.
func (tx *Tx) PushedGroups(tenant, system string, ids []string) ([]PushedGroup, error) {
	return query[PushedGroup](tx, selectPushedGroups+" AND g.id IN (SELECT value FROM json_each(?))", tenant, system, list(ids))
}

// PushedGroupsNamed returns the groups with a folded name whose record is there, in the order of their ids.
func (tx *Tx) PushedGroupsNamed(tenant, system, name string) ([]PushedGroup, error) {
	return query[PushedGroup](tx, selectPushedGroups+" AND g.name = ? ORDER BY g.id", tenant, system, name)
}

// WalkPushedGroups returns the next groups of a walk whose record is there. Needle is not looked at.
func (tx *Tx) WalkPushedGroups(tenant, system string, w Walk) ([]PushedGroup, error) {
	return query[PushedGroup](tx, selectPushedGroups+" AND g.id > ? AND g.changed >= ? ORDER BY g.id LIMIT ? OFFSET ?",
		tenant, system, w.After, w.Since, w.Limit, w.Skip)
}

// CountPushedGroupsSince returns how many groups whose record is there changed at an instant or later.
func (tx *Tx) CountPushedGroupsSince(tenant, system string, since Instant) (int, error) {
	return value[int](tx, "SELECT count(*) "+groupsThere+" AND g.changed >= ?", tenant, system, since)
}

// PutPushedGroup notes a group as it now is: a change of it.
func (tx *Tx) PutPushedGroup(g PushedGroup) error {
	g.Changed, g.Revision = tx.Now, 1
	return insert(tx, "pushed_group", pushedGroupColumns, "ON CONFLICT (tenant, system, id) DO UPDATE SET name = excluded.name, changed = excluded.changed, revision = pushed_group.revision + 1",
		[]PushedGroup{g})
}

// RemovePushedGroups forgets those of the ids that are groups, and who is in
// them, and that any of the ids is in a group. It returns whom the groups held.
func (tx *Tx) RemovePushedGroups(tenant, system string, ids []string) (members []string, err error) {
	members, err = column[string](tx, "SELECT DISTINCT member FROM pushed_member WHERE tenant = ? AND system = ? AND grp IN (SELECT value FROM json_each(?))", tenant, system, list(ids))
	if err != nil {
		return nil, err
	}
	for _, from := range []string{"pushed_member WHERE tenant = ? AND system = ? AND grp", "pushed_member WHERE tenant = ? AND system = ? AND member",
		"pushed_group WHERE tenant = ? AND system = ? AND id"} {
		if _, err := tx.exec("DELETE FROM "+from+" IN (SELECT value FROM json_each(?))", tenant, system, list(ids)); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// A PushedMember is a record in a pushed group.
type PushedMember struct {
	Tenant string
	System string
	Group  string // native id
	Member string // native id
	Kind   string // of the member: [KindGroup], or empty for a person; not stored
}

const pushedMemberColumns = "tenant, system, grp, member"

func (m *PushedMember) fields() []any { return []any{&m.Tenant, &m.System, &m.Group, &m.Member} }

// PushedMembers returns who is in the groups and is there, in the order of groups and members.
func (tx *Tx) PushedMembers(tenant, system string, groups []string) ([]PushedMember, error) {
	return tx.pushedMembers("m.grp IN (SELECT value FROM json_each(?))", tenant, system, list(groups))
}

// PushedMembersAmong returns those of the records with the ids that are in one of the groups, and there.
func (tx *Tx) PushedMembersAmong(tenant, system string, groups, ids []string) ([]PushedMember, error) {
	return tx.pushedMembers("m.grp IN (SELECT value FROM json_each(?)) AND m.member IN (SELECT value FROM json_each(?))", tenant, system, list(groups), list(ids))
}

func (tx *Tx) pushedMembers(which string, args ...any) ([]PushedMember, error) {
	return queryAny(tx, func(scan scan, m *PushedMember) error { return scan(append(m.fields(), &m.Kind)...) },
		`SELECT m.tenant, m.system, m.grp, m.member, CASE WHEN g.id IS NULL THEN '' ELSE 'group' END FROM pushed_member m
		JOIN account a ON a.tenant = m.tenant AND a.system = m.system AND a.id = m.member AND a.gone = 0 AND a.missing = 0
		LEFT JOIN pushed_group g ON g.tenant = m.tenant AND g.system = m.system AND g.id = m.member
		WHERE m.tenant = ? AND m.system = ? AND `+which+` ORDER BY m.grp, m.member`, args...)
}

// PushedMembersOf returns in which groups the records with the ids are, in no order.
func (tx *Tx) PushedMembersOf(tenant, system string, ids []string) ([]PushedMember, error) {
	return query[PushedMember](tx, "SELECT "+pushedMemberColumns+" FROM pushed_member WHERE tenant = ? AND system = ? AND member IN (SELECT value FROM json_each(?))",
		tenant, system, list(ids))
}

// ChangePushedMembers puts records into a group and takes others out, and notes that the group has changed.
func (tx *Tx) ChangePushedMembers(tenant, system, group string, join, leave []string) error {
	rows := make([]PushedMember, len(join))
	for i, id := range join {
		rows[i] = PushedMember{Tenant: tenant, System: system, Group: group, Member: id}
	}
	if err := insert(tx, "pushed_member", pushedMemberColumns, "ON CONFLICT (tenant, system, grp, member) DO NOTHING", rows); err != nil {
		return err
	}
	if _, err := tx.exec("DELETE FROM pushed_member WHERE tenant = ? AND system = ? AND grp = ? AND member IN (SELECT value FROM json_each(?))", tenant, system, group, list(leave)); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE pushed_group SET changed = ?, revision = revision + 1 WHERE tenant = ? AND system = ? AND id = ?", tx.Now, tenant, system, group)
	return err
}

// AccountsThere returns those of the ids that are accounts of a system which are there, in no order.
func (tx *Tx) AccountsThere(tenant, system string, ids []string) ([]string, error) {
	return column[string](tx, "SELECT id FROM account WHERE tenant = ? AND system = ? AND gone = 0 AND missing = 0 AND id IN (SELECT value FROM json_each(?))", tenant, system, list(ids))
}
