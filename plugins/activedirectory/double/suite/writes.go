package suite

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

const goodPassword = "Tr0ub4dor&3xyz"

var binds = []behaviour{
	{name: "bind by DN", want: "0", do: func(e *env) string {
		return result(e.dial(e.to.LDAPS).Bind(e.to.AdminDN, e.to.AdminPassword))
	}},
	{name: "bind by UPN", want: "0", do: func(e *env) string {
		return result(e.dial(e.to.LDAPS).Bind(e.to.AdminUPN, e.to.AdminPassword))
	}},
	{name: "bind by NetBIOS name", want: "0", do: func(e *env) string {
		return result(e.dial(e.to.LDAPS).Bind(e.to.NetBIOS+`\Administrator`, e.to.AdminPassword))
	}},
	{name: "bind after StartTLS", want: "0", do: func(e *env) string {
		c := e.dial(e.to.LDAP)
		e.must(c.StartTLS(e.tlsConfig()))
		return result(c.Bind(e.to.AdminDN, e.to.AdminPassword))
	}},
	{name: "bind with a password in the clear", want: "8", do: func(e *env) string {
		return code(e.dial(e.to.LDAP).Bind(e.to.AdminDN, e.to.AdminPassword))
	}},
	{name: "bind with a wrong password", want: "49 80090308 52e", do: func(e *env) string {
		return e.bindAs(e.to.AdminDN, "wrong-password")
	}},
	{name: "bind of nobody", want: "49 80090308 52e", windows: "49 80090308 525", do: func(e *env) string {
		return e.bindAs("CN=Nobody,"+e.to.BaseDN, "wrong-password")
	}},
	{name: "bind of a disabled account", want: "49 80090308 533", do: func(e *env) string {
		dn := e.user("Off", attrs{"unicodePwd": {quoted(goodPassword)}})
		return e.bindAs(dn, goodPassword)
	}},
	{name: "bind when the password must be changed", want: "49 80090308 773", do: func(e *env) string {
		dn := e.user("Must", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}, "pwdLastSet": {"0"}})
		return e.bindAs(dn, goodPassword)
	}},
	{name: "bind of an expired account", want: "49 80090308 701", do: func(e *env) string {
		dn := e.user("Expired", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}, "accountExpires": {"126000000000000000"}})
		return e.bindAs(dn, goodPassword)
	}},
	{name: "search before bind", want: "1", do: func(e *env) string {
		_, err := e.dial(e.to.LDAPS).Search(ldap.NewSearchRequest(e.to.BaseDN, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		return code(err)
	}},
}

var adds = []behaviour{
	{name: "add a user enabled with its password in one request", want: "0 bind 0", do: func(e *env) string {
		dn := e.user("New", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}})
		return "0 bind " + result(e.dial(e.to.LDAPS).Bind(dn, goodPassword))
	}},
	{name: "add fills in account attributes", want: "805306368 513 9223372036854775807 CN=Person", do: func(e *env) string {
		en := e.get(e.user("Filled", nil), "sAMAccountType", "primaryGroupID", "accountExpires", "objectCategory")
		cat, _, _ := strings.Cut(en.GetAttributeValue("objectCategory"), ",")
		return strings.Join([]string{en.GetAttributeValue("sAMAccountType"), en.GetAttributeValue("primaryGroupID"), en.GetAttributeValue("accountExpires"), cat}, " ")
	}},
	{name: "add gives GUID and SID", want: "16 28 4", do: func(e *env) string {
		en := e.get(e.user("Ids", nil), "objectGUID", "objectSid", "instanceType")
		return itoa(len(en.GetRawAttributeValue("objectGUID"))) + " " + itoa(len(en.GetRawAttributeValue("objectSid"))) + " " + en.GetAttributeValue("instanceType")
	}},
	{name: "add of a name with every special character", want: `CN=O'Brien\, Jr. \#1 (Zoë) *|O'Brien, Jr. #1 (Zoë) *`, do: func(e *env) string {
		name := "O'Brien, Jr. #1 (Zoë) *"
		dn := "CN=" + ldap.EscapeDN(name) + "," + e.ou
		e.must(e.add(dn, "user", attrs{"sAMAccountName": {e.sam("obrien")}}))
		res, err := e.conn.Search(ldap.NewSearchRequest(e.ou, ldap.ScopeSingleLevel, 0, 0, 0, false, "(cn="+ldap.EscapeFilter(name)+")", []string{"cn"}, nil))
		e.must(err)
		if len(res.Entries) != 1 {
			return itoa(len(res.Entries)) + " found"
		}
		return strings.TrimSuffix(res.Entries[0].DN, ","+e.ou) + "|" + res.Entries[0].GetAttributeValue("cn")
	}},
	{name: "add where the name is taken", want: "68", do: func(e *env) string {
		e.user("Twin", nil)
		return code(e.add("CN=twin,"+e.ou, "user", attrs{"sAMAccountName": {e.sam("other")}}))
	}},
	{name: "add with a logon name taken", want: "68 00002071", windows: "68 00000524", do: func(e *env) string {
		e.user("One", nil)
		return result(e.add("CN=Two,"+e.ou, "user", attrs{"sAMAccountName": {strings.ToUpper(e.sam("One"))}}))
	}},
	{name: "add with a principal name taken", want: "19 0000202F", windows: "19 000021C7", do: func(e *env) string {
		e.user("One", attrs{"userPrincipalName": {e.mark + "@corp.example.test"}})
		return result(e.add("CN=Two,"+e.ou, "user", attrs{"sAMAccountName": {e.sam("two")}, "userPrincipalName": {e.mark + "@CORP.example.test"}}))
	}},
	{name: "add below nothing", want: "32", do: func(e *env) string {
		return code(e.add("CN=A,OU=Missing,"+e.ou, "user", nil))
	}},
	{name: "add with a bad DN", want: "34", do: func(e *env) string {
		return code(e.add("CN=A,nonsense,"+e.ou, "user", nil))
	}},
	{name: "add of an unknown attribute", want: "16", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"shoeSize": {"43"}}))
	}},
	{name: "add of an attribute the class has not", want: "65", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"groupType": {"-2147483646"}}))
	}},
	{name: "add of an unknown class", want: "16", do: func(e *env) string {
		req := ldap.NewAddRequest("CN=A,"+e.ou, nil)
		req.Attribute("objectClass", []string{"top", "spaceship"})
		return code(e.conn.Add(req))
	}},
	{name: "add of an empty value", want: "21", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"title": {""}}))
	}},
	{name: "add of a value too long", want: "21", windows: "19", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"company": {strings.Repeat("x", 65)}}))
	}},
	{name: "add of a value of full length", want: "0", do: func(e *env) string {
		return result(e.add("CN=A,"+e.ou, "user", attrs{"company": {strings.Repeat("ü", 64)}, "employeeID": {strings.Repeat("1", 16)}}))
	}},
	{name: "add of two values where one may be", want: "19", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"company": {"A", "B"}}))
	}},
	{name: "add of text where a number belongs", want: "21", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"countryCode": {"many"}}))
	}},
	{name: "add of a manager who is not there", want: "19", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"manager": {"CN=Nobody," + e.ou}}))
	}},
	{name: "add of a password against the policy", want: "19 0000052D", windows: "53 0000052D", do: func(e *env) string {
		return result(e.add("CN=A,"+e.ou, "user", attrs{"sAMAccountName": {e.sam("a")}, "unicodePwd": {quoted("short")}, "userAccountControl": {"512"}}))
	}},
	{name: "add of an enabled user without password", want: "0", windows: "53 0000052D", do: func(e *env) string {
		return result(e.add("CN=A,"+e.ou, "user", attrs{"sAMAccountName": {e.sam("a")}, "userAccountControl": {"512"}}))
	}},
	{name: "add of a password that is not quoted", want: "53", do: func(e *env) string {
		return code(e.add("CN=A,"+e.ou, "user", attrs{"sAMAccountName": {e.sam("a")}, "unicodePwd": {"plain text"}, "userAccountControl": {"512"}}))
	}},
	{name: "add by a GUID as parent", want: "34", do: func(e *env) string {
		return code(e.add("CN=A,<GUID="+guid(e.get(e.ou, "objectGUID"))+">", "user", nil))
	}},
	{name: "add of memberOf", want: "53", do: func(e *env) string {
		g := e.group("G")
		return code(e.add("CN=A,"+e.ou, "user", attrs{"memberOf": {g}}))
	}},
	{name: "add of an OU in a user", want: "64", do: func(e *env) string {
		u := e.user("Leaf", nil)
		return code(e.add("OU=Below,"+u, "organizationalUnit", nil))
	}},
}

var modifies = []behaviour{
	{name: "modify replaces", want: "0 Boss", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		err := e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"Boss"}) })
		return result(err) + " " + e.value(dn, "title")
	}},
	{name: "modify clears by an empty replace", want: "0 ", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		err := e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("title", nil) })
		return result(err) + " " + e.value(dn, "title")
	}},
	{name: "modify compares and swaps", want: "0 Boss", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		err := e.modify(dn, func(r *ldap.ModifyRequest) { r.Delete("title", []string{"Clerk"}); r.Add("title", []string{"Boss"}) })
		return result(err) + " " + e.value(dn, "title")
	}},
	{name: "modify refuses a swap of a value not there, and changes nothing", want: "16 Clerk Sales", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}, "department": {"Sales"}})
		err := e.modify(dn, func(r *ldap.ModifyRequest) {
			r.Replace("department", []string{"IT"})
			r.Delete("title", []string{"Director"})
			r.Add("title", []string{"Boss"})
		})
		return code(err) + " " + e.value(dn, "title") + " " + e.value(dn, "department")
	}},
	{name: "modify by GUID", want: "0 Boss", do: func(e *env) string {
		dn := e.user("A", nil)
		err := e.modify("<GUID="+guid(e.get(dn, "objectGUID"))+">", func(r *ldap.ModifyRequest) { r.Replace("title", []string{"Boss"}) })
		return result(err) + " " + e.value(dn, "title")
	}},
	{name: "modify compares without regard to case", want: "0 Boss", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		err := e.modify(dn, func(r *ldap.ModifyRequest) { r.Delete("title", []string{"CLERK"}); r.Add("title", []string{"Boss"}) })
		return result(err) + " " + e.value(dn, "title")
	}},
	{name: "modify changes only the case", want: "0 CLERK", do: func(e *env) string {
		dn := e.user("A", attrs{"title": {"Clerk"}})
		err := e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"CLERK"}) })
		return result(err) + " " + e.value(dn, "title")
	}},
	{name: "modify swaps userAccountControl", want: "0 66050", do: func(e *env) string {
		dn := e.user("A", nil)
		err := e.modify(dn, func(r *ldap.ModifyRequest) {
			r.Delete("userAccountControl", []string{"514"})
			r.Add("userAccountControl", []string{"66050"})
		})
		return result(err) + " " + e.value(dn, "userAccountControl")
	}},
	{name: "modify refuses to delete an attribute not there", want: "16", do: func(e *env) string {
		return code(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Delete("title", nil) }))
	}},
	{name: "modify refuses a second value of a single-valued attribute", want: "20", do: func(e *env) string {
		return code(e.modify(e.user("A", attrs{"title": {"Clerk"}}), func(r *ldap.ModifyRequest) { r.Add("title", []string{"Boss"}) }))
	}},
	{name: "modify refuses a value that is there", want: "20", do: func(e *env) string {
		return code(e.modify(e.user("A", attrs{"otherTelephone": {"1"}}), func(r *ldap.ModifyRequest) { r.Add("otherTelephone", []string{"1"}) }))
	}},
	{name: "modify with permissive control takes a value that is there", want: "0", do: func(e *env) string {
		return result(e.modify(e.user("A", attrs{"otherTelephone": {"1"}}), func(r *ldap.ModifyRequest) { r.Add("otherTelephone", []string{"1"}) }, permissive))
	}},
	{name: "modify with permissive control deletes what is not there", want: "0", do: func(e *env) string {
		return result(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Delete("otherTelephone", []string{"1"}) }, permissive))
	}},
	{name: "modify of the naming attribute", want: "67", do: func(e *env) string {
		return code(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Replace("cn", []string{"B"}) }))
	}},
	{name: "modify of what is not there", want: "32", do: func(e *env) string {
		return code(e.modify("CN=Nobody,"+e.ou, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"B"}) }))
	}},
	{name: "modify of an unknown attribute", want: "16", do: func(e *env) string {
		return code(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Replace("shoeSize", []string{"43"}) }))
	}},
	{name: "modify with a value too long", want: "21", windows: "19", do: func(e *env) string {
		return code(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Replace("employeeID", []string{strings.Repeat("1", 17)}) }))
	}},
	{name: "modify to an empty value", want: "21", do: func(e *env) string {
		return code(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Replace("title", []string{""}) }))
	}},
	{name: "modify to a logon name taken", want: "68 00002071", windows: "68 00000524", do: func(e *env) string {
		e.user("One", nil)
		return result(e.modify(e.user("Two", nil), func(r *ldap.ModifyRequest) { r.Replace("sAMAccountName", []string{e.sam("One")}) }))
	}},
	{name: "modify to a principal name taken", want: "19 0000202F", windows: "19 000021C7", do: func(e *env) string {
		e.user("One", attrs{"userPrincipalName": {e.mark + "@corp.example.test"}})
		return result(e.modify(e.user("Two", nil), func(r *ldap.ModifyRequest) {
			r.Replace("userPrincipalName", []string{e.mark + "@corp.example.test"})
		}))
	}},
	{name: "enable without a password", want: "0", windows: "53 0000052D", do: func(e *env) string {
		return result(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Replace("userAccountControl", []string{"512"}) }))
	}},
	{name: "set a password, then enable", want: "0 0 bind 0", do: func(e *env) string {
		dn := e.user("A", nil)
		a := e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("unicodePwd", []string{quoted(goodPassword)}) })
		b := e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("userAccountControl", []string{"512"}) })
		return result(a) + " " + result(b) + " bind " + result(e.dial(e.to.LDAPS).Bind(dn, goodPassword))
	}},
	{name: "reset of a password against the policy", want: "19 0000052D", windows: "53 0000052D", do: func(e *env) string {
		return result(e.modify(e.user("A", nil), func(r *ldap.ModifyRequest) { r.Replace("unicodePwd", []string{quoted("short")}) }))
	}},
	{name: "change of one's password with the old one", want: "0", do: func(e *env) string {
		dn := e.user("A", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}})
		c := e.dial(e.to.LDAPS)
		e.must(c.Bind(dn, goodPassword))
		r := ldap.NewModifyRequest(dn, nil)
		r.Delete("unicodePwd", []string{quoted(goodPassword)})
		r.Add("unicodePwd", []string{quoted("Another-" + goodPassword)})
		return result(c.Modify(r))
	}},
	{name: "write without rights", want: "50", do: func(e *env) string {
		dn := e.user("A", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}})
		other := e.user("B", nil)
		c := e.dial(e.to.LDAPS)
		e.must(c.Bind(dn, goodPassword))
		r := ldap.NewModifyRequest(other, nil)
		r.Replace("title", []string{"Boss"})
		return code(c.Modify(r))
	}},
	{name: "pwdLastSet -1 takes back a forced change", want: "773 0", do: func(e *env) string {
		dn := e.user("A", attrs{"unicodePwd": {quoted(goodPassword)}, "userAccountControl": {"512"}, "pwdLastSet": {"0"}})
		first := e.bindAs(dn, goodPassword)
		e.must(e.modify(dn, func(r *ldap.ModifyRequest) { r.Replace("pwdLastSet", []string{"-1"}) }))
		return strings.TrimPrefix(first, "49 80090308 ") + " " + e.bindAs(dn, goodPassword)
	}},
}

var moves = []behaviour{
	{name: "rename", want: "0 Bee", do: func(e *env) string {
		dn := e.user("A", nil)
		err := e.conn.ModifyDN(ldap.NewModifyDNRequest(dn, "CN=Bee", true, ""))
		return result(err) + " " + e.value("CN=Bee,"+e.ou, "cn")
	}},
	{name: "rename only in case", want: "0 ANN", do: func(e *env) string {
		dn := e.user("Ann", nil)
		err := e.conn.ModifyDN(ldap.NewModifyDNRequest(dn, "CN=ANN", true, ""))
		return result(err) + " " + e.value(dn, "cn")
	}},
	{name: "move", want: "0 A", do: func(e *env) string {
		dn, to := e.user("A", nil), "OU=To,"+e.ou
		e.must(e.add(to, "organizationalUnit", nil))
		err := e.conn.ModifyDN(ldap.NewModifyDNRequest(dn, "CN=A", true, to))
		return result(err) + " " + e.value("CN=A,"+to, "cn")
	}},
	{name: "rename onto a name taken", want: "68", do: func(e *env) string {
		e.user("B", nil)
		return code(e.conn.ModifyDN(ldap.NewModifyDNRequest(e.user("A", nil), "CN=B", true, "")))
	}},
	{name: "move below nothing", want: "80", do: func(e *env) string {
		return code(e.conn.ModifyDN(ldap.NewModifyDNRequest(e.user("A", nil), "CN=A", true, "OU=Missing,"+e.ou)))
	}},
	{name: "rename to another naming attribute", want: "53", windows: "64", do: func(e *env) string {
		return code(e.conn.ModifyDN(ldap.NewModifyDNRequest(e.user("A", nil), "OU=A", true, "")))
	}},
	{name: "rename of a container carries what is below", want: "0 A", do: func(e *env) string {
		sub := "OU=Sub," + e.ou
		e.must(e.add(sub, "organizationalUnit", nil))
		e.must(e.add("CN=A,"+sub, "user", attrs{"sAMAccountName": {e.sam("a")}}))
		err := e.conn.ModifyDN(ldap.NewModifyDNRequest(sub, "OU=New", true, ""))
		return result(err) + " " + e.value("CN=A,OU=New,"+e.ou, "cn")
	}},
	{name: "rename by GUID", want: "32", windows: "0", do: func(e *env) string {
		dn := e.user("A", nil)
		return code(e.conn.ModifyDN(ldap.NewModifyDNRequest("<GUID="+guid(e.get(dn, "objectGUID"))+">", "CN=B", true, "")))
	}},
	{name: "delete", want: "0 no entry", do: func(e *env) string {
		dn := e.user("A", nil)
		return result(e.conn.Del(ldap.NewDelRequest(dn, nil))) + " " + e.value(dn, "cn")
	}},
	{name: "delete of a container that is not empty", want: "66", do: func(e *env) string {
		e.user("A", nil)
		return code(e.conn.Del(ldap.NewDelRequest(e.ou, nil)))
	}},
	{name: "delete by GUID", want: "0 no entry", do: func(e *env) string {
		dn := e.user("A", nil)
		return result(e.conn.Del(ldap.NewDelRequest("<GUID="+guid(e.get(dn, "objectGUID"))+">", nil))) + " " + e.value(dn, "cn")
	}},
	{name: "delete of what is not there", want: "32", do: func(e *env) string {
		return code(e.conn.Del(ldap.NewDelRequest("CN=Nobody,"+e.ou, nil)))
	}},
	{name: "delete frees the names", want: "0", do: func(e *env) string {
		dn := e.user("A", nil)
		e.must(e.conn.Del(ldap.NewDelRequest(dn, nil)))
		return result(e.add(dn, "user", attrs{"sAMAccountName": {e.sam("A")}}))
	}},
	{name: "deleted objects show with the control", want: "TRUE", do: func(e *env) string {
		dn := e.user("A", nil)
		id := guid(e.get(dn, "objectGUID"))
		e.must(e.conn.Del(ldap.NewDelRequest(dn, nil)))
		res, err := e.conn.Search(ldap.NewSearchRequest("<GUID="+id+">", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"isDeleted"},
			[]ldap.Control{ldap.NewControlString("1.2.840.113556.1.4.417", true, "")}))
		if err != nil {
			return result(err)
		}
		return res.Entries[0].GetAttributeValue("isDeleted")
	}},
}
