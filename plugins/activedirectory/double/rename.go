package double

import (
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
)

// rename does a ModifyDNRequest: a new name, a new parent, or both.
func (s *session) rename(body string) result {
	name, rest, err := ber.Expect(body, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	newRDN, rest, err := ber.Expect(rest, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	deleteOld, rest, err := ber.Expect(rest, ber.Boolean)
	if err != nil {
		return malformed(err)
	}
	superior := ""
	if rest != "" {
		if superior, _, err = ber.Expect(rest, 0x80); err != nil {
			return malformed(err)
		}
	}
	if deleteOld == "\x00" {
		return svcErr(unwilling, 0x2077, willNotPerform)
	}
	d := s.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	o, best, ok := d.lookup(name)
	if !ok {
		return badDN()
	}
	if o == nil || o.deleted || d.flavor == Samba && name[0] == '<' {
		return noObject(best)
	}
	part, more, ok := splitRDN(newRDN)
	if !ok || more != "" {
		return badDN()
	}
	parent := o.parent
	if superior != "" {
		if parent, _, ok = d.lookup(superior); !ok {
			return badDN()
		}
		if parent == nil || parent.deleted {
			return result{code: other, message: "00002089: SvcErr: " + dsid + ", problem 5012 (DIR_ERROR), data 3\n\x00"}
		}
	}
	return s.place(o, parent, part)
}

// place gives o its new name and parent, with all that lies below it.
func (s *session) place(o, parent *object, part rdn) result {
	d := s.dir
	if o.parent == nil || o.critical && parent != o.parent {
		return svcErr(unwilling, 0x2077, willNotPerform)
	}
	if !s.mayMove(o, parent) {
		return denied()
	}
	if def := d.schema.Attribute(part.attr); def != o.class.RDN {
		if d.flavor == Samba {
			return svcErr(unwilling, 0x2035, willNotPerform)
		}
		return result{code: namingViolation, message: "00002073: NameErr: " + dsid + ", problem 2005 (NAMING_VIOLATION), data 0, best match of:\n\t'" + o.dn() + "'\n\x00"}
	}
	if parent.within(o) {
		return svcErr(unwilling, 0x2077, willNotPerform)
	}
	if !o.class.Superiors[strings.ToLower(parent.class.Name)] && !inheritsSuperior(o.class, parent.class) {
		return result{code: namingViolation, message: "00002099: NameErr: " + dsid + ", problem 2005 (NAMING_VIOLATION), data 0, best match of:\n\t'" + parent.dn() + "'\n\x00"}
	}
	value := squeeze(part.value)
	if r := d.checkValue(o.class.RDN, value); r.code != success {
		return r
	}
	if there := parent.kids[d.rdnKey(o.class.RDN, value)]; there != nil && there != o {
		return updErr(entryExists, 0x2071, entryExistsName)
	}
	usn := d.nextUSN()
	d.detach(o)
	o.rdn, o.nameUSN = value, usn
	d.attach(o, parent)
	d.touch(o, usn, now())
	return result{}
}

// remove does a DelRequest.
func (s *session) remove(name string, c *controls) result {
	d := s.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	o, best, ok := d.lookup(name)
	switch {
	case !ok:
		return badDN()
	case o == nil || o.deleted:
		return noObject(best)
	case !s.mayDelete(o):
		return denied()
	case o.critical || o.parent == nil:
		return svcErr(unwilling, 0x2077, willNotPerform)
	case o.first != nil && !c.treeDelete:
		return updErr(notAllowedOnNonLeaf, 0x2015, "6003 (CANT_ON_NON_LEAF)")
	}
	s.bury(o)
	return result{}
}

// bury turns o, and what lies below it, into tombstones: they keep GUID, SID,
// class and account name, and lie in Deleted Objects under a mangled name.
func (s *session) bury(o *object) {
	for o.first != nil {
		s.bury(o.first)
	}
	d := s.dir
	usn := d.nextUSN()
	grave := d.deletedIn[o.head()]
	d.forget(o)
	d.detach(o)
	for i := range o.attrs {
		d.unindexAttr(o, &o.attrs[i])
	}
	keep := o.attrs[:0:0]
	for _, a := range o.attrs {
		if a.def == d.at.sAMAccountName || a.def == d.at.userAccountControl {
			keep = append(keep, a)
		}
	}
	o.attrs, o.password = keep, nil
	o.lastParent, o.deleted, o.nameUSN = o.parent, true, usn
	o.rdn = truncate(o.rdn, 75) + "\nDEL:" + guidString(o.guid)
	d.attach(o, grave)
	d.touch(o, usn, now())
}

// truncate cuts s to at most n bytes at the edge of a character.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// restore brings a tombstone back: a modify that deletes isDeleted and
// replaces distinguishedName (MS-ADTS 3.1.1.5.3.7). Other changes in the same
// request are made after that.
func (s *session) restore(o *object, mods []modification) result {
	d := s.dir
	i := slices.IndexFunc(mods, func(m modification) bool { return m.def == d.at.isDeleted && m.kind == modDelete })
	j := slices.IndexFunc(mods, func(m modification) bool {
		return m.def == d.at.distinguishedName && m.kind == modReplace && len(m.vals) == 1
	})
	if i < 0 || j < 0 {
		return noObject(nil)
	}
	part, parentDN, ok := splitRDN(mods[j].vals[0])
	if !ok {
		return badDN()
	}
	parent, best, ok := d.lookup(parentDN)
	if !ok || parent == nil {
		return noObject(best)
	}
	if !s.who.admin {
		return denied()
	}
	if parent.kids[d.rdnKey(o.class.RDN, part.value)] != nil {
		return updErr(entryExists, 0x2071, entryExistsName)
	}
	if sam := o.one(d.at.sAMAccountName); sam != "" && d.taken(d.at.sAMAccountName, sam, o) {
		return d.samTaken()
	}
	dr := draft{s: s, o: o}
	for k, m := range mods {
		if k == i || k == j {
			continue
		}
		if r := dr.change(m); r.code != success {
			return r
		}
	}
	if r := dr.check(); r.code != success {
		return r
	}
	usn := d.nextUSN()
	d.detach(o)
	o.rdn, o.deleted, o.lastParent, o.nameUSN = part.value, false, nil, usn
	d.attach(o, parent)
	for k := range o.attrs {
		d.indexAttr(o, &o.attrs[k])
	}
	d.touch(o, usn, now())
	dr.apply()
	return result{}
}
