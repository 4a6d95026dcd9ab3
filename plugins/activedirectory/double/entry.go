package double

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// entry writes one SearchResultEntry with what the query selects.
func (s *session) entry(id int64, o *object, q *query) {
	b, msg := ber.Begin(s.out, ber.Sequence)
	b = ber.AppendInt(b, ber.Integer, id)
	b, op := ber.Begin(b, 0x64)
	b = s.appendName(b, o, &q.controls)
	b, list := ber.Begin(b, ber.Sequence)
	if q.selection.all {
		for _, def := range s.dir.shown {
			b = s.appendAttribute(b, o, selected{def: def, name: def.Name, to: -1}, q)
		}
		for _, def := range s.dir.zeros {
			if s.dir.startsZero(o, def) {
				b = appendValues(b, def.Name, zero)
			}
		}
		for i := range o.attrs {
			if def := o.attrs[i].def; s.dir.made[def.ID] == nil {
				b = s.appendAttribute(b, o, selected{def: def, name: def.Name, to: -1}, q)
			}
		}
		for i := range o.links {
			b = s.appendAttribute(b, o, selected{def: o.links[i].def, name: o.links[i].def.Name, to: -1}, q)
		}
		for i := range o.back {
			if def := s.dir.backOf[o.back[i].def]; def != nil {
				b = s.appendAttribute(b, o, selected{def: def, name: def.Name, to: -1}, q)
			}
		}
	}
	for _, sel := range q.selection.attrs {
		b = s.appendAttribute(b, o, sel, q)
	}
	b = ber.End(b, list)
	b = ber.End(b, op)
	s.out = ber.End(b, msg)
}

// appendName writes the entry's DN as an OCTET STRING.
func (s *session) appendName(b []byte, o *object, c *controls) []byte {
	return ber.Append(b, ber.Octets, s.name(o, c))
}

// name is the DN, in extended form if asked for.
func (s *session) name(o *object, c *controls) string {
	if !c.extendedDN {
		return o.dn()
	}
	guid, sid := hex.EncodeToString(o.guid[:]), s.dir.objectSid(o)
	if c.extendedString {
		guid = guidString(o.guid)
	}
	dn := "<GUID=" + guid + ">;"
	if sid != "" {
		if c.extendedString {
			sid = sidString(sid)
		} else {
			sid = hex.EncodeToString([]byte(sid))
		}
		dn += "<SID=" + sid + ">;"
	}
	return dn + o.dn()
}

// appendAttribute writes one PartialAttribute, or nothing if it has no values.
func (s *session) appendAttribute(b []byte, o *object, sel selected, q *query) []byte {
	vals := s.visible(o, sel.def, &q.controls)
	if len(vals) == 0 {
		return b
	}
	name := sel.name
	if sel.ranged || len(vals) > maxValRange {
		from, to := sel.from, len(vals)
		if from >= len(vals) {
			return b
		}
		if sel.to >= 0 && sel.to+1 < to {
			to = sel.to + 1
		}
		if to-from > maxValRange {
			to = from + maxValRange
		}
		end := strconv.Itoa(to - 1)
		if to == len(vals) {
			end = "*"
		}
		name += ";range=" + strconv.Itoa(from) + "-" + end
		vals = vals[from:to]
	}
	if q.typesOnly {
		vals = nil
	}
	return appendValues(b, name, vals)
}

func appendValues(b []byte, name string, vals []string) []byte {
	b, one := ber.Begin(b, ber.Sequence)
	b = ber.Append(b, ber.Octets, name)
	b, set := ber.Begin(b, ber.Set)
	for _, v := range vals {
		b = ber.Append(b, ber.Octets, v)
	}
	b = ber.End(b, set)
	return ber.End(b, one)
}

// visible returns an attribute's values as this reader sees them.
func (s *session) visible(o *object, def *schema.Attribute, c *controls) []string {
	d := s.dir
	switch def.Name {
	case "allowedAttributesEffective":
		return s.writable(o)
	case "allowedChildClassesEffective":
		return s.creatable(o)
	case "sDRightsEffective":
		if s.who.admin {
			return []string{"15"}
		}
		return []string{"0"}
	}
	if !c.extendedDN || def.Syntax != schema.DN {
		return d.values(o, def)
	}
	var to []*object
	switch {
	case def == d.at.distinguishedName:
		to = []*object{o}
	case def.Back():
		to = d.backLinks(o, def)
	default:
		set := o.linkSet(def)
		if set == nil {
			return d.values(o, def)
		}
		for i := range set.links {
			if !set.links[i].gone {
				to = append(to, set.links[i].to)
			}
		}
	}
	out := make([]string, len(to))
	for i, t := range to {
		out[i] = s.name(t, c)
	}
	return out
}

// reference writes a SearchResultReference.
func (s *session) reference(id int64, url string) {
	b, msg := ber.Begin(s.out, ber.Sequence)
	b = ber.AppendInt(b, ber.Integer, id)
	b, op := ber.Begin(b, 0x73)
	b = ber.Append(b, ber.Octets, url)
	b = ber.End(b, op)
	s.out = ber.End(b, msg)
}

// rootDSE answers the search of the empty name.
func (s *session) rootDSE(id int64, q *query) result {
	d := s.dir
	d.mu.RLock()
	defer d.mu.RUnlock()
	b, msg := ber.Begin(s.out, ber.Sequence)
	b = ber.AppendInt(b, ber.Integer, id)
	b, op := ber.Begin(b, 0x64)
	b = ber.Append(b, ber.Octets, "")
	b, list := ber.Begin(b, ber.Sequence)
	host := s.server.opt.Host
	dc := "CN=" + d.netBIOSHost(host) + ",CN=Servers,CN=Default-First-Site-Name,CN=Sites," + d.config.rdn
	for _, a := range []struct {
		name string
		vals []string
	}{
		{"currentTime", []string{generalizedTime(now())}},
		{"configurationNamingContext", []string{d.config.rdn}},
		{"defaultNamingContext", []string{d.domain.rdn}},
		{"rootDomainNamingContext", []string{d.domain.rdn}},
		{"schemaNamingContext", []string{d.schemaHead.rdn}},
		{"namingContexts", []string{d.domain.rdn, d.config.rdn, d.schemaHead.rdn}},
		{"subschemaSubentry", []string{"CN=Aggregate," + d.schemaHead.rdn}},
		{"dnsHostName", []string{host}},
		{"ldapServiceName", []string{d.dnsName + ":" + host}},
		{"serverName", []string{dc}},
		{"dsServiceName", []string{"CN=NTDS Settings," + dc}},
		{"highestCommittedUSN", []string{strconv.FormatUint(d.usn, 10)}},
		{"isSynchronized", []string{"TRUE"}},
		{"isGlobalCatalogReady", []string{"TRUE"}},
		{"domainFunctionality", []string{"7"}},
		{"forestFunctionality", []string{"7"}},
		{"domainControllerFunctionality", []string{"7"}},
		{"supportedLDAPVersion", []string{"3"}},
		{"supportedSASLMechanisms", nil},
		{"supportedControl", []string{oidPaged, oidDirSync, oidShowDeleted, oidExtendedDN, oidPermissive,
			oidTreeDelete, oidDomainScope, oidPolicyHints, oidLazyCommit, oidSDFlags}},
		{"supportedExtension", []string{oidStartTLS, oidWhoAmI}},
		{"supportedCapabilities", []string{"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670", "1.2.840.113556.1.4.1791", "1.2.840.113556.1.4.1935", "1.2.840.113556.1.4.2080", "1.2.840.113556.1.4.2237"}},
	} {
		if len(a.vals) > 0 && q.wantsRoot(a.name) {
			b = appendValues(b, a.name, a.vals)
		}
	}
	b = ber.End(b, list)
	b = ber.End(b, op)
	s.out = ber.End(b, msg)
	return result{}
}

func (q *query) wantsRoot(name string) bool {
	if q.selection.all || len(q.selection.roots) == 0 && len(q.selection.attrs) == 0 {
		return true
	}
	for _, r := range q.selection.roots {
		if strings.EqualFold(r, name) {
			return true
		}
	}
	return false
}

// netBIOSHost is the computer's name: the first label of its DNS name.
func (d *directory) netBIOSHost(host string) string {
	label, _, _ := strings.Cut(host, ".")
	return strings.ToUpper(label)
}
