package store

// A Member is who is in a group of the directory, and who says so.
type Member struct {
	Tenant  string
	Group   string // folded key of the group, which may not be there yet
	Member  string // id of the person or group who is in it
	Via     string // system whose target's rule says so; empty: sources
	Display string // how the rule has the group shown
}

const memberColumns = "tenant, grp, member, via, display"

func (m *Member) fields() []any { return []any{&m.Tenant, &m.Group, &m.Member, &m.Via, &m.Display} }

// MembersOf returns in which groups people and groups are.
func (tx *Tx) MembersOf(tenant string, ids []string) ([]Member, error) {
	return query[Member](tx, "SELECT "+memberColumns+" FROM member WHERE tenant = ? AND member IN (SELECT value FROM json_each(?))", tenant, list(ids))
}

// MembersIn returns who is in a group, given by its folded key, in the order of
// their ids; of those with the ids alone where among is not nil. Of each there are
// id and kind.
func (tx *Tx) MembersIn(tenant, group string, among []string) ([]Person, error) {
	which, args := "", []any{tenant, group}
	if among != nil {
		which, args = " AND m.member IN (SELECT value FROM json_each(?))", append(args, list(among))
	}
	return queryAny(tx, func(scan scan, p *Person) error { return scan(&p.ID, &p.Kind) },
		`SELECT p.id, p.kind FROM member m JOIN person p ON p.tenant = m.tenant AND p.id = m.member WHERE m.tenant = ? AND m.grp = ?`+which+` ORDER BY p.id`, args...)
}

// MadeGroups returns those of the groups that somebody is in because of a rule.
func (tx *Tx) MadeGroups(tenant string, groups []string) ([]string, error) {
	return column[string](tx, `SELECT k.value FROM json_each(?) k WHERE EXISTS (SELECT 1 FROM member WHERE tenant = ? AND grp = k.value AND via <> '')`,
		list(groups), tenant)
}

// MadeAmong returns the keys of the groups among rows of people that somebody is
// in because of a rule; nil where there are no groups among them.
func (tx *Tx) MadeAmong(tenant string, rows []Person) (map[string]bool, error) {
	var keys []string
	for _, row := range rows {
		if row.Kind == KindGroup {
			keys = append(keys, row.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	made := map[string]bool{}
	alive, err := tx.MadeGroups(tenant, keys)
	for _, key := range alive {
		made[key] = true
	}
	return made, err
}

// CountMade returns how many are in a group by rules.
func (tx *Tx) CountMade(tenant, group string) (int, error) {
	return value[int](tx, "SELECT count(DISTINCT member) FROM member WHERE tenant = ? AND grp = ? AND via <> ''", tenant, group)
}

// GroupDisplay returns how most of a group's members have it shown; of several that are shown as often, the first. It is empty where nobody is in it.
func (tx *Tx) GroupDisplay(tenant, group string) (string, error) {
	rows, err := column[string](tx, `SELECT display FROM member WHERE tenant = ? AND grp = ? AND via <> '' GROUP BY display ORDER BY count(*) DESC, display LIMIT 1`,
		tenant, group)
	if len(rows) == 0 {
		return "", err
	}
	return rows[0], err
}

// PutMembers notes who is in which groups.
func (tx *Tx) PutMembers(rows []Member) error {
	return insert(tx, "member", memberColumns, "ON CONFLICT (tenant, grp, member, via) DO UPDATE SET display = excluded.display", rows)
}

// RemoveMembers forgets that they are in the groups.
func (tx *Tx) RemoveMembers(rows []Member) error {
	for _, m := range rows {
		if _, err := tx.exec("DELETE FROM member WHERE tenant = ? AND grp = ? AND member = ? AND via = ?", m.Tenant, m.Group, m.Member, m.Via); err != nil {
			return err
		}
	}
	return nil
}

// MarkMembersDue makes everybody due who is in one of the groups.
func (tx *Tx) MarkMembersDue(tenant, why string, groups []string) error {
	tx.raise(&tx.store.Due)
	_, err := tx.exec("INSERT INTO due (tenant, person, at, why) SELECT DISTINCT tenant, member, CAST(? AS BIGINT), CAST(? AS TEXT) FROM member WHERE tenant = ? AND grp IN (SELECT value FROM json_each(?)) "+dueSooner,
		tx.Now, why, tenant, list(groups))
	return err
}

// A Stranger is an object that is nobody's, in a group.
type Stranger struct {
	Tenant string
	System string
	Group  string // native id, folded
	ID     string // native id
}

const strangerColumns = "tenant, system, grp, id"

func (s *Stranger) fields() []any { return []any{&s.Tenant, &s.System, &s.Group, &s.ID} }

// ReplaceStrangers notes in which groups the objects with the ids are while they are nobody's; those without a row are in none.
func (tx *Tx) ReplaceStrangers(tenant, system string, ids []string, rows []Stranger) error {
	if _, err := tx.exec("DELETE FROM stranger WHERE tenant = ? AND system = ? AND id IN (SELECT value FROM json_each(?))", tenant, system, list(ids)); err != nil {
		return err
	}
	return insert(tx, "stranger", strangerColumns, "ON CONFLICT DO NOTHING", rows)
}

// StrangersIn returns up to limit objects in a group, given by its folded native id, that are nobody's and not gone: their ids and classes.
func (tx *Tx) StrangersIn(tenant, system, group string, limit int) ([]Account, error) {
	return query[Account](tx, selectAccount+` AND system = ? AND person = '' AND gone = 0 AND id IN (SELECT id FROM stranger WHERE tenant = ? AND system = ? AND grp = ?)
		ORDER BY id LIMIT ?`, tenant, system, tenant, system, group, limit)
}
