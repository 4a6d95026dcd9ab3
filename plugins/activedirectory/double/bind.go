package double

import (
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
)

// An identity is who is bound on a connection.
type identity struct {
	bound  bool
	object *object
	admin  bool
}

// bind does a BindRequest: simple, by DN, UPN, DOMAIN\user, GUID or SID.
func (s *session) bind(body string) result {
	s.who = identity{}
	version, rest, err := ber.Expect(body, ber.Integer)
	if err != nil {
		return malformed(err)
	}
	if ber.Int(version) != 3 {
		return ldapErr(protocolError, 0x57, "Unsupported LDAP version")
	}
	name, rest, err := ber.Expect(rest, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	method, pw, _, err := ber.Read(rest)
	switch {
	case err != nil:
		return malformed(err)
	case method != 0x80:
		return ldapErr(authNotSupported, 0x57, "The server offers simple binds only")
	case name == "" && pw == "":
		return result{} // anonymous: the rootDSE and nothing else
	case !s.sealed && !s.server.opt.PlainBinds:
		return ldapErr(strongAuthRequired, 0x2028, "The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection")
	case pw == "":
		return result{} // unauthenticated bind, RFC 4513 5.1.2: bound as nobody
	}
	d := s.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.byLogon(name)
	if o == nil || o.deleted {
		if d.flavor == Samba {
			return bindRefused("52e")
		}
		return bindRefused("525")
	}
	if data := d.refuses(o, pw); data != "" {
		return bindRefused(data)
	}
	s.who = identity{bound: true, object: o, admin: d.isAdmin(o)}
	return result{}
}

// byLogon finds the account a bind name means.
func (d *directory) byLogon(name string) *object {
	if domain, user, ok := splitLogon(name); ok {
		if !strings.EqualFold(domain, d.netBIOS) && !strings.EqualFold(domain, d.dnsName) {
			return nil
		}
		return d.indexes[d.at.sAMAccountName][d.fold(user)].one
	}
	if o := d.indexes[d.at.userPrincipalName][d.fold(name)].one; o != nil {
		return o
	}
	if user, suffix, ok := strings.Cut(name, "@"); ok && strings.EqualFold(suffix, d.dnsName) {
		return d.indexes[d.at.sAMAccountName][d.fold(user)].one // the implicit UPN
	}
	o, _, _ := d.lookup(name)
	return o
}

// refuses returns the data code with which a bind fails, or "". The state of
// the account shows only to who knows the password.
func (d *directory) refuses(o *object, pw string) string {
	at := time.Now()
	if o.number(d.at.lockoutTime) > 0 {
		return "775"
	}
	if !o.password.is(pw) {
		if n := d.policy.LockoutThreshold; n > 0 {
			bad := o.number(d.at.badPwdCount) + 1
			o.set(d.at.badPwdCount, d.usn, strconv.FormatInt(bad, 10))
			if bad >= int64(n) {
				usn := d.nextUSN()
				o.set(d.at.lockoutTime, usn, fileTime(at))
				d.touch(o, usn, at.Unix())
			}
		}
		return "52e"
	}
	uac := o.number(d.at.userAccountControl)
	expires := o.number(d.at.accountExpires)
	switch {
	case uac&uacDisabled != 0:
		return "533"
	case expires > 0 && expires < 1<<62 && expires <= at.UnixNano()/100+fileTimeOffset:
		return "701"
	case o.number(d.at.pwdLastSet) == 0:
		return "773"
	case d.policy.MaxAge > 0 && uac&uacNoExpire == 0 && at.Sub(o.password.set) > d.policy.MaxAge:
		return "532"
	}
	if d.policy.LockoutThreshold > 0 && o.number(d.at.badPwdCount) > 0 {
		o.set(d.at.badPwdCount, d.usn, "0")
	}
	return ""
}

// isAdmin reports whether o is in Domain Admins or Administrators, however
// deep.
func (d *directory) isAdmin(o *object) bool {
	for _, name := range []string{"domain admins", "administrators"} {
		if g := d.indexes[d.at.sAMAccountName][name].one; g != nil && d.inChain(o, d.at.memberOf, g, map[*object]bool{}) {
			return true
		}
	}
	return false
}
