package double

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// A constructed attribute is made from the object when it is read or matched.
type constructed func(d *directory, o *object) []string

// constructedAttributes are those that the double keeps in the object itself
// or works out; by schema ID, nil for what is stored.
func (d *directory) constructedAttributes() []constructed {
	table := make([]constructed, len(d.schema.Attributes))
	for name, f := range map[string]constructed{
		"objectClass":       func(_ *directory, o *object) []string { return o.class.Chain },
		"objectCategory":    (*directory).category,
		"objectGUID":        func(_ *directory, o *object) []string { return []string{string(o.guid[:])} },
		"objectSid":         (*directory).sidValues,
		"distinguishedName": func(_ *directory, o *object) []string { return []string{o.dn()} },
		"name":              func(_ *directory, o *object) []string { return []string{o.name()} },
		"instanceType":      func(_ *directory, o *object) []string { return []string{instanceType(o)} },
		"whenCreated":       func(_ *directory, o *object) []string { return []string{generalizedTime(o.created)} },
		"whenChanged":       func(_ *directory, o *object) []string { return []string{generalizedTime(o.changed)} },
		"uSNCreated":        func(_ *directory, o *object) []string { return []string{strconv.FormatUint(o.usnCreated, 10)} },
		"uSNChanged":        func(_ *directory, o *object) []string { return []string{strconv.FormatUint(o.usnChanged, 10)} },
		"sAMAccountType":    (*directory).accountType,
		"isDeleted": func(_ *directory, o *object) []string {
			if o.deleted {
				return []string{"TRUE"}
			}
			return nil
		},
		"lastKnownParent": func(_ *directory, o *object) []string {
			if o.lastParent == nil {
				return nil
			}
			return []string{o.lastParent.dn()}
		},
		"parentGUID": func(_ *directory, o *object) []string {
			if o.parent == nil {
				return nil
			}
			return []string{string(o.parent.guid[:])}
		},
		"canonicalName":              (*directory).canonicalName,
		"allowedAttributes":          (*directory).allowedAttributes,
		"allowedAttributesEffective": (*directory).allowedAttributes,
		"subSchemaSubEntry":          func(d *directory, _ *object) []string { return []string{"CN=Aggregate," + d.schemaHead.rdn} },
		"tokenGroups":                (*directory).tokenGroups,
	} {
		if a := d.schema.Attribute(name); a != nil {
			table[a.ID] = f
		}
	}
	for _, c := range d.schema.Classes { // cn, ou, dc: the name again
		if c.Structural() && c.RDN != nil && table[c.RDN.ID] == nil {
			def := c.RDN
			table[def.ID] = func(d *directory, o *object) []string {
				if o.class.RDN == def && o.parent != nil {
					return []string{o.name()}
				}
				if a := o.attr(def); a != nil {
					return a.vals
				}
				return nil
			}
		}
	}
	return table
}

// values returns what a reader sees of an attribute; DN-valued ones included.
// The caller must not change the result.
func (d *directory) values(o *object, def *schema.Attribute) []string {
	if f := d.made[def.ID]; f != nil {
		return f(d, o)
	}
	switch {
	case def.Syntax == schema.DN && def.Back():
		from := d.backLinks(o, def)
		out := make([]string, len(from))
		for i, s := range from {
			out[i] = s.dn()
		}
		return out
	case def.Syntax == schema.DN:
		set := o.linkSet(def)
		if set == nil {
			return nil
		}
		out := make([]string, 0, len(set.links))
		for i := range set.links {
			if !set.links[i].gone {
				out = append(out, set.links[i].to.dn())
			}
		}
		return out
	}
	if def == d.at.unicodePwd || def == d.at.userPassword {
		return nil
	}
	if a := o.attr(def); a != nil {
		return a.vals
	}
	if d.startsZero(o, def) {
		return zero
	}
	return nil
}

// zero is what the account manager gives an account in d.zeros; it is not
// stored until it is something else.
var zero = []string{"0"}

func (d *directory) startsZero(o *object, def *schema.Attribute) bool {
	return slices.Contains(d.zeros, def) && o.attr(def) == nil && o.class.May[d.at.userAccountControl] && !o.deleted
}

// backLinks returns the objects that point here, in order of creation.
func (d *directory) backLinks(o *object, def *schema.Attribute) []*object {
	var out []*object
	for i := range o.back {
		if o.back[i].def.LinkID != def.LinkID-1 {
			continue
		}
		for from := range o.back[i].from {
			out = append(out, from)
		}
	}
	slices.SortFunc(out, func(a, b *object) int { return cmp.Compare(a.usnCreated, b.usnCreated) })
	return out
}

// name is the RDN's value; a tombstone's carries the mark of its deletion.
func (o *object) name() string {
	if o.parent == nil {
		part, _, _ := splitRDN(o.rdn)
		return part.value
	}
	return o.rdn
}

func (d *directory) category(o *object) []string {
	return []string{"CN=" + o.class.Default + "," + d.schemaHead.rdn}
}

func (d *directory) sidValues(o *object) []string {
	if sid := d.objectSid(o); sid != "" {
		return []string{sid}
	}
	return nil
}

func instanceType(o *object) string {
	if o.parent == nil {
		return "5"
	}
	return "4"
}

// accountType follows MS-SAMR 2.2.1.9.
func (d *directory) accountType(o *object) []string {
	if o.deleted {
		return nil
	}
	if a := o.attr(d.at.groupType); a != nil && len(a.vals) > 0 {
		t := uint32(o.number(d.at.groupType))
		switch {
		case t&0x80000000 == 0 && t&4 != 0:
			return []string{"536870913"}
		case t&0x80000000 == 0:
			return []string{"268435457"}
		case t&4 != 0:
			return []string{"536870912"}
		}
		return []string{"268435456"}
	}
	if a := o.attr(d.at.userAccountControl); a != nil && len(a.vals) > 0 {
		switch uac := o.number(d.at.userAccountControl); {
		case uac&0x3000 != 0:
			return []string{"805306369"}
		case uac&0x800 != 0:
			return []string{"805306370"}
		}
		return []string{"805306368"}
	}
	return nil
}

func (d *directory) canonicalName(o *object) []string {
	path := ""
	for ; o.parent != nil; o = o.parent {
		path = "/" + o.rdn + path
	}
	if path == "" {
		path = "/"
	}
	return []string{d.dnsName + path}
}

func (d *directory) allowedAttributes(o *object) []string {
	out := make([]string, 0, len(o.class.May))
	for _, a := range d.schema.Attributes {
		if o.class.May[a] {
			out = append(out, a.Name)
		}
	}
	return out
}

// tokenGroups follows memberOf all the way and adds the primary group.
func (d *directory) tokenGroups(o *object) []string {
	seen := map[*object]bool{}
	var out []string
	var walk func(*object)
	walk = func(o *object) {
		for _, g := range d.backLinks(o, d.at.memberOf) {
			if sid := d.objectSid(g); !seen[g] && sid != "" {
				seen[g] = true
				out = append(out, sid)
				walk(g)
			}
		}
	}
	walk(o)
	if p := d.indexes[d.at.objectSid][d.domainRID(uint32(o.number(d.at.primaryGroupID)))].one; p != nil && !seen[p] {
		out = append(out, d.objectSid(p))
		walk(p)
	}
	return out
}

func (d *directory) domainRID(rid uint32) string {
	return d.objectSid(&object{rid: rid})
}

func generalizedTime(unix int64) string {
	return time.Unix(unix, 0).UTC().Format("20060102150405.0Z")
}
