package double

import (
	"encoding/binary"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// Flags of the DirSync control (MS-ADTS 3.1.1.3.4.1.3).
const (
	dirObjectSecurity  = 0x1
	dirAncestorsFirst  = 0x800
	dirPublicDataOnly  = 0x2000
	dirIncrementalVals = 0x80000000
)

// cookieMagic opens every cookie; Windows writes MSDS there as well.
const cookieMagic = "MSDS"

// cookie is magic, invocation ID of the server, and the change number up to
// which the client has everything.
func (d *directory) dirSyncCookie(usn uint64) string {
	b := append([]byte(cookieMagic), d.invocationID[:]...)
	return string(binary.BigEndian.AppendUint64(b, usn))
}

// parseCookie reports false for one that is not whole. A cookie of another
// server is good and means from the beginning.
func (d *directory) parseCookie(s string) (usn uint64, ok bool) {
	if s == "" {
		return 0, true
	}
	if len(s) != 28 || s[:4] != cookieMagic {
		return 0, false
	}
	if s[4:20] != string(d.invocationID[:]) {
		return 0, true
	}
	return binary.BigEndian.Uint64([]byte(s[20:])), true
}

// dirSync answers a search with the DirSync control: what changed since the
// cookie, oldest change first.
func (s *session) dirSync(id int64, q *query, top *object, f *filter) (result, []byte) {
	d := s.dir
	c := &q.controls
	if top.parent != nil {
		return svcErr(unwilling, 0x20f7, willNotPerform), nil
	}
	if !s.mayReplicate() && c.dirFlags&dirObjectSecurity == 0 {
		return result{code: insufficientAccess, message: "00002105: SvcErr: " + dsid + ", problem 4003 (INSUFF_ACCESS_RIGHTS), data 8453\n\x00"}, nil
	}
	since, ok := d.parseCookie(c.dirSyncState)
	if !ok {
		return svcErr(unwilling, 0x57, willNotPerform), nil
	}
	budget := int(c.dirMaxBytes)
	if budget <= 0 || budget > 10<<20 {
		budget = 10 << 20
	}
	start, sent := len(s.out), 0
	upTo, more := since, 0
	early := map[*object]bool{} // sent before their turn, as somebody's ancestor
	send := func(o *object) {
		if s.changed(id, o, q, since) {
			sent++
		}
	}
	for _, ch := range d.since(since) {
		o := ch.obj
		if ch.usn != o.usnChanged || o.head() != top || early[o] {
			upTo = ch.usn
			continue
		}
		if len(s.out)-start >= budget || sent >= maxPageSize {
			more = 1
			break
		}
		upTo = ch.usn
		if !d.matches(f, o) {
			continue
		}
		if c.dirFlags&dirAncestorsFirst != 0 {
			for _, a := range ancestorsLater(o, ch.usn) {
				if !early[a] && d.matches(f, a) {
					early[a] = true
					send(a)
				}
			}
		}
		send(o)
	}
	if more == 0 {
		upTo = d.usn
	}
	v, m := ber.Begin(nil, ber.Sequence)
	v = ber.AppendInt(v, ber.Integer, int64(more))
	v = ber.AppendInt(v, ber.Integer, 0)
	v = ber.Append(v, ber.Octets, d.dirSyncCookie(upTo))
	return result{}, responseControl(oidDirSync, ber.End(v, m))
}

// ancestorsLater lists the ancestors whose own turn comes after usn, top first.
func ancestorsLater(o *object, usn uint64) []*object {
	var out []*object
	for p := o.parent; p != nil; p = p.parent {
		if p.usnChanged > usn {
			out = append([]*object{p}, out...)
		}
	}
	return out
}

// changed writes what of o changed since, and reports whether that is anything.
func (s *session) changed(id int64, o *object, q *query, since uint64) bool {
	d := s.dir
	body, msg := ber.Begin(s.out, ber.Sequence)
	body = ber.AppendInt(body, ber.Integer, id)
	body, op := ber.Begin(body, 0x64)
	body = s.appendName(body, o, &q.controls)
	body, list := ber.Begin(body, ber.Sequence)
	empty := len(body)
	fresh := o.usnCreated > since || o.deleted && o.nameUSN > since

	if fresh {
		for _, def := range []*schema.Attribute{d.at.objectClass, d.at.objectSid, d.at.whenCreated, d.at.isDeleted, d.at.lastKnownParent} {
			if vals := d.values(o, def); len(vals) > 0 && q.wants(def) {
				body = appendValues(body, def.Name, vals)
			}
		}
		if def := d.at.sAMAccountType; q.wants(def) {
			if vals := d.values(o, def); len(vals) > 0 {
				body = appendValues(body, def.Name, vals)
			}
		}
		if def := d.at.objectCategory; q.wants(def) && !o.deleted {
			body = appendValues(body, def.Name, d.values(o, def))
		}
	}
	if o.nameUSN > since {
		for _, def := range []*schema.Attribute{d.at.name, o.class.RDN} {
			if vals := d.values(o, def); len(vals) > 0 && q.wants(def) && (def != o.class.RDN || o.parent != nil && d.flavor == Windows) {
				body = appendValues(body, def.Name, vals)
			}
		}
	}
	for _, def := range d.zeros {
		if fresh && !def.Local && q.wants(def) && d.startsZero(o, def) {
			body = appendValues(body, def.Name, zero)
		}
	}
	for i := range o.attrs {
		a := &o.attrs[i]
		if a.usn <= since || a.def.Local || !q.wants(a.def) || d.made[a.def.ID] != nil {
			continue
		}
		if len(a.vals) == 0 && fresh {
			continue
		}
		body = appendValues(body, a.def.Name, a.vals)
	}
	for i := range o.links {
		if set := &o.links[i]; set.usn > since && q.wants(set.def) {
			body = s.changedLinks(body, set, q, since)
		}
	}
	if len(body) == empty && !fresh && o.nameUSN <= since {
		s.out = body[:msg]
		return false
	}
	body = appendValues(body, "objectGUID", []string{string(o.guid[:])})
	body = appendValues(body, "instanceType", []string{instanceType(o)})
	if parent := d.schema.Attribute("parentGUID"); o.nameUSN > since && o.parent != nil && q.wants(parent) {
		body = appendValues(body, "parentGUID", []string{string(o.parent.guid[:])})
	}
	body = ber.End(body, list)
	body = ber.End(body, op)
	s.out = ber.End(body, msg)
	return true
}

// changedLinks writes a link attribute: whole, or, if asked for, the values
// added as range=1-1 and those removed as range=0-0.
func (s *session) changedLinks(b []byte, set *linkSet, q *query, since uint64) []byte {
	incremental := q.controls.dirFlags&dirIncrementalVals != 0
	var added, removed []string
	for i := range set.links {
		switch l := &set.links[i]; {
		case l.gone && incremental && l.usn > since && since > 0:
			removed = append(removed, s.name(l.to, &q.controls))
		case !l.gone && (!incremental || l.usn > since):
			added = append(added, s.name(l.to, &q.controls))
		}
	}
	if !incremental {
		if len(added) == 0 && since == 0 {
			return b // never had one, as far as the client knows
		}
		return appendValues(b, set.def.Name, added)
	}
	if len(added) > 0 {
		b = appendValues(b, set.def.Name+";range=1-1", added)
	}
	if len(removed) > 0 {
		b = appendValues(b, set.def.Name+";range=0-0", removed)
	}
	return b
}

// wants reports whether the query selects the attribute.
func (q *query) wants(def *schema.Attribute) bool {
	if q.selection.all {
		return true
	}
	for _, a := range q.selection.attrs {
		if a.def == def {
			return true
		}
	}
	return false
}
