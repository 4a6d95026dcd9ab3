package double

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// An rdn is one part of a distinguished name.
type rdn struct {
	attr  string // as written
	value string // unescaped
}

// splitRDN takes the first RDN off a distinguished name (RFC 4514). It reports
// false for bad syntax; a multi-valued RDN is that too, as in Active Directory.
func splitRDN(dn string) (_ rdn, rest string, ok bool) {
	eq := strings.IndexByte(dn, '=')
	if eq <= 0 {
		return rdn{}, "", false
	}
	attr := strings.TrimSpace(dn[:eq])
	if strings.ContainsAny(attr, `,+;"\<> `) {
		return rdn{}, "", false
	}
	s := strings.TrimLeft(dn[eq+1:], " ")
	i := strings.IndexAny(s, `,\+"<>;#`)
	if i < 0 || s[i] == ',' { // nothing to unescape
		if i < 0 {
			i = len(s)
		} else if rest = s[i+1:]; rest == "" {
			return rdn{}, "", false
		}
		value := strings.TrimRight(s[:i], " ")
		return rdn{attr, value}, rest, value != "" && attr != ""
	}
	return splitEscaped(attr, s)
}

func splitEscaped(attr, s string) (_ rdn, rest string, ok bool) {
	var b strings.Builder
	spaces := 0 // trailing and unescaped, so not part of the value
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			if i+1 >= len(s) {
				return rdn{}, "", false
			}
			if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
				b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
				i += 2
			} else {
				b.WriteByte(s[i+1])
				i++
			}
			spaces = 0
		case ',', ';':
			rest := s[i+1:]
			value := b.String()[:b.Len()-spaces]
			return rdn{attr, value}, rest, value != "" && strings.TrimSpace(rest) != ""
		case '+', '"', '<', '>':
			return rdn{}, "", false
		case '#':
			if i == 0 {
				return rdn{}, "", false
			}
			b.WriteByte(c)
			spaces = 0
		case ' ':
			b.WriteByte(c)
			spaces++
		default:
			b.WriteByte(c)
			spaces = 0
		}
	}
	value := b.String()[:b.Len()-spaces]
	return rdn{attr, value}, "", value != "" && utf8.ValidString(value)
}

// appendEscaped writes value as it stands in a distinguished name. Like Active
// Directory it escapes = and # wherever they are, more than RFC 4514 asks.
func appendEscaped(dst []byte, value string) []byte {
	for i := range len(value) {
		switch c := value[i]; {
		case c == ' ' && (i == 0 || i == len(value)-1), strings.IndexByte(`,+"\<>;=#`, c) >= 0:
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// fold gives the form in which text compares equal. Windows leaves case and
// diacritics out of account; Samba only case.
func (d *directory) fold(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || 'A' <= c && c <= 'Z' || c == ' ' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	s = strings.ToLower(squeeze(s))
	if d.flavor == Samba || isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if r < 0x300 || r > 0x36f { // combining marks
			b.WriteRune(r)
		}
	}
	return b.String()
}

// squeeze drops spaces at the ends and doubled ones inside.
func squeeze(s string) string {
	s = strings.Trim(s, " ")
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
