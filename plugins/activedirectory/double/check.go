package double

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// checkValues holds new values against the schema: syntax, length, number.
func (d *directory) checkValues(def *schema.Attribute, vals []string) result {
	if def.Single && len(vals) > 1 {
		return attrErr(constraintViolation, 0x2081, constraint, def)
	}
	for i, v := range vals {
		if v == "" {
			return conversion(invalidSyntax)
		}
		if r := d.checkValue(def, v); r.code != success {
			return r
		}
		if len(vals) > 1 && duplicate(d, def, vals[:i], v) {
			return attrErr(valueExists, 0x2083, "1006 (ATT_OR_VALUE_EXISTS)", def)
		}
	}
	return result{}
}

func duplicate(d *directory, def *schema.Attribute, before []string, v string) bool {
	for _, b := range before {
		if b == v || d.key(def, b) == d.key(def, v) {
			return true
		}
	}
	return false
}

func (d *directory) checkValue(def *schema.Attribute, v string) result {
	length := len(v)
	switch def.Syntax {
	case schema.Number:
		if _, err := strconv.ParseInt(v, 10, 32); err != nil {
			return conversion(invalidSyntax)
		}
		return result{}
	case schema.BigNumber:
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			return conversion(invalidSyntax)
		}
		return result{}
	case schema.Bool:
		if v != "TRUE" && v != "FALSE" {
			return conversion(invalidSyntax)
		}
		return result{}
	case schema.Time:
		if len(v) < 13 || !strings.HasSuffix(v, "Z") {
			return conversion(invalidSyntax)
		}
		return result{}
	case schema.Text:
		if !utf8.ValidString(v) {
			return conversion(invalidSyntax)
		}
		length = utf8.RuneCountInString(v)
	case schema.ExactText:
		if !isASCII(v) && def.OMSyntax != "22" {
			return conversion(invalidSyntax)
		}
	}
	limit := def.RangeUpper
	if def == d.at.sAMAccountName {
		limit = 256 // of the schema; a user's 20 are SAM's
	}
	if limit >= 0 && length > limit || def.RangeLower > length {
		if d.flavor == Samba {
			return conversion(invalidSyntax)
		}
		r := attrErr(constraintViolation, 0x2082, constraint, def)
		r.message = strings.TrimSuffix(r.message, "\n\x00") + ":len " + strconv.Itoa(2*length) + "\n\x00"
		return r
	}
	return result{}
}

// checkSAMName applies the rules of the account manager to a logon name.
func (d *directory) checkSAMName(o *object, name string) result {
	limit := 256
	if o.class.Is("user") && !o.class.Is("computer") {
		limit = 20
	}
	if utf8.RuneCountInString(name) > limit && d.flavor == Windows ||
		strings.ContainsAny(name, `"/\[]:;|=,+*?<>`) || strings.HasSuffix(name, ".") && d.flavor == Windows {
		return svcErr(unwilling, 0x523, willNotPerform)
	}
	if d.taken(d.at.sAMAccountName, name, o) {
		return d.samTaken()
	}
	return result{}
}

// samTaken is the answer to a logon name that another object has.
func (d *directory) samTaken() result {
	if d.flavor == Samba {
		return updErr(entryExists, 0x2071, entryExistsName)
	}
	return updErr(entryExists, 0x524, entryExistsName)
}

// checkUPN refuses a principal name that another object has.
func (d *directory) checkUPN(o *object, upn string) result {
	if d.taken(d.at.userPrincipalName, upn, o) {
		win := uint32(0x21c7)
		if d.flavor == Samba {
			win = 0x202f
		}
		return attrErr(constraintViolation, win, constraint, d.at.userPrincipalName)
	}
	return result{}
}

// Bits of userAccountControl.
const (
	uacDisabled    = 0x2
	uacNoPassword  = 0x20
	uacNormal      = 0x200
	uacWorkstation = 0x1000
	uacServer      = 0x2000
	uacNoExpire    = 0x10000
	uacKinds       = 0x3b00
)

// checkEnable refuses an account that would be on without a password. Samba
// lets it pass.
func (d *directory) checkEnable(o *object, uac int64, pw *password) result {
	if d.flavor == Windows && uac&uacDisabled == 0 && uac&uacNoPassword == 0 && pw == nil && d.policy.MinLength > 0 {
		return d.passwordRefused()
	}
	return result{}
}

// decodePassword reads unicodePwd: UTF-16LE of the password in quotes.
func decodePassword(v string) (string, bool) {
	if len(v)%2 != 0 || len(v) < 4 {
		return "", false
	}
	u := make([]uint16, len(v)/2)
	for i := range u {
		u[i] = uint16(v[2*i]) | uint16(v[2*i+1])<<8
	}
	if u[0] != '"' || u[len(u)-1] != '"' {
		return "", false
	}
	return string(utf16.Decode(u[1 : len(u)-1])), true
}
