package activedirectory

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// DirSync, MS-ADTS 3.1.1.3.4.1.3: the control and its flags.
const (
	dirSync           = "1.2.840.113556.1.4.841"
	objectSecurity    = 0x1
	incrementalValues = -0x80000000
)

// A position is the cookie of a read: where DirSync goes on, and the question
// that it belongs to. DirSync tells only of what it was asked for, so another
// question needs everything anew.
type position struct {
	Flags    int64  `json:"flags"`
	Question []byte `json:"question"`
	Cookie   []byte `json:"cookie"`
}

// position returns a cookie for the present, nil where the server or the
// rights of the account do not allow DirSync: then every read is a full one.
func (s *System) position(ctx context.Context, c *dc.Conn, q sdk.Query) ([]byte, error) {
	if !c.Root.ActiveDirectory || !c.Root.Supports(dirSync) {
		return nil, nil
	}
	p, err := s.mayFollow(ctx, c)
	if err != nil {
		return nil, err
	}
	if p == nil {
		s.log.WarnContext(ctx, "Service account may not use DirSync; every read is a full one", "server", c.Root.Server.URL)
		return nil, nil
	}
	p.Question = s.question(q)
	return json.Marshal(p)
}

// mayFollow returns the present position in what DirSync tells, by the right to
// replicate or, without it, of what the account may read; nil if it is refused
// both ways.
func (s *System) mayFollow(ctx context.Context, c *dc.Conn) (*position, error) {
	for _, flags := range []int64{incrementalValues, incrementalValues | objectSecurity} {
		p := position{Flags: flags}
		err := s.sync(ctx, c, &p, nothing, []string{"objectGUID"}, func(*wire.Entry) error { return nil })
		if err == nil {
			return &p, nil
		}
		if refused, ok := errors.AsType[*wire.ResultError](err); !ok || !denies(refused) {
			return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "ask for changes by DirSync", Object: c.Root.Base})
		}
	}
	return nil, nil
}

// nothing matches this filter: the server only counts how far it is.
var nothing = filter.Equal("objectGUID", strings.Repeat("\x00", 16))

func denies(e *wire.ResultError) bool {
	return e.Code == wire.InsufficientAccessRights || e.Code == wire.UnwillingToPerform || e.Code == wire.UnavailableExtension
}

func (s *System) question(q sdk.Query) []byte {
	h := sha256.New()
	fields := slices.Concat([]string{s.settings.Base}, q.Classes, []string{""}, q.Attributes)
	for _, class := range q.Classes {
		fields = append(fields, s.filters[strings.ToLower(class)].String())
	}
	h.Write([]byte(strings.ToLower(strings.Join(fields, "\x00"))))
	return h.Sum(nil)
}

// sync follows DirSync until the server has no more, and moves p.
func (s *System) sync(ctx context.Context, c *dc.Conn, p *position, f filter.Filter, attributes []string, entry func(*wire.Entry) error) error {
	const most = 1 << 20 // bytes an answer
	for {
		value, at := ber.Open(nil, ber.Sequence)
		value = ber.Int(value, ber.Integer, p.Flags)
		value = ber.Int(value, ber.Integer, most)
		value = ber.Shut(ber.Text(value, ber.OctetString, p.Cookie), at)
		controls := []wire.Control{
			{OID: dirSync, Critical: true, Value: value},
			{OID: extendedDN, Critical: true, Value: []byte{0x30, 3, 2, 1, 1}},
		}
		result, err := c.Search(ctx, wire.Search{
			Base: c.Root.Base, Scope: wire.ScopeSubtree, Filter: f.Bytes(), Attributes: attributes,
		}, entry, controls...)
		if err != nil {
			return err
		}
		if err := result.Err(); err != nil {
			return err
		}
		answer, _ := result.Control(dirSync)
		_, body, _ := ber.Next(answer)
		_, more, body := ber.Next(body)
		_, _, body = ber.Next(body)
		tag, cookie, _ := ber.Next(body)
		if tag != ber.OctetString {
			return errors.New("the server answers DirSync without a cookie")
		}
		p.Cookie = append([]byte{}, cookie...)
		if n, _ := ber.ParseInt(more); n == 0 {
			return nil
		}
	}
}

// ReadChanges asks DirSync which objects changed and reads them whole. Where
// the members of a group changed, so did memberOf of those who came or went;
// where a container was renamed or moved, so was whatever lies in it, of which
// DirSync tells nothing. Who was in a group that was deleted nobody can tell any
// more, so that then everything is read.
func (s *System) ReadChanges(ctx context.Context, q sdk.Query, cookie []byte, out *sdk.Sink) ([]byte, error) {
	var p position
	if err := json.Unmarshal(cookie, &p); err != nil || string(p.Question) != string(s.question(q)) {
		return nil, sdk.ErrResync
	}
	c, err := s.Dedicated(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if !c.Root.Supports(dirSync) {
		return nil, sdk.ErrResync
	}
	if err := s.standing(ctx, c); err != nil {
		return nil, err
	}
	changed, deleted, err := s.changesSince(ctx, c, &p, q)
	if errors.Is(err, errGroupDeleted) {
		s.log.InfoContext(ctx, "Everything is read, for who was in a deleted group cannot be told", "server", c.Root.Server.URL)
		return nil, sdk.ErrResync
	}
	if refused, ok := errors.AsType[*wire.ResultError](err); ok && refusesCookie(refused) {
		s.log.WarnContext(ctx, "Server refuses the DirSync cookie; everything is read", "server", c.Root.Server.URL, "err", err)
		return nil, sdk.ErrResync
	}
	if err != nil {
		return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "ask for changes by DirSync", Object: c.Root.Base})
	}
	for _, id := range deleted.list {
		if err := out.Gone(id); err != nil {
			return nil, err
		}
	}
	changed.drop(deleted)
	if err := s.giveChanged(ctx, c, q, changed.list, out); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// errGroupDeleted ends a read of changes in which memberships were lost that
// nothing tells of: links of a deleted object are no changes of their values
// (MS-ADTS 3.1.1.5.5.1).
var errGroupDeleted = errors.New("a group was deleted")

// changesSince returns the ids of what changed and of what was deleted since p,
// and moves p. Groups are asked for by themselves where memberships are wanted,
// and so are containers: a deleted entry does not say what it was, and the filter
// does. All questions begin at p, which goes on from where the first ended.
func (s *System) changesSince(ctx context.Context, c *dc.Conn, p *position, q sdk.Query) (changed, deleted *ids, err error) {
	changed, deleted = newIDs(), newIDs()
	noteAll := func(e *wire.Entry) error {
		note(e, changed, deleted)
		return nil
	}
	f, attributes := s.changesOf(q)
	rest := *p
	moved, err := s.containersMoved(ctx, c, p)
	if err != nil {
		return changed, deleted, err
	}
	for _, container := range moved {
		if err := s.within(ctx, c, container, q, changed); err != nil {
			return changed, deleted, err
		}
	}
	if !slices.ContainsFunc(q.Attributes, func(name string) bool { return strings.EqualFold(name, "memberOf") }) {
		return changed, deleted, s.sync(ctx, c, &rest, f, attributes, noteAll)
	}
	groups := rest
	err = s.sync(ctx, c, &groups, filter.Equal("objectClass", "group"), []string{"objectGUID", "isDeleted", "member"}, func(e *wire.Entry) error {
		before := len(deleted.list)
		if note(e, changed, deleted); len(deleted.list) > before {
			return errGroupDeleted
		}
		return nil
	})
	if err == nil {
		err = s.sync(ctx, c, &rest, f, attributes, noteAll)
	}
	return changed, deleted, err
}

// containersMoved gives the DNs of containers that are called otherwise since p
// or lie elsewhere, and moves p. Of what lies in a new one is told by itself.
func (s *System) containersMoved(ctx context.Context, c *dc.Conn, p *position) (moved []string, err error) {
	containers := filter.Or(filter.Equal("objectClass", "organizationalUnit"), filter.Equal("objectClass", "container"))
	err = s.sync(ctx, c, p, containers, []string{"name", "whenCreated", "isDeleted"}, func(e *wire.Entry) error {
		told := map[string]bool{}
		for i := range e.Attributes {
			base, _, _ := strings.Cut(e.Attributes[i].Name, ";")
			told[strings.ToLower(base)] = true
		}
		if _, name := dn.Extended(e.DN); told["name"] && !told["whencreated"] && !told["isdeleted"] {
			moved = append(moved, name)
		}
		return nil
	})
	return moved, err
}

// within adds the ids of the objects of the classes that lie in a container. One
// that is no more by now is told of by itself.
func (s *System) within(ctx context.Context, c *dc.Conn, container string, q sdk.Query, to *ids) error {
	f, _ := s.changesOf(q)
	err := s.Search(ctx, c, wire.Search{Base: container, Scope: wire.ScopeSubtree, Filter: f.Bytes(), Attributes: []string{"objectGUID"}}, func(e *wire.Entry) error {
		for i := range e.Attributes {
			if a := &e.Attributes[i]; strings.EqualFold(a.Name, "objectGUID") && len(a.Values) == 1 && len(a.Values[0]) == 16 {
				to.add(schema.FormatGUID(a.Values[0]))
			}
		}
		return nil
	})
	if refused, ok := errors.AsType[*wire.ResultError](err); ok && refused.Code == wire.NoSuchObject {
		return nil
	}
	return err
}

// refusesCookie tells codes that mean the cookie; rights and the state of the
// server have codes of their own.
func refusesCookie(e *wire.ResultError) bool {
	switch e.Code {
	case wire.Busy, wire.Unavailable, wire.InsufficientAccessRights, wire.TimeLimitExceeded, wire.AdminLimitExceeded:
		return false
	}
	return true
}

// changesOf is what to ask DirSync for: objects of the classes, but no
// computers, which are users too.
func (s *System) changesOf(q sdk.Query) (filter.Filter, []string) {
	attributes := []string{"objectGUID", "isDeleted", "name"}
	var kinds []filter.Filter
	for _, class := range q.Classes {
		kinds = append(kinds, filter.Equal("objectClass", classOf(class).name))
	}
	for _, name := range q.Attributes {
		switch strings.ToLower(name) {
		case schema.RDN, schema.Container, "distinguishedname":
		case schema.Enabled:
			attributes = append(attributes, "userAccountControl")
		case "memberof": // see changesSince
		default:
			attributes = append(attributes, name)
		}
	}
	slices.Sort(attributes)
	return filter.And(filter.Or(kinds...), filter.Not(filter.Equal("objectClass", "computer"))), slices.Compact(attributes)
}

// note takes from an entry of DirSync which objects it tells of.
func note(e *wire.Entry, changed, deleted *ids) {
	id, _ := dn.Extended(e.DN)
	isDeleted := false
	for i := range e.Attributes {
		a := &e.Attributes[i]
		base, _, _ := strings.Cut(a.Name, ";")
		switch {
		case strings.EqualFold(base, "objectGUID") && len(a.Values) == 1 && len(a.Values[0]) == 16:
			id = schema.FormatGUID(a.Values[0])
		case strings.EqualFold(base, "isDeleted"):
			isDeleted = len(a.Values) == 1 && strings.EqualFold(a.Values[0], "TRUE")
		case strings.EqualFold(base, "member"):
			for _, v := range a.Values {
				member, _ := dn.Extended(v)
				changed.add(member)
			}
		}
	}
	if isDeleted {
		deleted.add(id)
		return
	}
	changed.add(id)
}

// giveChanged reads objects whole. One that is not found is gone, for this
// system: deleted, moved out of the base, or no longer matching a filter.
func (s *System) giveChanged(ctx context.Context, c *dc.Conn, q sdk.Query, changed []string, out *sdk.Sink) error {
	for batch := range slices.Chunk(changed, session.ValuesPerSearch) {
		missing := newIDs()
		parts := make([]filter.Filter, 0, len(batch))
		for _, id := range batch {
			if raw, ok := schema.ParseGUID(id); ok {
				missing.add(id)
				parts = append(parts, filter.Equal("objectGUID", raw))
			}
		}
		for _, name := range q.Classes {
			class := classOf(name)
			sh, err := s.shapeOf(ctx, c, class.name, q.Attributes)
			if err != nil {
				return err
			}
			f := filter.And(s.filterOf(c.Root, class), filter.Or(parts...))
			if err := s.give(ctx, c, sh, s.base(c.Root), f, out, missing.remove); err != nil {
				return s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read what changed", Object: s.base(c.Root)})
			}
		}
		for _, id := range missing.list {
			if missing.has[id] {
				if err := out.Gone(id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ids is a set that keeps the order in which its members came.
type ids struct {
	has  map[string]bool
	list []string
}

func newIDs() *ids { return &ids{has: map[string]bool{}} }

func (i *ids) add(id string) {
	if id = strings.ToLower(id); id != "" && !i.has[id] {
		i.has[id] = true
		i.list = append(i.list, id)
	}
}

// remove leaves id in the list.
func (i *ids) remove(id string) { delete(i.has, id) }

func (i *ids) drop(others *ids) {
	i.list = slices.DeleteFunc(i.list, func(id string) bool { return others.has[id] })
}
