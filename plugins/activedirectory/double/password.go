package double

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Policy is the domain's for passwords and lockout. The zero value is what a
// new Active Directory domain has, without lockout.
type Policy struct {
	MinLength        int           // in characters; 0 means 7, -1 none
	Simple           bool          // do not ask for three kinds of characters
	MaxAge           time.Duration // 0 means passwords do not expire
	LockoutThreshold int           // wrong passwords in a row until locked; 0 means never
}

// A password is kept as a salted hash: the double never shows one.
type password struct {
	salt, sum [16]byte
	set       time.Time
}

func newPassword(pw string) *password {
	p := &password{set: time.Now()}
	_, _ = rand.Read(p.salt[:]) // never fails
	p.sum = p.hash(pw)
	return p
}

func (p *password) hash(pw string) [16]byte {
	buf := make([]byte, 0, 64)
	sum := sha256.Sum256(append(append(buf, p.salt[:]...), pw...))
	return [16]byte(sum[:16])
}

func (p *password) is(pw string) bool {
	if p == nil {
		return false
	}
	h := p.hash(pw)
	return subtle.ConstantTimeCompare(h[:], p.sum[:]) == 1
}

// acceptable applies the policy as MS-SAMR 3.1.1.7.2 has it.
func (p Policy) acceptable(pw, samName, displayName string) bool {
	if utf8.RuneCountInString(pw) < p.MinLength {
		return false
	}
	if p.Simple {
		return true
	}
	var lower, upper, digit, special, letter int
	for _, r := range pw {
		switch {
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsUpper(r):
			upper = 1
		case '0' <= r && r <= '9':
			digit = 1
		case unicode.IsLetter(r):
			letter = 1
		default:
			special = 1
		}
	}
	if lower+upper+digit+special+letter < 3 {
		return false
	}
	folded := strings.ToLower(pw)
	if len(samName) >= 3 && strings.Contains(folded, strings.ToLower(samName)) {
		return false
	}
	for _, part := range strings.FieldsFunc(displayName, func(r rune) bool { return strings.ContainsRune(",.-_ #\t", r) }) {
		if len(part) >= 3 && strings.Contains(folded, strings.ToLower(part)) {
			return false
		}
	}
	return true
}

// setPassword stores a password without asking the policy.
func (d *directory) setPassword(o *object, pw string) {
	o.password = newPassword(pw)
	o.set(d.at.pwdLastSet, d.usn, fileTime(time.Now()))
}

func fileTime(t time.Time) string {
	return strconv.FormatInt(t.UnixNano()/100+fileTimeOffset, 10)
}

// passwordTime is when the password was set, or now if there is none.
func (dr *draft) passwordTime() time.Time {
	switch {
	case dr.password != nil:
		return dr.password.set
	case dr.o.password != nil:
		return dr.o.password.set
	}
	return time.Now()
}
