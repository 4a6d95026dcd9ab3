package guard

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// A name is a distinguished name, taken apart: its parts from the root down,
// each folded. It understands less than directories do, on purpose: what can be
// written in two ways is refused, so that no second way leads around a rule.
type name []string

// parseName reads a distinguished name (RFC 4514) whose parts have one
// attribute each.
func parseName(text string) (name, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is no UTF-8")
	}
	var n name
	for rest := text; ; {
		part, after, more, err := parsePart(rest)
		if err != nil {
			return nil, err
		}
		n = append(n, part)
		if !more {
			break
		}
		rest = after
	}
	slices.Reverse(n)
	return n, nil
}

// parsePart takes the first part off text.
func parsePart(text string) (part, rest string, more bool, err error) {
	key, text, found := strings.Cut(text, "=")
	key = strings.ToLower(strings.Trim(key, " "))
	if !found || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", "", false, errors.New("a part is no attribute=value")
	}
	var value strings.Builder
	kept := 0 // up to here, spaces count
	text = strings.TrimLeft(text, " ")
	if strings.HasPrefix(text, "#") {
		return "", "", false, errors.New("a value is given by its bytes (#)")
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ',':
			return finish(key, value.String()[:kept], text[i+1:], true)
		case '\\':
			if i+1 >= len(text) {
				return "", "", false, errors.New("it ends in a backslash")
			}
			if i+2 < len(text) {
				if b, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
					value.WriteByte(b[0])
					i += 2
					kept = value.Len()
					continue
				}
			}
			i++
			if !strings.ContainsRune(` ",#+;<=>\`, rune(text[i])) {
				return "", "", false, errors.New("a backslash stands before what needs none")
			}
			value.WriteByte(text[i])
			kept = value.Len()
		case '"', '+', ';', '<', '>', 0:
			return "", "", false, errors.New("it holds one of \" + ; < > without a backslash")
		default:
			value.WriteByte(c)
			if c != ' ' {
				kept = value.Len()
			}
		}
	}
	return finish(key, value.String()[:kept], "", false)
}

func finish(key, value, rest string, more bool) (string, string, bool, error) {
	if value == "" || !utf8.ValidString(value) {
		return "", "", false, errors.New("a value is empty or no UTF-8")
	}
	return key + "=" + strings.ToLower(value), rest, more, nil
}

// within says whether n is base or lies below it; strictly leaves base out.
func (n name) within(base name, strictly bool) bool {
	if len(n) < len(base) || strictly && len(n) == len(base) {
		return false
	}
	return slices.Equal(n[:len(base)], base)
}

// withinAny says whether text names something within one of bases.
func withinAny(text string, bases []name, strictly bool) bool {
	n, err := parseName(text)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(bases, func(base name) bool { return n.within(base, strictly) })
}
