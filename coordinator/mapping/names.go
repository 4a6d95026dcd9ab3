package mapping

import "strings"

// samLength is the greatest length of a user's sAMAccountName.
const samLength = 20

// sam gives what may be a sAMAccountName: ASCII, without what the attribute
// refuses and without space, at most 20 characters, no dot at the end.
func sam(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`/\[]:;|=,+*?<>"@`, r) {
			return -1
		}
		return r
	}, ascii(s, nil))
	return strings.TrimRight(s[:min(len(s), samLength)], ".")
}

// local gives what may stand before the @ of an address everywhere: ASCII
// letters, digits, dots, hyphens and underscores, no dot at either end or twice.
func local(s string) string {
	var b strings.Builder
	for _, r := range ascii(s, nil) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			b.WriteRune(r)
		case r == '.' && b.Len() > 0 && !strings.HasSuffix(b.String(), "."):
			b.WriteByte('.')
		}
	}
	return strings.TrimRight(b.String(), ".")
}

// EscapeDN escapes text to stand as a value in a distinguished name (RFC 4514).
func EscapeDN(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case strings.IndexByte(`,+"\<>;=`, c) >= 0, c == '#' && i == 0, c == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'\\', hex[c>>4], hex[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// UnescapeDN gives the text that an escaped value of a distinguished name
// stands for.
func UnescapeDN(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}

// SplitDN gives the naming attribute, the unescaped name and the container of
// a distinguished name. It is not ok where the text is none.
func SplitDN(dn string) (attribute, name, container string, ok bool) {
	end := len(dn)
	for i := 0; i < len(dn); i++ {
		if dn[i] == '\\' {
			i++
		} else if dn[i] == ',' {
			end, container = i, strings.TrimLeft(dn[i+1:], " ")
			break
		}
	}
	attribute, value, ok := strings.Cut(dn[:end], "=")
	return strings.TrimSpace(attribute), UnescapeDN(trimDN(value)), container, ok
}

// trimDN drops the outer spaces that are not part of a value.
func trimDN(s string) string {
	s = strings.TrimLeft(s, " ")
	for strings.HasSuffix(s, " ") {
		before := strings.TrimRight(s[:len(s)-1], `\`)
		if (len(s)-1-len(before))%2 == 1 {
			break // escaped
		}
		s = s[:len(s)-1]
	}
	return s
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
