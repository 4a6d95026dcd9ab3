package suite

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (e *env) tlsConfig() *tls.Config {
	host := strings.TrimPrefix(e.to.LDAP, "ldap://")
	host = host[:strings.LastIndexByte(host, ':')]
	return &tls.Config{RootCAs: e.to.CA, ServerName: host}
}

var dataCode = regexp.MustCompile(`data ([0-9a-f]+)`)

// bindAs binds on a connection of its own and adds the data code to the result.
func (e *env) bindAs(name, pw string) string {
	err := e.dial(e.to.LDAPS).Bind(name, pw)
	r := result(err)
	if m := dataCode.FindStringSubmatch(fmt.Sprint(err)); m != nil {
		r += " " + m[1]
	}
	return r
}

// guid writes an entry's objectGUID as it stands in <GUID=…>.
func guid(en *ldap.Entry) string {
	b := en.GetRawAttributeValue("objectGUID")
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:])
}

var searches = []behaviour{
	{name: "rootDSE", want: "3 namingContexts, default, config, schema", do: func(e *env) string {
		en := e.get("", "namingContexts", "defaultNamingContext", "configurationNamingContext", "schemaNamingContext", "highestCommittedUSN", "dnsHostName", "supportedControl")
		for _, a := range []string{"highestCommittedUSN", "dnsHostName"} {
			if en.GetAttributeValue(a) == "" {
				return "no " + a
			}
		}
		for _, oid := range []string{"1.2.840.113556.1.4.319", "1.2.840.113556.1.4.841", "1.2.840.113556.1.4.417", "1.2.840.113556.1.4.529", "1.2.840.113556.1.4.1413"} {
			if !slices.Contains(en.GetAttributeValues("supportedControl"), oid) {
				return "no control " + oid
			}
		}
		if en.GetAttributeValue("defaultNamingContext") != e.to.BaseDN ||
			en.GetAttributeValue("configurationNamingContext") != "CN=Configuration,"+e.to.BaseDN ||
			en.GetAttributeValue("schemaNamingContext") != "CN=Schema,CN=Configuration,"+e.to.BaseDN {
			return "contexts differ"
		}
		n := 0
		for _, nc := range en.GetAttributeValues("namingContexts") {
			if !strings.Contains(nc, "DnsZones") { // those of the DNS server
				n++
			}
		}
		return itoa(n) + " namingContexts, default, config, schema"
	}},
	{name: "filter by equality without regard to case", want: "Ann", do: func(e *env) string {
		e.user("Ann", attrs{"title": {"Head of Sales"}})
		return e.find("(&(objectClass=user)(title=head OF sales))")
	}},
	{name: "filter by presence, and, or, not", want: "B", do: func(e *env) string {
		e.user("A", attrs{"title": {"x"}, "l": {"Bonn"}})
		e.user("B", attrs{"l": {"Bonn"}})
		e.user("C", attrs{"l": {"Ulm"}})
		return e.find("(&(objectClass=user)(!(title=*))(|(l=Bonn)(l=Kiel)))")
	}},
	{name: "filter by not of an attribute absent", want: "A", do: func(e *env) string {
		e.user("A", nil)
		return e.find("(&(objectClass=user)(!(title=Boss)))")
	}},
	{name: "filter by substrings", want: "Abcde", do: func(e *env) string {
		e.user("Abcde", nil)
		e.user("Abxde", nil)
		return e.find("(cn=a*C*e)")
	}},
	{name: "filter by order of numbers", want: "B C", do: func(e *env) string {
		for name, n := range map[string]string{"A": "9", "B": "10", "C": "100"} {
			e.user(name, attrs{"countryCode": {n}})
		}
		return e.find("(&(objectClass=user)(countryCode>=10))")
	}},
	{name: "filter by bit", want: "On", do: func(e *env) string {
		e.user("Off", nil)
		e.user("On", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}})
		return e.find("(&(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))")
	}},
	{name: "filter by object category in short", want: "A", do: func(e *env) string {
		e.user("A", nil)
		e.group("G")
		return e.find("(&(objectCategory=person)(objectClass=user))")
	}},
	{name: "filter by GUID", want: "A", do: func(e *env) string {
		b := e.get(e.user("A", nil), "objectGUID").GetRawAttributeValue("objectGUID")
		f := ""
		for _, c := range b {
			f += fmt.Sprintf(`\%02x`, c)
		}
		return e.find("(objectGUID=" + f + ")")
	}},
	{name: "filter by an unknown attribute finds nothing", want: "", do: func(e *env) string {
		e.user("A", nil)
		return e.find("(shoeSize=43)")
	}},
	{name: "filter by link and in chain", want: "A | A Inner", do: func(e *env) string {
		a := e.user("A", nil)
		inner := e.group("Inner", a)
		outer := e.group("Outer", inner)
		return e.find("(memberOf="+inner+")") + " | " + e.find("(memberOf:1.2.840.113556.1.4.1941:="+outer+")")
	}},
	{name: "search one level", want: "1", do: func(e *env) string {
		sub := "OU=Sub," + e.ou
		e.must(e.add(sub, "organizationalUnit", nil))
		e.must(e.add("CN=Deep,"+sub, "user", attrs{"sAMAccountName": {e.sam("deep")}}))
		res, err := e.conn.Search(ldap.NewSearchRequest(e.ou, ldap.ScopeSingleLevel, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
		e.must(err)
		return itoa(len(res.Entries))
	}},
	{name: "search of what is not there", want: "32", do: func(e *env) string {
		_, err := e.conn.Search(ldap.NewSearchRequest("CN=Nobody,"+e.ou, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		return code(err)
	}},
	{name: "search in pages", want: "7 in 3", do: func(e *env) string {
		for i := range 7 {
			e.user("U"+itoa(i), nil)
		}
		paging := ldap.NewControlPaging(3)
		n, pages := 0, 0
		for {
			res, err := e.conn.Search(ldap.NewSearchRequest(e.ou, ldap.ScopeSingleLevel, 0, 0, 0, false, "(objectClass=user)", []string{"cn"}, []ldap.Control{paging}))
			e.must(err)
			n, pages = n+len(res.Entries), pages+1
			c, _ := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if c == nil || len(c.Cookie) == 0 {
				return itoa(n) + " in " + itoa(pages)
			}
			paging.SetCookie(c.Cookie)
		}
	}},
	{name: "search by GUID as base", want: "A", do: func(e *env) string {
		dn := e.user("A", nil)
		return e.value("<GUID="+guid(e.get(dn, "objectGUID"))+">", "cn")
	}},
	{name: "extended DN", want: "GUID SID DN", do: func(e *env) string {
		dn := e.user("A", nil)
		res, err := e.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"cn"},
			[]ldap.Control{ldap.NewControlString("1.2.840.113556.1.4.529", true, "0\x03\x02\x01\x01")}))
		e.must(err)
		got := res.Entries[0].DN
		if regexp.MustCompile(`^<GUID=[0-9a-f]{8}-[0-9a-f-]{27}>;<SID=S-1-5-21-[0-9-]+>;CN=A,OU=`).MatchString(got) {
			return "GUID SID DN"
		}
		return got
	}},
}

var links = []behaviour{
	{name: "member shows as memberOf", want: "0 true", do: func(e *env) string {
		a, g := e.user("A", nil), e.group("G")
		err := e.modify(g, func(r *ldap.ModifyRequest) { r.Add("member", []string{a}) })
		return result(err) + fmt.Sprint(" ", e.value(a, "memberOf") == g)
	}},
	{name: "member given by GUID", want: "0 true", do: func(e *env) string {
		a, g := e.user("A", nil), e.group("G")
		id := guid(e.get(a, "objectGUID"))
		err := e.modify(g, func(r *ldap.ModifyRequest) { r.Add("member", []string{"<GUID=" + id + ">"}) })
		return result(err) + fmt.Sprint(" ", e.value(g, "member") == a)
	}},
	{name: "member added twice", want: "68", do: func(e *env) string {
		a := e.user("A", nil)
		g := e.group("G", a)
		return code(e.modify(g, func(r *ldap.ModifyRequest) { r.Add("member", []string{a}) }))
	}},
	{name: "member removed who is none of several", want: "53", do: func(e *env) string {
		a := e.user("A", nil)
		g := e.group("G", e.user("B", nil))
		return code(e.modify(g, func(r *ldap.ModifyRequest) { r.Delete("member", []string{a}) }))
	}},
	{name: "member who does not exist", want: "32", do: func(e *env) string {
		return code(e.modify(e.group("G"), func(r *ldap.ModifyRequest) { r.Add("member", []string{"CN=Nobody," + e.ou}) }))
	}},
	{name: "member removed from an empty group", want: "16", windows: "53", do: func(e *env) string {
		a, g := e.user("A", nil), e.group("G")
		return code(e.modify(g, func(r *ldap.ModifyRequest) { r.Delete("member", []string{a}) }))
	}},
	{name: "member changes with permissive control", want: "68 53", windows: "0 0", do: func(e *env) string {
		a, b := e.user("A", nil), e.user("B", nil)
		g := e.group("G", a)
		x := e.modify(g, func(r *ldap.ModifyRequest) { r.Add("member", []string{a}) }, permissive)
		y := e.modify(g, func(r *ldap.ModifyRequest) { r.Delete("member", []string{b}) }, permissive)
		return code(x) + " " + code(y)
	}},
	{name: "manager follows a rename", want: "true true", do: func(e *env) string {
		boss := e.user("Boss", nil)
		a := e.user("A", attrs{"manager": {boss}})
		before := e.value(boss, "directReports") == a
		e.must(e.conn.ModifyDN(ldap.NewModifyDNRequest(boss, "CN=Chief", true, "")))
		return fmt.Sprint(before, " ", e.value(a, "manager") == "CN=Chief,"+e.ou)
	}},
	{name: "links end with a deletion", want: " 0", do: func(e *env) string {
		boss := e.user("Boss", nil)
		a := e.user("A", attrs{"manager": {boss}})
		g := e.group("G", boss)
		e.must(e.conn.Del(ldap.NewDelRequest(boss, nil)))
		return e.value(a, "manager") + " " + itoa(len(e.get(g, "member").GetAttributeValues("member")))
	}},
	{name: "second manager", want: "20", do: func(e *env) string {
		one, two := e.user("One", nil), e.user("Two", nil)
		a := e.user("A", attrs{"manager": {one}})
		return code(e.modify(a, func(r *ldap.ModifyRequest) { r.Add("manager", []string{two}) }))
	}},
	{name: "manager swapped by compare and swap", want: "0 true", do: func(e *env) string {
		one, two := e.user("One", nil), e.user("Two", nil)
		a := e.user("A", attrs{"manager": {one}})
		err := e.modify(a, func(r *ldap.ModifyRequest) { r.Delete("manager", []string{one}); r.Add("manager", []string{two}) })
		return result(err) + fmt.Sprint(" ", e.value(a, "manager") == two)
	}},
	{name: "range retrieval", want: "member;range=1-2 2, member;range=3-* 1", do: func(e *env) string {
		var m []string
		for i := range 4 {
			m = append(m, e.user("M"+itoa(i), nil))
		}
		g := e.group("G", m...)
		part := func(r string) string {
			for _, a := range e.get(g, "member;range="+r).Attributes {
				if strings.HasPrefix(a.Name, "member") && len(a.Values) > 0 {
					return a.Name + " " + itoa(len(a.Values))
				}
			}
			return "nothing"
		}
		return part("1-2") + ", " + part("3-*")
	}},
}

// dirSync reads all that changed since the cookie.
func (e *env) dirSync(base string, flags int64, cookie []byte, names ...string) ([]*ldap.Entry, []byte, error) {
	var all []*ldap.Entry
	for {
		req := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", names,
			[]ldap.Control{ldap.NewRequestControlDirSync(flags, 1<<20, cookie)})
		res, err := e.conn.Search(req)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, res.Entries...)
		c, _ := ldap.FindControl(res.Controls, ldap.ControlTypeDirSync).(*ldap.ControlDirSync)
		if c == nil {
			return nil, nil, fmt.Errorf("no DirSync control in the answer")
		}
		cookie = c.Cookie
		if c.Flags == 0 {
			return all, cookie, nil
		}
	}
}

// of picks the entries with a GUID.
func of(entries []*ldap.Entry, id string) []*ldap.Entry {
	var out []*ldap.Entry
	for _, en := range entries {
		if len(en.GetRawAttributeValue("objectGUID")) == 16 && guid(en) == id {
			out = append(out, en)
		}
	}
	return out
}

// shape lists an entry's attributes but for those that go with every entry.
func shape(en *ldap.Entry) string {
	var out []string
	for _, a := range en.Attributes {
		switch a.Name {
		case "objectGUID", "instanceType", "parentGUID":
		default:
			out = append(out, a.Name+"="+itoa(len(a.Values)))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

const incremental = -0x80000000

var deltas = []behaviour{
	{name: "DirSync tells a change of one attribute", want: "title=1", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn", "title", "l")
		e.must(err)
		e.must(e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"Boss"}) }))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn", "title", "l")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return shape(got[0])
	}},
	{name: "DirSync tells a cleared attribute as empty", want: "title=0", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn", "title", "l")
		e.must(err)
		e.must(e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("title", nil) }))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn", "title", "l")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return shape(got[0])
	}},
	{name: "DirSync tells a new object", want: "true", do: func(e *env) string {
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "sAMAccountName", "objectClass")
		e.must(err)
		dn := e.user("A", nil)
		id := guid(e.get(dn, "objectGUID"))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "sAMAccountName", "objectClass")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return fmt.Sprint(got[0].DN == dn && got[0].GetAttributeValue("sAMAccountName") == e.sam("A") && slices.Contains(got[0].GetAttributeValues("objectClass"), "user"))
	}},
	{name: "DirSync tells a rename by its new DN", want: "true", do: func(e *env) string {
		dn := e.user("A", nil)
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn", "name")
		e.must(err)
		e.must(e.conn.ModifyDN(ldap.NewModifyDNRequest(dn, "CN=B", true, "")))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn", "name")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return fmt.Sprint(got[0].DN == "CN=B,"+e.ou && got[0].GetAttributeValue("name") == "B")
	}},
	{name: "DirSync tells a deletion", want: "TRUE true", do: func(e *env) string {
		dn := e.user("A", nil)
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn", "isDeleted")
		e.must(err)
		e.must(e.conn.Del(ldap.NewDelRequest(dn, nil)))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn", "isDeleted")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return got[0].GetAttributeValue("isDeleted") + fmt.Sprint(" ", strings.HasPrefix(strings.ToUpper(got[0].DN), `CN=A\0ADEL:`))
	}},
	{name: "DirSync tells members one by one", want: "member;range=0-0=1 member;range=1-1=1", do: func(e *env) string {
		a, b := e.user("A", nil), e.user("B", nil)
		g := e.group("G", a)
		id := guid(e.get(g, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn", "member")
		e.must(err)
		e.must(e.modify(g, func(r *ldap.ModifyRequest) { r.Delete("member", []string{a}); r.Add("member", []string{b}) }))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn", "member")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return shape(got[0])
	}},
	{name: "DirSync tells a member removed", want: "member;range=0-0=1", do: func(e *env) string {
		a := e.user("A", nil)
		g := e.group("G", a, e.user("B", nil))
		id := guid(e.get(g, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn", "member")
		e.must(err)
		e.must(e.modify(g, func(r *ldap.ModifyRequest) { r.Delete("member", []string{a}) }))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn", "member")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return shape(got[0])
	}},
	{name: "DirSync tells a manager as a value added", want: "manager;range=1-1=1", do: func(e *env) string {
		dn, boss := e.user("A", nil), e.user("Boss", nil)
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "manager", "title")
		e.must(err)
		e.must(e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("manager", []string{boss}) }))
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "manager", "title")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return shape(got[0])
	}},
	{name: "DirSync tells a manager whole without incremental values", want: "manager=1", do: func(e *env) string {
		dn, boss := e.user("A", nil), e.user("Boss", nil)
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, 0, nil, "manager", "title")
		e.must(err)
		e.must(e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("manager", []string{boss}) }))
		got, _, err := e.dirSync(e.to.BaseDN, 0, cookie, "manager", "title")
		e.must(err)
		if got = of(got, id); len(got) != 1 {
			return itoa(len(got)) + " entries"
		}
		return shape(got[0])
	}},
	{name: "counters of a new account are zero", want: "0 0 0 0", do: func(e *env) string {
		en := e.get(e.user("A", nil), "*")
		return strings.Join([]string{en.GetAttributeValue("badPwdCount"), en.GetAttributeValue("countryCode"), en.GetAttributeValue("codePage"), en.GetAttributeValue("logonCount")}, " ")
	}},
	{name: "modify swaps a zero that was never written", want: "0 49", do: func(e *env) string {
		dn := e.user("A", nil)
		err := e.modify(dn, func(r *ldap.ModifyRequest) {
			r.Delete("countryCode", []string{"0"})
			r.Add("countryCode", []string{"49"})
		})
		return result(err) + " " + e.value(dn, "countryCode")
	}},
	{name: "DirSync tells nothing when nothing changed", want: "0", do: func(e *env) string {
		dn := e.user("A", nil)
		id := guid(e.get(dn, "objectGUID"))
		_, cookie, err := e.dirSync(e.to.BaseDN, incremental, nil, "cn")
		e.must(err)
		got, _, err := e.dirSync(e.to.BaseDN, incremental, cookie, "cn")
		e.must(err)
		return itoa(len(of(got, id)))
	}},
	{name: "DirSync below a naming context", want: "refused", do: func(e *env) string {
		if _, _, err := e.dirSync(e.ou, incremental, nil, "cn"); err == nil {
			return "taken"
		}
		return "refused"
	}},
	{name: "DirSync with a broken cookie", want: "refused", do: func(e *env) string {
		if _, _, err := e.dirSync(e.to.BaseDN, incremental, []byte("not a cookie"), "cn"); err == nil {
			return "taken"
		}
		return "refused"
	}},
	{name: "uSNChanged rises with each change", want: "true", do: func(e *env) string {
		dn := e.user("A", nil)
		a, _ := strconv.Atoi(e.value(dn, "uSNChanged"))
		e.must(e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"Boss"}) }))
		b, _ := strconv.Atoi(e.value(dn, "uSNChanged"))
		return fmt.Sprint(b > a && strings.Contains(e.find("(uSNChanged>="+itoa(b)+")"), "A"))
	}},
}

// schemaOf reads one object of the schema by its LDAP name.
func (e *env) schemaOf(name string) *ldap.Entry {
	res, err := e.conn.Search(ldap.NewSearchRequest("CN=Schema,CN=Configuration,"+e.to.BaseDN, ldap.ScopeSingleLevel, 0, 0, 0, false, "(lDAPDisplayName="+name+")", nil, nil))
	e.must(err)
	if len(res.Entries) != 1 {
		e.t.Fatalf("schema has %d objects %s", len(res.Entries), name)
	}
	return res.Entries[0]
}

var schemas = []behaviour{
	{name: "schema tells an attribute's limits", want: "2.5.5.12 64 TRUE 0 16", do: func(e *env) string {
		en := e.schemaOf("employeeID")
		var out []string
		for _, a := range []string{"attributeSyntax", "oMSyntax", "isSingleValued", "rangeLower", "rangeUpper"} {
			out = append(out, en.GetAttributeValue(a))
		}
		return strings.Join(out, " ")
	}},
	{name: "schema tells links", want: "2 3 42", do: func(e *env) string {
		return e.schemaOf("member").GetAttributeValue("linkID") + " " + e.schemaOf("memberOf").GetAttributeValue("linkID") + " " + e.schemaOf("manager").GetAttributeValue("linkID")
	}},
	{name: "schema tells what a class holds", want: "organizationalPerson true true", do: func(e *env) string {
		en := e.schemaOf("user")
		return en.GetAttributeValue("subClassOf") + fmt.Sprint(" ", slices.Contains(en.GetAttributeValues("systemMayContain"), "userPrincipalName"),
			" ", slices.Contains(en.GetAttributeValues("systemAuxiliaryClass"), "securityPrincipal"))
	}},
}
