package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Content synchronization, RFC 4533: its controls, its message, and the result
// that refuses a cookie.
const (
	syncRequest = "1.3.6.1.4.1.4203.1.9.1.1"
	syncState   = "1.3.6.1.4.1.4203.1.9.1.2"
	syncDone    = "1.3.6.1.4.1.4203.1.9.1.3"
	syncInfo    = "1.3.6.1.4.1.4203.1.9.1.4"
)

// syncControl asks for one refresh since cookie.
func syncControl(cookie []byte) wire.Control {
	const refreshOnly = 1
	b, at := ber.Open(nil, ber.Sequence)
	b = ber.Int(b, ber.Enumerated, refreshOnly)
	if len(cookie) > 0 {
		b = ber.Text(b, ber.OctetString, cookie)
	}
	return wire.Control{OID: syncRequest, Critical: true, Value: ber.Shut(b, at)}
}

// syncNow returns the cookie of the present. The filter matches nothing: the
// server only says how far it is.
func (s *System) syncNow(ctx context.Context, c *dc.Conn) ([]byte, error) {
	result, err := c.Search(ctx, wire.Search{
		Base: s.base(c.Root), Scope: wire.ScopeSubtree, Attributes: []string{"1.1"},
		Filter: filter.Equal(entryUUID, "00000000-0000-0000-0000-000000000000").Bytes(),
	}, func(*wire.Entry) error { return nil }, syncControl(nil))
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return nil, err
	}
	cookie, _ := doneOf(result)
	return cookie, nil
}

// syncSince asks what changed since cookie; nil where the server refuses it.
func (s *System) syncSince(ctx context.Context, c *dc.Conn, q sdk.Query, cookie []byte) (*delta, error) {
	d, err := s.known(ctx, c)
	if err != nil {
		return nil, err
	}
	if !c.Root.Supports(syncRequest) {
		return nil, nil
	}
	seen := &delta{cookie: cookie}
	result, err := c.SearchInfo(ctx, wire.Search{
		Base: s.base(c.Root), Scope: wire.ScopeSubtree, Filter: s.filterOfAll(q).Bytes(), Attributes: []string{"objectClass", "createTimestamp"},
	}, func(e *wire.Entry) error {
		state, ok := e.Control(syncState)
		if !ok {
			return errors.New("the server gives an entry without its state")
		}
		return seen.entry(state, s.markOf(d, e))
	}, func(oid string, value []byte) error {
		if oid == syncInfo {
			return seen.info(value)
		}
		return nil
	}, syncControl(cookie))
	if err == nil {
		err = result.Err()
	}
	if refused, ok := errors.AsType[*wire.ResultError](err); ok && refusesCookie(refused) {
		s.log.WarnContext(ctx, "Server refuses the cookie of syncrepl; everything is read", "server", c.Root.Server.URL, "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "ask for changes by syncrepl", Object: s.base(c.Root), Right: "read access to entryUUID and entryCSN"})
	}
	next, deletes := doneOf(result)
	if len(next) > 0 {
		seen.cookie = next
	}
	seen.explicit = deletes
	seen.settle()
	return seen, nil
}

// refusesCookie tells codes that mean the cookie, such as e-syncRefreshRequired
// (4096), from those that have nothing to do with it.
func refusesCookie(e *wire.ResultError) bool {
	switch e.Code {
	case wire.Busy, wire.Unavailable, wire.InsufficientAccessRights, wire.TimeLimitExceeded, wire.AdminLimitExceeded, wire.SizeLimitExceeded:
		return false
	}
	return true
}

// doneOf reads the control of the end. Deletes tells that the server has named
// all that was deleted; else all that is not named is.
func doneOf(r *wire.Result) (cookie []byte, deletes bool) {
	value, _ := r.Control(syncDone)
	_, body, _ := ber.Next(value)
	for len(body) > 0 {
		var tag byte
		var part []byte
		switch tag, part, body = ber.Next(body); tag {
		case ber.OctetString:
			cookie = slices.Clone(part)
		case ber.Boolean:
			deletes = len(part) == 1 && part[0] != 0
		}
	}
	return cookie, deletes
}

// entry takes one entry and its state.
func (d *delta) entry(state []byte, m mark) error {
	const present, deleted = 0, 3
	_, body, _ := ber.Next(state)
	_, number, body := ber.Next(body)
	tag, uuid, _ := ber.Next(body)
	id, err := formatUUID(uuid)
	if err != nil || tag != ber.OctetString {
		return errors.Join(errors.New("the server gives an entry of a state that cannot be read"), err)
	}
	switch n, _ := ber.ParseInt(number); n {
	case present:
		d.named = append(d.named, weigh(id))
	case deleted:
		d.remove(id)
	default: // added or modified
		d.change(candidate{id: id, created: strings.Clone(m.created)})
		d.ofGroup = d.ofGroup || m.group
	}
	return nil
}

// info takes a message between entries: a set of ids, or nothing of interest.
func (d *delta) info(value []byte) error {
	const idSet = 0xa3
	tag, body, _ := ber.Next(value)
	if tag != idSet {
		return nil
	}
	deletes := false
	for len(body) > 0 {
		var part []byte
		switch tag, part, body = ber.Next(body); tag {
		case ber.Boolean:
			deletes = len(part) == 1 && part[0] != 0
		case ber.Set:
			for len(part) > 0 {
				var uuid []byte
				_, uuid, part = ber.Next(part)
				id, err := formatUUID(uuid)
				switch {
				case err != nil:
					return err
				case deletes:
					d.remove(id)
				default:
					d.named = append(d.named, weigh(id))
				}
			}
		}
	}
	return nil
}

// settle counts as present what was named as such and did not change: OpenLDAP
// names the changed ones, too.
func (d *delta) settle() {
	slices.Sort(d.named)
	d.named = slices.Compact(d.named)
	for _, w := range d.named {
		d.present.Count, d.present.Sum = d.present.Count+1, d.present.Sum+w
	}
	for _, c := range d.changed {
		if _, too := slices.BinarySearch(d.named, weigh(c.id)); too {
			d.present.remove(c.id)
		}
	}
	d.named = nil
}

// formatUUID writes the 16 bytes of a UUID as entryUUID does.
func formatUUID(raw []byte) (string, error) {
	if len(raw) != 16 {
		return "", fmt.Errorf("a UUID of %d bytes", len(raw))
	}
	h := hex.EncodeToString(raw)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
