package mapping

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// letters are those that have no decomposition, or whose customary spelling is
// another one than the letter without its mark. They are the ones that users of
// Microsoft Entra's NormalizeDiacritics expect: ö is o, not oe.
var letters = map[rune]string{
	'æ': "ae", 'Æ': "AE", 'ø': "oe", 'Ø': "OE", 'œ': "oe", 'Œ': "OE", 'ß': "ss", 'ẞ': "SS",
	'ł': "l", 'Ł': "L", 'ı': "i", 'đ': "d", 'Đ': "D", 'ð': "d", 'Ð': "D", 'þ': "th", 'Þ': "TH",
	'ħ': "h", 'Ħ': "H", 'ŧ': "t", 'Ŧ': "T", 'ŋ': "n", 'Ŋ': "N", 'ĸ': "k", 'ſ': "s", 'ƒ': "f",
	'’': "'", '‘': "'", 'ʼ': "'", '“': `"`, '”': `"`, '–': "-", '—': "-", '‐': "-", '\u00a0': " ",
}

// locales give letters that a language spells in its own way.
var locales = map[string]map[rune]string{
	"de": {'ä': "ae", 'ö': "oe", 'ü': "ue", 'Ä': "Ae", 'Ö': "Oe", 'Ü': "Ue"},
	"da": {'å': "aa", 'Å': "Aa", 'ø': "oe", 'Ø': "Oe", 'æ': "ae", 'Æ': "Ae"},
	"nb": {'å': "aa", 'Å': "Aa", 'ø': "oe", 'Ø': "Oe", 'æ': "ae", 'Æ': "Ae"},
	"fi": {'ä': "a", 'ö': "o", 'å': "a", 'Ä': "A", 'Ö': "O", 'Å': "A"},
}

// latin is the outcome for the letters that names mostly have.
var latin = func() (table [0x250 - 0x80]string) {
	for i := range table {
		table[i] = asciiRune(rune(0x80+i), nil)
	}
	return table
}()

// ascii spells text with ASCII characters only; what has no spelling is left
// out. locale may be nil.
func ascii(s string, locale map[rune]string) string {
	i := 0
	for i < len(s) && s[i] < 0x80 {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 4)
	b.WriteString(s[:i])
	if locale != nil {
		s, i = norm.NFC.String(s), 0 // a letter and its mark are one, so that the table finds it
		b.Reset()
	}
	for _, r := range s[i:] {
		switch {
		case r < 0x80:
			b.WriteByte(byte(r))
		case locale == nil && r < 0x250:
			b.WriteString(latin[r-0x80])
		default:
			b.WriteString(asciiRune(r, locale))
		}
	}
	return b.String()
}

func asciiRune(r rune, locale map[rune]string) string {
	if s, ok := locale[r]; ok {
		return s
	}
	if s, ok := letters[r]; ok {
		return s
	}
	var b strings.Builder
	for _, d := range norm.NFKD.String(string(r)) {
		if d < 0x80 {
			b.WriteRune(d)
		} else if s, ok := letters[d]; ok && !unicode.Is(unicode.Mn, d) {
			b.WriteString(s)
		}
	}
	return b.String()
}
