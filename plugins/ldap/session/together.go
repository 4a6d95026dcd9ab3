package session

import (
	"context"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

const (
	ValuesPerSearch = 100 // go into one filter
	membersAtOnce   = 500 // are put into a group, or taken out of it, by one request
)

// Lookups joins look-ups of single values of the same kind that come at the
// same time into one search; all of them get what it found.
type Lookups = sdk.Batcher[string, string, []*wire.Entry]

// NewLookups returns one.
func NewLookups() *Lookups {
	return sdk.NewBatcher[string, string, []*wire.Entry](ValuesPerSearch)
}

// A Membership is a member's value that a group shall have, or not.
type Membership struct {
	Value string
	In    bool
}

// Members changes the members of groups. What a server does for a change grows
// with the group, not with the change: so those that come while a group is
// being written are written to it together.
type Members struct {
	session *Session
	batcher *sdk.Batcher[groupAttribute, Membership, written]
}

type groupAttribute struct{ group, attribute string }

type written struct {
	result *wire.Result
	conn   *dc.Conn
}

// NewMembers returns what writes by s.
func NewMembers(s *Session) *Members {
	return &Members{session: s, batcher: sdk.NewBatcher[groupAttribute, Membership, written](membersAtOnce)}
}

// Set puts a value into the group's attribute, or takes it out. The result is
// that of this value: what is refused to several is tried with each alone.
func (m *Members) Set(ctx context.Context, group, attribute string, value Membership) (*wire.Result, *dc.Conn, error) {
	key := groupAttribute{group, attribute}
	shared := context.WithoutCancel(ctx) // it is for others, too; the connection's own limit ends it
	w, among, err := m.batcher.Do(key, value, func(values []Membership) (written, error) { return m.write(shared, key, values) })
	if err == nil && among > 1 && w.result.Code != wire.Success {
		w, err = m.write(ctx, key, []Membership{value})
	}
	return w.result, w.conn, err
}

// write is one request, done as a whole or not at all (RFC 4511, 4.6).
func (m *Members) write(ctx context.Context, key groupAttribute, values []Membership) (w written, err error) {
	request := wire.Modify{DN: key.group}
	for _, kind := range []int{wire.ChangeAdd, wire.ChangeDelete} {
		change := wire.Change{Kind: kind, Attribute: wire.Attribute{Name: key.attribute}}
		for _, v := range values {
			if v.In == (kind == wire.ChangeAdd) {
				change.Attribute.Values = append(change.Attribute.Values, v.Value)
			}
		}
		if len(change.Attribute.Values) > 0 { // a deletion of no values would empty the group
			request.Changes = append(request.Changes, change)
		}
	}
	w.result, w.conn, err = m.session.Write(ctx, request)
	return w, err
}
