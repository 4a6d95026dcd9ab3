package double

import (
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// add does an AddRequest. The request is checked whole before anything is
// stored.
func (s *session) add(body string) result {
	name, rest, err := ber.Expect(body, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	list, _, err := ber.Expect(rest, ber.Sequence)
	if err != nil {
		return malformed(err)
	}
	d := s.dir
	attrs, values := count(list)
	o := &object{attrs: make([]attribute, 0, attrs+4)} // complete adds a few
	var classes []string
	vals := make([]string, 0, values) // one array holds the values of the whole entry
	for list != "" {
		var one, attr, set string
		if one, list, err = ber.Expect(list, ber.Sequence); err != nil {
			return malformed(err)
		}
		if attr, set, err = ber.Expect(one, ber.Octets); err != nil {
			return malformed(err)
		}
		if set, _, err = ber.Expect(set, ber.Set); err != nil {
			return malformed(err)
		}
		from := len(vals)
		for set != "" {
			var v string
			if v, set, err = ber.Expect(set, ber.Octets); err != nil {
				return malformed(err)
			}
			vals = append(vals, v)
		}
		def := d.schema.Attribute(attr)
		switch {
		case def == nil:
			return conversion(noSuchAttribute)
		case def == d.at.objectClass:
			classes = vals[from:len(vals):len(vals)]
		case o.attr(def) != nil:
			return attrErr(valueExists, 0x2083, "1006 (ATT_OR_VALUE_EXISTS)", def)
		default:
			o.attrs = append(o.attrs, attribute{def: def, vals: vals[from:len(vals):len(vals)]})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.insert(name, classes, o)
}

// count tells how many attributes and values the list of an AddRequest has, so
// that the entry takes no more memory than it needs. It stops where the list
// is malformed.
func count(list string) (attrs, values int) {
	for list != "" {
		_, one, rest, err := ber.Read(list)
		if err != nil {
			return attrs, values
		}
		attrs++
		if _, _, set, err := ber.Read(one); err == nil {
			_, set, _, _ = ber.Read(set)
			for set != "" {
				if _, _, set, err = ber.Read(set); err != nil {
					break
				}
				values++
			}
		}
		list = rest
	}
	return attrs, values
}

// insert places a decoded entry.
func (s *session) insert(name string, classes []string, o *object) result {
	d := s.dir
	first, parentDN, ok := splitRDN(name)
	if !ok || parentDN == "" || parentDN[0] == '<' { // <GUID=…> is a whole name, never a parent
		return badDN()
	}
	if r := s.classify(o, classes); r.code != success {
		return r
	}
	parent, best, ok := d.lookup(parentDN)
	if !ok {
		return badDN()
	}
	if parent == nil || parent.deleted {
		return noObject(best)
	}
	if !s.mayCreate(parent) {
		return denied()
	}
	if rdnAttr := d.schema.Attribute(first.attr); rdnAttr != o.class.RDN || !o.class.Superiors[strings.ToLower(parent.class.Name)] && !inheritsSuperior(o.class, parent.class) {
		return result{code: namingViolation, message: "00002099: NameErr: " + dsid + ", problem 2005 (NAMING_VIOLATION), data 0, best match of:\n\t'" + parent.dn() + "'\n\x00"}
	}
	o.rdn = squeeze(first.value)
	if r := d.checkValue(o.class.RDN, o.rdn); r.code != success {
		return r
	}
	if parent.kids[d.rdnKey(o.class.RDN, o.rdn)] != nil {
		return updErr(entryExists, 0x2071, entryExistsName)
	}
	pw, r := s.checkNew(o)
	if r.code != success {
		return r
	}
	usn, at := d.nextUSN(), now()
	links := o.attrs
	kept := o.attrs[:0]
	var pending []attribute
	for _, a := range links {
		switch {
		case a.def.Syntax == schema.DN:
			pending = append(pending, a)
		case a.def == d.at.unicodePwd || a.def == d.at.userPassword:
		default:
			a.usn = usn
			kept = append(kept, a)
		}
	}
	o.attrs = kept
	for _, a := range pending {
		for _, v := range a.vals {
			to, _, _ := d.lookup(v)
			d.link(o, a.def, to, usn)
		}
	}
	d.complete(o, pw, usn)
	d.insert(o, parent, usn, at)
	return result{}
}

// classify finds the structural class among the objectClass values.
func (s *session) classify(o *object, names []string) result {
	if len(names) == 0 {
		return updErr(classViolation, 0x207b, "6002 (OBJ_CLASS_VIOLATION)")
	}
	for _, n := range names {
		c := s.dir.schema.Class(n)
		if c == nil {
			return conversion(noSuchAttribute)
		}
		if c.Structural() && (o.class == nil || len(c.Chain) > len(o.class.Chain)) {
			o.class = c
		}
	}
	if o.class == nil || o.class.Name == "top" || o.class.Category == 2 {
		return updErr(classViolation, 0x2030, "6002 (OBJ_CLASS_VIOLATION)")
	}
	return result{}
}

func inheritsSuperior(c, parent *schema.Class) bool {
	for p := parent; p != nil && p.Super != p; p = p.Super {
		if c.Superiors[strings.ToLower(p.Name)] {
			return true
		}
	}
	return false
}

// checkNew applies schema, account and password rules to a new object, and
// returns its password, if it came with one.
func (s *session) checkNew(o *object) (*password, result) {
	d := s.dir
	var pw *password
	for i := range o.attrs {
		a := &o.attrs[i]
		if len(a.vals) == 0 {
			return nil, conversion(invalidSyntax)
		}
		if d.made[a.def.ID] != nil {
			if a.def == o.class.RDN || a.def == d.at.name || a.def == d.at.distinguishedName || a.def == d.at.instanceType || a.def == d.at.objectCategory {
				a.def = nil // said again by the name or the class
				continue
			}
			if o.class.RDN != a.def && !a.def.SystemOnly && a.def != d.at.sAMAccountType {
				continue // ou on a user: an attribute like any other
			}
			return nil, ownedBySystem(a.def)
		}
		if a.def.Back() || a.def.Constructed {
			return nil, ownedBySystem(a.def)
		}
		if !o.class.May[a.def] {
			return nil, attrClassViolation(a.def)
		}
		if r := s.checkAttribute(o, a); r.code != success {
			return nil, r
		}
	}
	o.attrs = compact(o.attrs)
	if sam := o.one(d.at.sAMAccountName); sam != "" {
		if r := d.checkSAMName(o, sam); r.code != success {
			return nil, r
		}
	}
	if upn := o.one(d.at.userPrincipalName); upn != "" {
		if r := d.checkUPN(o, upn); r.code != success {
			return nil, r
		}
	}
	if a := o.attr(d.at.unicodePwd); a != nil {
		var r result
		if pw, r = s.newPassword(o, a.vals); r.code != success {
			return nil, r
		}
	}
	if a := o.attr(d.at.userAccountControl); a != nil {
		if r := d.checkEnable(o, o.number(d.at.userAccountControl), pw); r.code != success {
			return nil, r
		}
	}
	return pw, result{}
}

func compact(attrs []attribute) []attribute {
	kept := attrs[:0]
	for _, a := range attrs {
		if a.def != nil {
			kept = append(kept, a)
		}
	}
	return kept
}

// checkAttribute is what add and modify ask alike of an attribute's values.
func (s *session) checkAttribute(o *object, a *attribute) result {
	if a.def.Syntax == schema.DN {
		if a.def.Single && len(a.vals) > 1 {
			return attrErr(constraintViolation, 0x2081, constraint, a.def)
		}
		for _, v := range a.vals {
			to, _, ok := s.dir.lookup(v)
			if !ok {
				return conversion(invalidSyntax)
			}
			if to == nil || to.deleted {
				return noTarget(s.dir, a.def)
			}
		}
		return result{}
	}
	return s.dir.checkValues(a.def, a.vals)
}

// noTarget is what a reference to nothing answers.
func noTarget(d *directory, def *schema.Attribute) result {
	if def == d.at.member {
		r := noObject(nil)
		r.message = strings.Replace(r.message, "0000208D", "00000525", 1)
		return r
	}
	return attrErr(constraintViolation, 0x20b5, constraint, def)
}

func ownedBySystem(def *schema.Attribute) result {
	if def.SystemOnly && !def.Back() {
		return attrErr(constraintViolation, 0x209a, constraint, def)
	}
	return svcErr(unwilling, 0x209a, willNotPerform)
}

func attrClassViolation(def *schema.Attribute) result {
	r := updErr(classViolation, 0x207d, "6002 (OBJ_CLASS_VIOLATION)")
	r.message = strings.Replace(r.message, "data 0", "data "+strconv.Itoa(0x90000+def.ID), 1)
	return r
}

// newPassword checks a password that is being set.
func (s *session) newPassword(o *object, vals []string) (*password, result) {
	d := s.dir
	if !s.sealed {
		return nil, svcErr(unwilling, 0x1f, willNotPerform)
	}
	if len(vals) != 1 {
		return nil, svcErr(unwilling, 0x57, willNotPerform)
	}
	plain, ok := decodePassword(vals[0])
	if !ok {
		return nil, svcErr(unwilling, 0x1f, willNotPerform)
	}
	display := ""
	if def := d.schema.Attribute("displayName"); def != nil {
		display = o.one(def)
	}
	if !d.policy.acceptable(plain, o.one(d.at.sAMAccountName), display) {
		return nil, d.passwordRefused()
	}
	return newPassword(plain), result{}
}

// complete gives a new object what the account manager adds.
func (d *directory) complete(o *object, pw *password, usn uint64) {
	if !o.class.Is("user") && !o.class.Is("group") {
		return
	}
	d.nextRID++
	o.rid = d.nextRID
	fill := func(def *schema.Attribute, v string) {
		if o.attr(def) == nil {
			o.set(def, usn, v)
		}
	}
	if o.attr(d.at.sAMAccountName) == nil {
		o.set(d.at.sAMAccountName, usn, "$"+strings.ToUpper(guidString(d.freshGUID(o))[:6])+"-"+strings.ToUpper(guidString(o.guid)[24:]))
	}
	if o.class.Is("group") {
		fill(d.at.groupType, "-2147483646")
		return
	}
	uac := int64(uacNormal | uacDisabled | uacNoPassword)
	if o.class.Is("computer") {
		uac = uacWorkstation | uacDisabled | uacNoPassword
	}
	if o.attr(d.at.userAccountControl) != nil {
		uac = o.number(d.at.userAccountControl)
		if uac&uacKinds == 0 {
			uac |= uacNormal
		}
	}
	o.set(d.at.userAccountControl, usn, strconv.FormatInt(uac, 10))
	fill(d.at.primaryGroupID, "513")
	fill(d.at.accountExpires, "9223372036854775807")
	o.password = pw
	switch v := o.one(d.at.pwdLastSet); {
	case pw != nil && (v == "" || v == "-1"):
		o.set(d.at.pwdLastSet, usn, fileTime(pw.set))
	case v == "":
		o.set(d.at.pwdLastSet, usn, "0")
	}
}

func (d *directory) freshGUID(o *object) [16]byte {
	d.newGUID(&o.guid)
	return o.guid
}
