package ldap

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Ways to notice what changed.
const (
	bySync = "syncrepl"         // the server tells (RFC 4533)
	byTime = "modify_timestamp" // the times of all entries are read
	byNone = "none"             // everything is read, and the agent compares
)

// A position is the cookie of a read: where changes go on, and the question
// that it belongs to. Another question needs everything anew.
//
// Neither way always tells what was deleted: times never do, and syncrepl says
// only what is still there where the server keeps no log of deletions. So the
// position holds a census of the ids that were given. Those that are there now
// are counted as well, and where the sums differ something is gone: then
// everything is read, and the agent, who knows every object, finds out what.
type position struct {
	Way      string `json:"way"`
	Question []byte `json:"question"`
	Cookie   []byte `json:"cookie,omitempty"` // of syncrepl
	Server   string `json:"server,omitempty"` // whose clock Time is
	Time     string `json:"time,omitempty"`   // no change before it is missing
	Census   census `json:"census"`
	Places   census `json:"places"` // of the containers, by their names
}

// marshal returns the cookie; none where every read is a full one.
func (p *position) marshal() ([]byte, error) {
	if p.Way == byNone {
		return nil, nil
	}
	return json.Marshal(p)
}

// begin takes the position of the present, before everything is read.
func (s *System) begin(ctx context.Context, c *dc.Conn, q sdk.Query) (*position, error) {
	p := &position{Way: byNone, Question: s.question(q)}
	d, err := s.known(ctx, c)
	if err != nil {
		return nil, err
	}
	way := s.settings.Changes
	if way == byNone || !s.noticesGroups(q) {
		return p, nil
	}
	if p.Places, err = s.placesNow(ctx, c); err != nil {
		return nil, err
	}
	if way == bySync || way == "auto" && strings.EqualFold(d.id, entryUUID) && c.Root.Supports(syncRequest) {
		if !strings.EqualFold(d.id, entryUUID) {
			return nil, sdk.Invalid("syncrepl names objects by entryUUID, and the native id is "+d.id, "Set \"changes\" to modify_timestamp, or \"id\" to entryUUID.")
		}
		cookie, err := s.syncNow(ctx, c)
		if err == nil && len(cookie) > 0 {
			p.Way, p.Cookie = bySync, cookie
			return p, nil
		}
		if refused, ok := errors.AsType[*wire.ResultError](err); err != nil && (!ok || !denies(refused) || way == bySync) {
			return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "ask for changes by syncrepl", Object: s.base(c.Root), Right: "read access to entryUUID and entryCSN"})
		}
		if way == bySync {
			return nil, sdk.Invalid(c.Root.Server.URL+" gives no position to continue from", "Load the syncprov overlay on this database (README.md has the lines), or set \"changes\" to auto.").On(s.base(c.Root))
		}
	}
	p.Way, p.Server = byTime, c.Root.Server.URL
	return p, nil
}

// times notes the times of what a full read gives.
type times struct {
	began   time.Time
	last    string // greatest modifyTimestamp
	untimed bool   // an entry has none
}

func (t *times) note(e *wire.Entry) {
	at := valuesOf(e, modifyTimestamp)
	if len(at) == 0 {
		t.untimed = true
	} else if at[0] > t.last {
		t.last = strings.Clone(at[0])
	}
}

// end puts into p the time from which on changes may be missing from the read.
// The server's clock at its end was the greatest time or later, so at its
// beginning it was that much earlier as the read took. No clock but the
// server's own is asked.
func (t *times) end(p *position) {
	at, err := time.Parse(timestamp, t.last)
	if t.untimed || err != nil && t.last != "" {
		p.Way = byNone // the times mean nothing here
	} else if t.last != "" {
		p.Time = at.Add(-time.Since(t.began)).Format(timestamp)
	}
}

func denies(e *wire.ResultError) bool {
	return e.Code == wire.InsufficientAccessRights || e.Code == wire.UnwillingToPerform || e.Code == wire.UnavailableExtension
}

// noticesGroups tells whether a change of a group would be noticed, if it must
// be: by it memberOf of others changes.
func (s *System) noticesGroups(q sdk.Query) bool {
	return !asks(q, memberOf) || slices.ContainsFunc(q.Classes, func(name string) bool { return s.classOf(name).member != "" })
}

func asks(q sdk.Query, name string) bool {
	return slices.ContainsFunc(q.Attributes, func(a string) bool { return strings.EqualFold(a, name) })
}

func (s *System) question(q sdk.Query) []byte {
	h := sha256.New()
	fields := slices.Concat([]string{s.settings.Base, s.settings.ID, s.settings.Referrals}, q.Attributes)
	for _, name := range q.Classes {
		c := s.classOf(name)
		fields = append(fields, c.name, c.is(), c.filter.String())
	}
	h.Write([]byte(fold(strings.Join(fields, "\x00"))))
	return h.Sum(nil)
}

// filterOfAll matches the objects of all classes of q.
func (s *System) filterOfAll(q sdk.Query) filter.Filter {
	var kinds []filter.Filter
	for _, name := range q.Classes {
		kinds = append(kinds, filterOf(s.classOf(name)))
	}
	return filter.Or(kinds...)
}

// ReadChanges learns which objects changed and reads them whole.
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
	d, err := s.known(ctx, c)
	if err != nil {
		return nil, err
	}
	if places, err := s.placesNow(ctx, c); err != nil || places != p.Places {
		return nil, cmp.Or(err, sdk.ErrResync)
	}
	var seen *delta
	switch p.Way {
	case bySync:
		seen, err = s.syncSince(ctx, c, q, p.Cookie)
	case byTime:
		seen, err = s.timesSince(ctx, c, d, q, &p)
	default:
		return nil, sdk.ErrResync
	}
	if err != nil {
		return nil, err
	}
	if seen == nil || seen.many || asks(q, memberOf) && seen.ofGroup || !seen.explicit && seen.lost(p.Census) {
		return nil, sdk.ErrResync
	}
	next := p
	next.Cookie, next.Time = seen.cookie, seen.time
	return s.giveDelta(ctx, c, q, &next, seen, out)
}

// A delta is what is known to have changed.
type delta struct {
	changed  []candidate
	deleted  []string
	many     bool     // more changed or were deleted than are remembered
	explicit bool     // deleted is all that was deleted; else the census says whether something was
	present  census   // of what did not change
	named    []uint64 // weights of ids that the server named as present
	ofGroup  bool     // a group is among the changed, or may be among the deleted
	cookie   []byte
	time     string
}

// mostChanges are remembered of a delta, some 3 MB. Where more changed, as after
// a migration, everything is read, which asks less of the server, too.
const mostChanges = 10_000

func (d *delta) change(c candidate) {
	if d.many = d.many || len(d.changed) == mostChanges; !d.many {
		d.changed = append(d.changed, c)
	}
}

func (d *delta) remove(id string) {
	d.ofGroup = true // for all that anybody knows
	if d.many = d.many || len(d.deleted) == mostChanges; !d.many {
		d.deleted = append(d.deleted, id)
	}
}

// giveDelta reads what changed whole. What is not found is gone, for this
// system: deleted, moved out of the base, or no longer of the classes.
func (s *System) giveDelta(ctx context.Context, c *dc.Conn, q sdk.Query, next *position, seen *delta, out *sdk.Sink) ([]byte, error) {
	gone := func(id string) error {
		next.Census.remove(id)
		return out.Gone(id)
	}
	for _, id := range seen.deleted {
		if err := gone(id); err != nil {
			return nil, err
		}
	}
	if !seen.explicit {
		next.Census = seen.present
	}
	given := census{}
	r := &reading{s: s, c: c, out: out, given: &given}
	for batch := range slices.Chunk(seen.changed, session.ValuesPerSearch) {
		missing, parts := map[string]bool{}, make([]filter.Filter, len(batch))
		for i, changed := range batch {
			missing[changed.id] = true
			parts[i] = filter.Equal(s.idAttribute(), changed.id)
		}
		r.found = func(id string) { delete(missing, fold(id)) }
		for _, name := range q.Classes {
			sh, err := s.shapeOf(ctx, c, s.classOf(name), q.Attributes)
			if err != nil {
				return nil, err
			}
			if err := r.prepare(ctx, sh, false); err != nil {
				return nil, err
			}
			if err := r.give(ctx, sh, filter.And(filterOf(sh.class), filter.Or(parts...))); err != nil {
				return nil, err
			}
		}
		for _, changed := range batch {
			if missing[changed.id] {
				if err := out.Gone(changed.id); err != nil {
					return nil, err
				}
			}
		}
	}
	if seen.explicit {
		// Which of the changed were there before is not known, and need not be:
		// the server tells of every deletion itself. Should it ever stop to, the
		// census does not match, and everything is read once.
		return next.marshal()
	}
	next.Census.join(given)
	return next.marshal()
}

func (s *System) idAttribute() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schema.id
}

// A mark is what a census reads of an entry.
type mark struct {
	id, created, modified string
	group                 bool
}

// takeCensus reads the ids and the times of all objects, and gives each to see.
func (s *System) takeCensus(ctx context.Context, c *dc.Conn, d *directory, q sdk.Query, see func(*wire.Entry, mark)) (all census, err error) {
	request := wire.Search{
		Base: s.base(c.Root), Scope: wire.ScopeSubtree, Filter: s.filterOfAll(q).Bytes(), Attributes: []string{"createTimestamp", modifyTimestamp},
	}
	if d.id != byDN {
		request.Attributes = append(request.Attributes, d.id)
	}
	if asks(q, memberOf) {
		request.Attributes = append(request.Attributes, "objectClass")
	}
	err = s.below(ctx, c, request, func(e *wire.Entry) error {
		m := s.markOf(d, e)
		all.add(m.id)
		see(e, m)
		return nil
	})
	if err != nil {
		err = s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read the times of all objects", Object: request.Base, Right: "read access to modifyTimestamp"})
	}
	return all, err
}

func (s *System) markOf(d *directory, e *wire.Entry) mark {
	m := mark{id: d.idOf(e)}
	for i := range e.Attributes {
		a := &e.Attributes[i]
		switch {
		case len(a.Values) == 0:
		case strings.EqualFold(a.Name, "createTimestamp"):
			m.created = a.Values[0]
		case strings.EqualFold(a.Name, modifyTimestamp):
			m.modified = a.Values[0]
		case strings.EqualFold(a.Name, "objectClass"):
			_, m.group = s.kindOf(d, place{classes: a.Values})
		}
	}
	return m
}

// overlap is how long before the greatest time a change may have begun that
// was not there yet when the times were read.
const overlap = 5 * time.Second

// timesSince reads the times of all objects again; nil where the position
// cannot serve: times are those of one server.
func (s *System) timesSince(ctx context.Context, c *dc.Conn, d *directory, q sdk.Query, p *position) (*delta, error) {
	if p.Server != c.Root.Server.URL {
		return nil, nil
	}
	since := p.Time
	if at, err := time.Parse(timestamp, p.Time); err == nil {
		since = at.Add(-overlap).Format(timestamp)
	}
	seen := &delta{time: p.Time}
	_, err := s.takeCensus(ctx, c, d, q, func(_ *wire.Entry, m mark) {
		seen.time = max(seen.time, m.modified)
		if m.modified != "" && m.modified < since {
			seen.present.add(m.id)
			return
		}
		seen.change(candidate{id: fold(m.id), created: strings.Clone(m.created)})
		// Within the overlap a change is seen twice; of a group only a new one
		// is worth reading everything for.
		seen.ofGroup = seen.ofGroup || m.group && m.modified > p.Time
	})
	return seen, err
}

const modifyTimestamp = "modifyTimestamp"

// timestamp is how servers write times without fractions.
const timestamp = "20060102150405Z"
