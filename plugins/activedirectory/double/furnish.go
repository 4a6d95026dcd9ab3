package double

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// furnish fills a new directory with what dcpromo leaves behind, as far as
// provisioning looks at it.
func (d *directory) furnish(opt Options, now int64) error {
	base := opt.Base
	labels := []string{}
	for rest := base; rest != ""; {
		part, more, ok := splitRDN(rest)
		if !ok || !strings.EqualFold(part.attr, "DC") {
			return fmt.Errorf("base %q: want a name such as DC=corp,DC=example,DC=test", base)
		}
		labels = append(labels, part.value)
		rest = more
	}
	if len(labels) == 0 {
		return fmt.Errorf("base is empty: want a name such as DC=corp,DC=example,DC=test")
	}
	d.dnsName = strings.ToLower(strings.Join(labels, "."))
	d.netBIOS = strings.ToUpper(labels[0][:min(15, len(labels[0]))])
	norm := "DC=" + strings.Join(labels, ",DC=")

	head := func(class, dn string) *object {
		o := &object{class: d.schema.Class(class), rdn: dn, critical: true}
		d.insert(o, nil, d.nextUSN(), now)
		return o
	}
	d.domain = head("domainDNS", norm)
	d.domain.sid = d.domainSID
	d.config = head("configuration", "CN=Configuration,"+norm)
	d.schemaHead = head("dMD", "CN=Schema,CN=Configuration,"+norm)

	for _, h := range []*object{d.domain, d.config} {
		d.deletedIn[h] = d.builtin("container", "Deleted Objects", h, 0, now)
	}
	d.deletedIn[d.schemaHead] = d.deletedIn[d.config]
	users := d.builtin("container", "Users", d.domain, 0, now)
	builtin := d.builtin("builtinDomain", "Builtin", d.domain, 0, now)
	d.builtin("container", "Computers", d.domain, 0, now)
	d.builtin("container", "System", d.domain, 0, now)
	d.builtin("organizationalUnit", "Domain Controllers", d.domain, 0, now)
	d.builtin("container", "Sites", d.config, 0, now)

	for _, g := range []struct {
		name  string
		rid   uint32
		scope int64
	}{
		{"Domain Admins", 512, 2}, {"Domain Users", 513, 2}, {"Domain Guests", 514, 2}, {"Domain Computers", 515, 2},
		{"Domain Controllers", 516, 2}, {"Schema Admins", 518, 8}, {"Enterprise Admins", 519, 8},
		{"Group Policy Creator Owners", 520, 2}, {"Protected Users", 525, 2},
	} {
		d.group(g.name, users, g.rid, g.scope, now)
	}
	for name, rid := range map[string]uint32{"Administrators": 544, "Users": 545, "Guests": 546, "Account Operators": 548, "Server Operators": 549, "Print Operators": 550, "Backup Operators": 551} {
		d.group(name, builtin, rid, 4|1, now)
	}
	admin := d.builtin("user", "Administrator", users, 500, now)
	d.account(admin, "Administrator", 66048)
	d.setPassword(admin, opt.AdminPassword)
	guest := d.builtin("user", "Guest", users, 501, now)
	d.account(guest, "Guest", 66082)
	krbtgt := d.builtin("user", "krbtgt", users, 502, now)
	d.account(krbtgt, "krbtgt", 514)
	for group, members := range map[string][]string{
		"Domain Admins":     {"Administrator"},
		"Schema Admins":     {"Administrator"},
		"Enterprise Admins": {"Administrator"},
		"Administrators":    {"Administrator", "Domain Admins", "Enterprise Admins"},
		"Users":             {"Domain Users"},
		"Guests":            {"Guest", "Domain Guests"},
	} {
		g := d.indexes[d.at.sAMAccountName][d.fold(group)].one
		for _, m := range members {
			d.link(g, d.at.member, d.indexes[d.at.sAMAccountName][d.fold(m)].one, g.usnChanged)
		}
	}
	d.furnishSchema(now)
	return nil
}

// builtin makes a critical object that no client may delete.
func (d *directory) builtin(class, name string, parent *object, rid uint32, now int64) *object {
	o := &object{class: d.schema.Class(class), rdn: name, rid: rid, critical: true}
	usn := d.nextUSN()
	o.set(d.at.isCriticalSystemObject, usn, "TRUE")
	if rid >= 544 && rid < 600 {
		o.rid = 0
		o.sid = "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, rid))
	}
	d.insert(o, parent, usn, now)
	return o
}

func (d *directory) group(name string, parent *object, rid uint32, scope, now int64) {
	o := d.builtin("group", name, parent, rid, now)
	typ := int32(uint32(scope) | 0x80000000)
	o.set(d.at.groupType, o.usnCreated, strconv.Itoa(int(typ)))
	o.set(d.at.sAMAccountName, o.usnCreated, name)
	d.index(d.at.sAMAccountName, d.fold(name), o)
	switch rid {
	case 512, 516, 518, 519, 544, 548, 549, 550, 551:
		o.set(d.at.adminCount, o.usnCreated, "1")
	}
}

func (d *directory) account(o *object, sam string, uac int) {
	usn := o.usnCreated
	o.set(d.at.sAMAccountName, usn, sam)
	d.index(d.at.sAMAccountName, d.fold(sam), o)
	o.set(d.at.userAccountControl, usn, strconv.Itoa(uac))
	o.set(d.at.primaryGroupID, usn, "513")
	o.set(d.at.accountExpires, usn, "9223372036854775807")
	o.set(d.at.pwdLastSet, usn, "0")
	if sam != "Guest" {
		o.set(d.at.adminCount, usn, "1")
	}
}

// furnishSchema writes the schema as objects that clients read.
func (d *directory) furnishSchema(now int64) {
	one := func(o *object, name string, values ...string) {
		if def := d.schema.Attribute(name); def != nil && len(values) > 0 {
			o.set(def, d.usn, values...)
		}
	}
	boolean := map[bool]string{true: "TRUE", false: "FALSE"}
	for _, a := range d.schema.Attributes {
		o := &object{class: d.schema.Class("attributeSchema"), rdn: a.CN}
		usn := d.nextUSN()
		one(o, "lDAPDisplayName", a.Name)
		one(o, "attributeID", a.OID)
		one(o, "attributeSyntax", a.SyntaxOID)
		one(o, "oMSyntax", a.OMSyntax)
		one(o, "isSingleValued", boolean[a.Single])
		if a.SystemOnly {
			one(o, "systemOnly", "TRUE")
		}
		if a.RangeLower >= 0 {
			one(o, "rangeLower", strconv.Itoa(a.RangeLower))
		}
		if a.RangeUpper >= 0 {
			one(o, "rangeUpper", strconv.Itoa(a.RangeUpper))
		}
		if a.LinkID > 0 {
			one(o, "linkID", strconv.Itoa(a.LinkID))
		}
		flags, search := 16, 0
		if a.Constructed {
			flags |= 4
		}
		if a.Local {
			flags |= 1
		}
		if a.Indexed {
			search |= 1
		}
		one(o, "systemFlags", strconv.Itoa(flags))
		one(o, "searchFlags", strconv.Itoa(search))
		d.insert(o, d.schemaHead, usn, now)
	}
	for _, c := range d.schema.Classes {
		o := &object{class: d.schema.Class("classSchema"), rdn: c.CN}
		usn := d.nextUSN()
		one(o, "lDAPDisplayName", c.Name)
		one(o, "governsID", c.OID)
		one(o, "objectClassCategory", strconv.Itoa(c.Category))
		one(o, "rDNAttID", c.RDN.Name)
		one(o, "subClassOf", c.Super.Name)
		one(o, "defaultObjectCategory", "CN="+c.Default+","+d.schemaHead.rdn)
		lists := map[string][]string{}
		for _, l := range c.Lists {
			lists[l[0]] = append(lists[l[0]], l[1])
		}
		for name, values := range lists {
			one(o, name, values...)
		}
		d.insert(o, d.schemaHead, usn, now)
	}
}
