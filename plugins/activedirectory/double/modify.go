package double

import (
	"slices"
	"strconv"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// The kinds of change in a ModifyRequest.
const (
	modAdd     = 0
	modDelete  = 1
	modReplace = 2
)

// A modification is one decoded change.
type modification struct {
	kind int64
	def  *schema.Attribute
	vals []string
}

// A draft collects what a ModifyRequest does to an object. Only a request
// that passed every check is applied, so one that fails changes nothing.
type draft struct {
	s          *session
	o          *object
	attrs      []attribute // values after the change, of those that change
	links      []linkChange
	password   *password
	old        string // password named for deletion: a user's own change
	permissive bool
}

type linkChange struct {
	def    *schema.Attribute
	to     *object
	remove bool
}

// modify does a ModifyRequest.
func (s *session) modify(body string, c *controls) result {
	name, rest, err := ber.Expect(body, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	list, _, err := ber.Expect(rest, ber.Sequence)
	if err != nil {
		return malformed(err)
	}
	mods := make([]modification, 0, 8)
	for list != "" {
		var m modification
		var r result
		if m, list, r = s.decodeModification(list); r.code != success {
			return r
		}
		mods = append(mods, m)
	}
	d := s.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	o, best, ok := d.lookup(name)
	if !ok {
		return badDN()
	}
	if o == nil || o.deleted && !c.showDeleted {
		return noObject(best)
	}
	if o.deleted {
		return s.restore(o, mods)
	}
	dr := draft{s: s, o: o, permissive: c.permissive}
	for _, m := range mods {
		if !s.mayWrite(o, m.def) {
			return denied()
		}
		if r := dr.change(m); r.code != success {
			return r
		}
	}
	if r := dr.check(); r.code != success {
		return r
	}
	dr.apply()
	return result{}
}

func (s *session) decodeModification(list string) (m modification, rest string, r result) {
	one, rest, err := ber.Expect(list, ber.Sequence)
	if err != nil {
		return m, "", malformed(err)
	}
	kind, one, err := ber.Expect(one, ber.Enumerated)
	if err != nil {
		return m, "", malformed(err)
	}
	if one, _, err = ber.Expect(one, ber.Sequence); err != nil {
		return m, "", malformed(err)
	}
	attr, set, err := ber.Expect(one, ber.Octets)
	if err != nil {
		return m, "", malformed(err)
	}
	if set, _, err = ber.Expect(set, ber.Set); err != nil {
		return m, "", malformed(err)
	}
	for set != "" {
		var v string
		if v, set, err = ber.Expect(set, ber.Octets); err != nil {
			return m, "", malformed(err)
		}
		m.vals = append(m.vals, v)
	}
	m.kind = ber.Int(kind)
	if m.def = s.dir.schema.Attribute(attr); m.def == nil {
		return m, "", conversion(noSuchAttribute)
	}
	if m.kind < modAdd || m.kind > modReplace {
		return m, "", malformed(errFilter)
	}
	return m, rest, result{}
}

// change takes one modification into the draft.
func (dr *draft) change(m modification) result {
	d := dr.s.dir
	switch {
	case m.def == d.at.unicodePwd:
		return dr.changePassword(m)
	case m.def == dr.o.class.RDN && dr.o.parent != nil, m.def == d.at.name, m.def == d.at.distinguishedName:
		return result{code: notAllowedOnRDN, message: "000020B1: UpdErr: " + dsid + ", problem 6004 (CANT_ON_RDN), data 0\n\x00"}
	case d.made[m.def.ID] != nil && (m.def.SystemOnly || m.def == d.at.sAMAccountType || m.def.Constructed), m.def.Back(), m.def.Constructed:
		return ownedBySystem(m.def)
	case !dr.o.class.May[m.def]:
		return attrClassViolation(m.def)
	}
	if m.kind != modDelete {
		if r := dr.s.checkAttribute(dr.o, &attribute{def: m.def, vals: m.vals}); r.code != success {
			return r
		}
	}
	if m.def.Syntax == schema.DN {
		return dr.changeLinks(m)
	}
	return dr.changeValues(m)
}

// current returns the values of an attribute as the draft has them.
func (dr *draft) current(def *schema.Attribute) []string {
	for i := range dr.attrs {
		if dr.attrs[i].def == def {
			return dr.attrs[i].vals
		}
	}
	if a := dr.o.attr(def); a != nil {
		return a.vals
	}
	if dr.s.dir.startsZero(dr.o, def) {
		return zero
	}
	return nil
}

func (dr *draft) put(def *schema.Attribute, vals []string) {
	for i := range dr.attrs {
		if dr.attrs[i].def == def {
			dr.attrs[i].vals = vals
			return
		}
	}
	dr.attrs = append(dr.attrs, attribute{def: def, vals: vals})
}

func (dr *draft) changeValues(m modification) result {
	d := dr.s.dir
	have := dr.current(m.def)
	at := func(v string) int {
		k := d.key(m.def, v)
		return slices.IndexFunc(have, func(h string) bool { return d.key(m.def, h) == k })
	}
	switch m.kind {
	case modReplace:
		if dr.unchanged(m.def, m.vals) {
			return result{}
		}
		dr.put(m.def, m.vals)
		return result{}
	case modAdd:
		if len(m.vals) == 0 {
			return conversion(invalidSyntax)
		}
		next := slices.Clone(have)
		for _, v := range m.vals {
			if at(v) >= 0 {
				if dr.permissive {
					continue
				}
				return attrErr(valueExists, 0x2083, "1006 (ATT_OR_VALUE_EXISTS)", m.def)
			}
			next = append(next, v)
		}
		if m.def.Single && len(next) > 1 {
			// Windows says that there is a value, Samba that there may be but one.
			if d.flavor == Samba || !dr.permissive {
				return attrErr(valueExists, 0x2081, "1006 (ATT_OR_VALUE_EXISTS)", m.def)
			}
			next = next[len(next)-1:]
		}
		dr.put(m.def, next)
		return result{}
	}
	return dr.deleteValues(m, have, at)
}

func (dr *draft) deleteValues(m modification, have []string, at func(string) int) result {
	missing := attrErr(noSuchAttribute, 0x2085, "1001 (NO_ATTRIBUTE_OR_VAL)", m.def)
	if len(m.vals) == 0 {
		if len(have) == 0 && !dr.permissive {
			return missing
		}
		dr.put(m.def, nil)
		return result{}
	}
	gone := map[int]bool{}
	for _, v := range m.vals {
		i := at(v)
		if i < 0 {
			if dr.permissive {
				continue
			}
			return missing
		}
		gone[i] = true
	}
	var next []string
	for i, v := range have {
		if !gone[i] {
			next = append(next, v)
		}
	}
	dr.put(m.def, next)
	return result{}
}

// unchanged reports whether a replacement says what is there to the byte:
// Active Directory then writes nothing.
func (dr *draft) unchanged(def *schema.Attribute, vals []string) bool {
	have := dr.current(def)
	return len(have) == len(vals) && slices.Equal(have, vals)
}

// changeLinks takes a change of a DN-valued attribute.
func (dr *draft) changeLinks(m modification) result {
	d := dr.s.dir
	permissive := dr.permissive && !(m.def == d.at.member && d.flavor == Samba)
	var to []*object
	for _, v := range m.vals {
		o, _, ok := d.lookup(v)
		if !ok {
			return conversion(invalidSyntax)
		}
		if o == nil {
			if m.kind == modDelete && permissive {
				continue
			}
			return noTarget(d, m.def)
		}
		to = append(to, o)
	}
	switch {
	case m.kind == modReplace, m.kind == modDelete && len(m.vals) == 0:
		live := dr.live(m.def)
		if m.kind == modDelete && len(live) == 0 && !permissive {
			return attrErr(noSuchAttribute, 0x2085, "1001 (NO_ATTRIBUTE_OR_VAL)", m.def)
		}
		keep := map[*object]bool{}
		for _, o := range to {
			keep[o] = true
		}
		for _, o := range live {
			if !keep[o] {
				dr.links = append(dr.links, linkChange{m.def, o, true})
			}
		}
		for _, o := range to {
			if !dr.pointsTo(m.def, o) {
				dr.links = append(dr.links, linkChange{m.def, o, false})
			}
		}
	case m.kind == modAdd:
		if m.def.Single && len(dr.live(m.def)) > 0 && !permissive {
			return attrErr(valueExists, 0x2081, "1006 (ATT_OR_VALUE_EXISTS)", m.def)
		}
		for _, o := range to {
			if dr.pointsTo(m.def, o) {
				if permissive {
					continue
				}
				if m.def == d.at.member {
					return updErr(entryExists, 0x562, entryExistsName)
				}
				return attrErr(valueExists, 0x2083, "1006 (ATT_OR_VALUE_EXISTS)", m.def)
			}
			dr.links = append(dr.links, linkChange{m.def, o, false})
		}
	default:
		for _, o := range to {
			if !dr.pointsTo(m.def, o) {
				if permissive {
					continue
				}
				if m.def == d.at.member && (d.flavor == Windows || len(dr.live(m.def)) > 0) {
					return svcErr(unwilling, 0x561, willNotPerform)
				}
				return attrErr(noSuchAttribute, 0x2085, "1001 (NO_ATTRIBUTE_OR_VAL)", m.def)
			}
			dr.links = append(dr.links, linkChange{m.def, o, true})
		}
	}
	return result{}
}

// pointsTo and live see the links as the draft has them.
func (dr *draft) pointsTo(def *schema.Attribute, to *object) bool {
	for i := len(dr.links) - 1; i >= 0; i-- {
		if l := dr.links[i]; l.def == def && l.to == to {
			return !l.remove
		}
	}
	l := dr.o.linkSet(def).find(to)
	return l != nil && !l.gone
}

func (dr *draft) live(def *schema.Attribute) []*object {
	var out []*object
	if set := dr.o.linkSet(def); set != nil {
		for i := range set.links {
			if dr.pointsTo(def, set.links[i].to) {
				out = append(out, set.links[i].to)
			}
		}
	}
	for _, l := range dr.links {
		if l.def == def && !l.remove && !slices.Contains(out, l.to) && dr.pointsTo(def, l.to) {
			out = append(out, l.to)
		}
	}
	return out
}

// changePassword takes a reset (replace), or a user's own change (delete of
// the old value with add of the new).
func (dr *draft) changePassword(m modification) result {
	s := dr.s
	if !s.sealed {
		return svcErr(unwilling, 0x1f, willNotPerform)
	}
	if m.kind == modDelete {
		if len(m.vals) != 1 {
			return svcErr(unwilling, 0x57, willNotPerform)
		}
		old, ok := decodePassword(m.vals[0])
		if !ok || !dr.o.password.is(old) {
			return attrErr(constraintViolation, 0x56, constraint, m.def)
		}
		dr.old = old
		return result{}
	}
	if m.kind == modAdd && dr.old == "" {
		return attrErr(constraintViolation, 0x56, constraint, m.def)
	}
	if m.kind == modReplace && !s.mayReset(dr.o) {
		return denied()
	}
	pw, r := s.newPassword(dr.o, m.vals)
	dr.password = pw
	return r
}

// check applies the rules that concern the object as a whole.
func (dr *draft) check() result {
	d, o := dr.s.dir, dr.o
	for _, a := range dr.attrs {
		if len(a.vals) == 0 && slices.Contains(o.class.Must, a.def) {
			return updErr(classViolation, 0x2030, "6002 (OBJ_CLASS_VIOLATION)")
		}
	}
	if a := dr.changed(d.at.sAMAccountName); a != nil && len(a.vals) > 0 {
		if r := d.checkSAMName(o, a.vals[0]); r.code != success {
			return r
		}
	}
	if a := dr.changed(d.at.userPrincipalName); a != nil && len(a.vals) > 0 {
		if r := d.checkUPN(o, a.vals[0]); r.code != success {
			return r
		}
	}
	if a := dr.changed(d.at.lockoutTime); a != nil && len(a.vals) > 0 && a.vals[0] != "0" {
		return svcErr(unwilling, 0x57, willNotPerform)
	}
	if a := dr.changed(d.at.pwdLastSet); a != nil && len(a.vals) > 0 && a.vals[0] != "0" && a.vals[0] != "-1" {
		return svcErr(unwilling, 0x57, willNotPerform)
	}
	if a := dr.changed(d.at.userAccountControl); a != nil && len(a.vals) > 0 {
		uac, _ := strconv.ParseInt(a.vals[0], 10, 64) // checked with the syntax
		pw := o.password
		if dr.password != nil {
			pw = dr.password
		}
		if uac&uacKinds == 0 {
			uac |= uacNormal
			a.vals = []string{strconv.FormatInt(uac, 10)}
		}
		return d.checkEnable(o, uac, pw)
	}
	return result{}
}

func (dr *draft) changed(def *schema.Attribute) *attribute {
	for i := range dr.attrs {
		if dr.attrs[i].def == def {
			return &dr.attrs[i]
		}
	}
	return nil
}

// apply stores the draft under one change number.
func (dr *draft) apply() {
	d, o := dr.s.dir, dr.o
	if len(dr.attrs) == 0 && len(dr.links) == 0 && dr.password == nil {
		return
	}
	usn, at := d.nextUSN(), now()
	for _, a := range dr.attrs {
		if old := o.attr(a.def); old != nil {
			d.unindexAttr(o, old)
		}
		vals := a.vals
		if a.def == d.at.pwdLastSet && len(vals) > 0 && vals[0] == "-1" {
			vals = []string{fileTime(dr.passwordTime())}
		}
		o.set(a.def, usn, vals...)
		d.indexAttr(o, o.attr(a.def))
	}
	if dr.password != nil {
		o.password = dr.password
		if dr.changed(d.at.pwdLastSet) == nil {
			o.set(d.at.pwdLastSet, usn, fileTime(dr.password.set))
		}
		o.set(d.at.badPwdCount, usn, "0")
	}
	for _, l := range dr.links {
		if l.remove {
			d.unlink(o, l.def, l.to, usn)
		} else {
			d.link(o, l.def, l.to, usn)
		}
	}
	d.touch(o, usn, at)
}
