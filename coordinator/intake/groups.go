package intake

import (
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Groups of the directory stand among people, with keys of their own. Who is in
// them is told on the side of the members: a group of 100,000 costs nothing when
// one more joins. A group that is named before it is there is waited for as a
// manager is.

// A part is what of a batch is about people, or about groups.
type part struct {
	*scope
	changes []*change
}

// parts divides changes: groups are taken by the rules for groups, where there are
// such, and before people; mirrors are taken apart from records, and behind them.
func (s *scope) parts(changes []*change) []part {
	var of [4]part
	for _, c := range changes {
		i, mirror := 0, c.account.Mirror != store.MirrorNone
		if !s.ofGroup(c.account.Class) {
			i = 2
		}
		if mirror {
			i++
		}
		if of[i].scope == nil {
			of[i].scope = s.of(c.account.Class).records(mirror)
		}
		of[i].changes = append(of[i].changes, c)
	}
	return slices.DeleteFunc(of[:], func(p part) bool { return p.scope == nil })
}

// ofGroup tells whether objects of a class are taken by the rules for groups.
func (s *scope) ofGroup(class string) bool {
	groups := s.system.Groups()
	return groups != nil && slices.ContainsFunc(groups.Classes(), func(c string) bool { return strings.EqualFold(c, class) })
}

// records gives the scope by which records are taken, or mirrors.
func (s *scope) records(mirror bool) *scope {
	if !mirror {
		return s
	}
	of := *s
	of.system = s.system.Records(true)
	return &of
}

// of gives the scope by whose rules objects of a class are taken.
func (s *scope) of(class string) *scope {
	if !s.ofGroup(class) {
		return s
	}
	of := *s
	of.system = s.system.Groups()
	return &of
}

// kind gives what the source's records are of.
func (s *scope) kind() string {
	if s.system.Source.OfGroups {
		return store.KindGroup
	}
	return ""
}

// members keeps in which groups people and groups are as their attributes now are.
func (s *scope) members(people []*draft, before map[*draft]string) error {
	var put, remove []store.Member
	for _, d := range people {
		if d.row.Attributes == before[d] {
			continue
		}
		was, is := groupsIn(before[d]), groupsIn(d.row.Attributes)
		row := store.Member{Tenant: s.tenant, Member: d.row.ID}
		for _, row.Group = range is {
			if !slices.Contains(was, row.Group) {
				put = append(put, row)
			}
		}
		for _, row.Group = range was {
			if !slices.Contains(is, row.Group) {
				remove = append(remove, row)
			}
		}
	}
	if err := s.tx.RemoveMembers(remove); err != nil {
		return err
	}
	return s.tx.PutMembers(put)
}

// groupsIn gives the folded keys of the groups in stored attributes.
func groupsIn(stored string) []string {
	if !strings.Contains(stored, `"`+inGroups+`"`) {
		return nil
	}
	a, err := directory.ParseAttributes(stored)
	if err != nil {
		return nil
	}
	v, _ := a.Get(inGroups)
	list, _ := v.([]string)
	keys := make([]string, len(list))
	for i, key := range list {
		keys[i] = directory.Fold(directory.GroupKey(key))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// groupsGone makes those due who are in groups that are no more in the target:
// they wait from then on, and join the next one.
func (s *scope) groupsGone(people []string) error {
	if s.system.GroupTarget == nil || len(people) == 0 {
		return nil
	}
	rows, err := s.tx.People(s.tenant, people)
	if err != nil {
		return err
	}
	var keys []string
	for _, p := range rows {
		if p.Kind == store.KindGroup {
			keys = append(keys, p.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return s.tx.MarkMembersDue(s.tenant, "a group of theirs in "+s.name+" is gone", keys)
}

// strangers keeps in which groups objects are that are nobody's, where groups of
// the target may want only members by rule, and makes those groups due.
func (s *scope) strangers(changes []*change) error {
	t := s.system.Target
	if !t.Owns {
		return nil
	}
	var ids, groups []string
	var rows []store.Stranger
	for _, c := range changes {
		ids = append(ids, c.account.ID)
		if c.account.Person != "" {
			continue
		}
		in, _ := c.object.Get(mapping.MemberOf)
		for _, id := range in {
			rows = append(rows, store.Stranger{Tenant: s.tenant, System: s.name, Group: directory.Fold(id), ID: c.account.ID})
			groups = append(groups, id)
		}
	}
	if err := s.tx.ReplaceStrangers(s.tenant, s.name, ids, rows); err != nil || len(groups) == 0 {
		return err
	}
	found, err := s.tx.Accounts(s.tenant, s.name, groups)
	if err != nil {
		return err
	}
	var due []string
	for _, a := range found {
		due = append(due, a.Person)
	}
	return s.mark("somebody is in the group in "+s.name+" whose account is nobody's", due)
}
