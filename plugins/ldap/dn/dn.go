// Package dn writes and splits distinguished names by RFC 4514, as far as
// Active Directory uses them: one attribute an RDN. Names come from people and
// hold whatever people are called; every one goes through [Escape].
//
// It also knows the two forms that Active Directory adds: <GUID=…>, which
// stands for a name wherever one is asked for, and the extended form
// <GUID=…>;<SID=…>;NAME, in which a server answers (MS-ADTS 3.1.1.3.4.1.5).
package dn

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Escape returns value as it is written within a DN.
func Escape(value string) string {
	plain := true
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < 0x20 || c == 0x7f || strings.IndexByte(`,+"\<>;=#`, c) >= 0 {
			plain = false
			break
		}
	}
	if plain && !strings.HasPrefix(value, " ") && !strings.HasSuffix(value, " ") {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\%02X`, c)
		case strings.IndexByte(`,+"\<>;=`, c) >= 0,
			c == '#' && i == 0,
			c == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Join returns the DN of what is called value, by attribute, within container.
func Join(attribute, value, container string) string {
	rdn := attribute + "=" + Escape(value)
	if container == "" {
		return rdn
	}
	return rdn + "," + container
}

// Split takes the first RDN off name: its attribute, its value unescaped and
// what is left, the container. ok is false where name is no DN.
func Split(name string) (attribute, value, container string, ok bool) {
	equals := strings.IndexByte(name, '=')
	if equals < 1 {
		return "", "", "", false
	}
	attribute = strings.TrimSpace(name[:equals])
	rest := strings.TrimLeft(name[equals+1:], " ")
	end := len(rest)
	escaped := false
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			escaped = true
			i++
			continue
		case ',', ';':
			end = i
		default:
			continue
		}
		break
	}
	raw := rest[:end]
	if end < len(rest) {
		if container = strings.TrimLeft(rest[end+1:], " "); container == "" {
			return "", "", "", false
		}
	}
	if !escaped {
		return attribute, strings.TrimRight(raw, " "), container, validAttribute(attribute)
	}
	value, ok = unescape(raw)
	return attribute, value, container, ok && validAttribute(attribute)
}

func validAttribute(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z') {
			return false
		}
	}
	return name != ""
}

// unescape reads an RDN's value; spaces at its end count only if escaped.
func unescape(raw string) (string, bool) {
	var b strings.Builder
	kept := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			b.WriteByte(c)
			if c != ' ' {
				kept = b.Len()
			}
			continue
		}
		if i+1 >= len(raw) {
			return "", false
		}
		if i+2 < len(raw) {
			if two, err := hex.DecodeString(raw[i+1 : i+3]); err == nil {
				b.WriteByte(two[0])
				i += 2
				kept = b.Len()
				continue
			}
		}
		i++
		b.WriteByte(raw[i])
		kept = b.Len()
	}
	return b.String()[:kept], true
}

// Valid tells whether every part of name is an RDN.
func Valid(name string) bool {
	for name != "" {
		var ok bool
		if _, _, name, ok = Split(name); !ok {
			return false
		}
	}
	return true
}

// Container returns what name lies in, "" for none.
func Container(name string) string {
	_, _, container, _ := Split(name)
	return container
}

// Equal tells whether two DNs name the same object, whatever way they are
// written and without regard to case.
func Equal(a, b string) bool {
	if a == b {
		return true
	}
	for a != "" && b != "" {
		attributeA, valueA, restA, okA := Split(a)
		attributeB, valueB, restB, okB := Split(b)
		if !okA || !okB || !strings.EqualFold(attributeA, attributeB) || !strings.EqualFold(valueA, valueB) {
			return false
		}
		a, b = restA, restB
	}
	return a == b
}

// Under tells whether name is base or lies below it.
func Under(name, base string) bool {
	for {
		if Equal(name, base) {
			return true
		}
		if name == "" {
			return base == ""
		}
		name = Container(name)
	}
}

// OfID returns the DN that stands for the object with this GUID.
func OfID(id string) string { return "<GUID=" + id + ">" }

// Extended splits an extended DN. Of a plain one, name is all and id is "".
func Extended(text string) (id, name string) {
	for strings.HasPrefix(text, "<") {
		end := strings.IndexByte(text, '>')
		if end < 0 {
			return id, text
		}
		if part := text[1:end]; strings.HasPrefix(part, "GUID=") {
			id = part[len("GUID="):]
		}
		if text = text[end+1:]; strings.HasPrefix(text, ";") {
			text = text[1:]
		}
	}
	return id, text
}

// Key returns a text that is the same for all ways to write a DN: what [Equal]
// takes as equal has one key.
func Key(name string) string {
	plain := true // as servers write it
	for _, odd := range []string{`\`, ", ", " ,", "= ", " =", ";"} {
		plain = plain && !strings.Contains(name, odd)
	}
	if plain {
		return strings.ToLower(name)
	}
	var b strings.Builder
	for rest := name; rest != ""; {
		attribute, value, container, ok := Split(rest)
		if !ok {
			return strings.ToLower(name)
		}
		b.WriteString(strings.ToLower(attribute))
		b.WriteByte('=')
		b.WriteString(Escape(strings.ToLower(value)))
		if rest = container; rest != "" {
			b.WriteByte(',')
		}
	}
	return b.String()
}
