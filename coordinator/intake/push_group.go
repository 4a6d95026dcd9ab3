package intake

import (
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A source that pushes tells on the side of the group who is in it, and the
// directory wants it on the side of the member. Both are kept: who is in what,
// one row each (store.PushedMember), and in each record the keys of the groups
// that it is in, as the attribute memberOf, as any connector would have read it.
//
//	join, leave ─► rows ─► memberOf of those records ─► the way of every record
//	a group's key changes, or it goes ─► memberOf of all who are in it

// ErrNoGroups says that the document of a pushed source does not say what is a
// group. Test with [errors.Is].
var ErrNoGroups = errors.New("the source has no groups: its document does not say source.group")

// pushGroup takes a group; who is in it is another matter.
func (s *scope) pushGroup(object *connectorv1.Object) error {
	src := s.system.GroupSource
	if src == nil {
		return ErrNoGroups
	}
	id := object.GetId()
	before, err := s.pushedKeys([]string{id})
	if err != nil {
		return err
	}
	object.Class = src.Class
	key, err := s.pushOne(src, object)
	if err != nil {
		return err
	}
	if err := s.tx.PutPushedGroup(store.PushedGroup{Tenant: s.tenant, System: s.name, ID: id, Name: directory.Fold(object.GetAddress())}); err != nil {
		return err
	}
	if was := before[id]; was == "" || directory.GroupKey(was) == key {
		return nil
	}
	members, err := s.tx.PushedMembers(s.tenant, s.name, []string{id})
	if err != nil {
		return err
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.Member
	}
	return s.tellGroups(ids)
}

// PushMembers takes it that a pushed source has put records into a group, which
// it has pushed, and taken others out. All must be there. Who is in it already,
// or not, stays so.
func (in *Intake) PushMembers(tx *store.Tx, tenant, system, group string, join, leave []string) error {
	s, err := in.pushed(tx, tenant, system)
	if err != nil {
		return err
	}
	if err := tx.ChangePushedMembers(tenant, system, group, join, leave); err != nil {
		return err
	}
	return s.tellGroups(append(slices.Clone(join), leave...))
}

// tellGroups makes records anew that are in other groups now.
func (s *scope) tellGroups(ids []string) error {
	for some := range slices.Chunk(ids, atOnce) {
		rows, err := s.tx.Accounts(s.tenant, s.name, some)
		if err != nil {
			return err
		}
		in, err := s.pushedIn(some)
		if err != nil {
			return err
		}
		b := Batch{Tenant: s.tenant, System: s.name}
		for _, a := range rows {
			var o connectorv1.Object
			if a.Gone != 0 || a.Missing != 0 || proto.Unmarshal(a.Object, &o) != nil { // a removal that is held stays so
				continue
			}
			setGroups(&o, in[a.ID])
			message, err := proto.MarshalOptions{Deterministic: true}.Marshal(&o)
			if err != nil {
				return err
			}
			b.Records = append(b.Records, &connectorv1.Record{Id: a.ID, Object: message})
		}
		if err := s.Take(s.tx, b); err != nil {
			return err
		}
	}
	return nil
}

// setGroups has an object tell that it is in the groups with the keys.
func setGroups(o *connectorv1.Object, keys []string) {
	slices.Sort(keys)
	at, found := slices.BinarySearchFunc(o.Attributes, mapping.MemberOf, func(a *connectorv1.Attribute, name string) int { return strings.Compare(a.GetName(), name) })
	if !found {
		o.Attributes = slices.Insert(o.Attributes, at, &connectorv1.Attribute{Name: mapping.MemberOf})
	}
	o.Attributes[at].Values = keys
}

// pushedIn gives the keys of the groups that records are in, by the records' ids.
func (s *scope) pushedIn(ids []string) (map[string][]string, error) {
	rows, err := s.tx.PushedMembersOf(s.tenant, s.name, ids)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var groups []string
	for _, m := range rows {
		groups = append(groups, m.Group)
	}
	slices.Sort(groups)
	keys, err := s.pushedKeys(slices.Compact(groups))
	in := map[string][]string{}
	for _, m := range rows {
		if key := keys[m.Group]; key != "" {
			in[m.Member] = append(in[m.Member], key)
		}
	}
	return in, err
}

// pushedKeys gives the keys of groups by their native ids, as memberOf has them;
// none of a group that is not there, or set aside.
func (s *scope) pushedKeys(ids []string) (map[string]string, error) {
	rows, err := s.tx.Accounts(s.tenant, s.name, ids)
	if err != nil || s.system.GroupSource == nil {
		return nil, err
	}
	keys := make(map[string]string, len(rows))
	for _, a := range rows {
		if a.Gone != 0 {
			continue
		}
		if r, err := s.system.GroupSource.Read(a.Object); err == nil {
			keys[a.ID] = strings.TrimPrefix(r.Key, directory.GroupKey(""))
		}
	}
	return keys, nil
}

// pushedGone forgets the groups among records that are gone, and who was in what.
func (s *scope) pushedGone(ids []string) error {
	if !s.whole.Pushed() {
		return nil
	}
	members, err := s.tx.RemovePushedGroups(s.tenant, s.name, ids)
	if err != nil {
		return err
	}
	return s.tellGroups(members)
}
