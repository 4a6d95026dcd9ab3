package entra

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// left gives the first n characters; all of them where n is negative.
func left(a ...any) (any, error) {
	s := []rune(Text(a[0]))
	n, err := number(a[1])
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(s)) {
		n = int64(len(s))
	}
	return string(s[:n]), nil
}

// mid gives n characters from the one at start, counted from 1, clipped.
func mid(a ...any) (any, error) {
	s := []rune(Text(a[0]))
	start, err := number(a[1])
	if err != nil {
		return nil, err
	}
	n, err := number(a[2])
	if err != nil {
		return nil, err
	}
	from := min(max(start-1, 0), int64(len(s)))
	to := min(max(from+n, from), int64(len(s)))
	return string(s[from:to]), nil
}

// inStr gives where find stands in the text, counted from 1; 0 where it does
// not. The third argument is where to begin, the fourth vbTextCompare where
// case does not matter.
func inStr(a ...any) (any, error) {
	s, find := Text(a[0]), Text(a[1])
	start := int64(1)
	if len(a) > 2 && present(a[2]) {
		var err error
		if start, err = number(a[2]); err != nil {
			return nil, err
		}
	}
	if len(a) > 3 {
		switch how := Text(a[3]); how {
		case "vbTextCompare", "1":
			s, find = strings.ToLower(s), strings.ToLower(find)
		case "vbBinaryCompare", "0", "":
		default:
			return nil, fmt.Errorf("InStr compares by vbTextCompare or vbBinaryCompare, not by %q", how)
		}
	}
	runes := []rune(s)
	skip := min(max(start-1, 0), int64(len(runes)))
	at := strings.Index(string(runes[skip:]), find)
	if at < 0 {
		return int64(0), nil
	}
	return skip + int64(utf8.RuneCountInString(string(runes[skip:])[:at])) + 1, nil
}

// word gives the nth word, counted from 1; words are parted by any of the
// delimiters.
func word(a ...any) (any, error) {
	n, err := number(a[1])
	if err != nil {
		return nil, err
	}
	words := strings.FieldsFunc(Text(a[0]), func(r rune) bool { return strings.ContainsRune(Text(a[2]), r) })
	if n >= 1 && n <= int64(len(words)) {
		return words[n-1], nil
	}
	return "", nil
}

// culture is the name of one where the arguments have it.
func culture(args []any) string {
	if len(args) == 0 {
		return ""
	}
	language, _, _ := strings.Cut(strings.ToLower(Text(args[0])), "-")
	return language
}

// lower and upper know two letters that the invariant culture of .NET leaves
// alone, and the languages that spell them otherwise.
func lower(s, language string) string {
	if language == "tr" || language == "az" {
		return strings.ToLowerSpecial(unicode.TurkishCase, s)
	}
	return strings.Map(func(r rune) rune {
		if r == 'İ' {
			return r
		}
		return unicode.ToLower(r)
	}, s)
}

func upper(s, language string) string {
	if language == "tr" || language == "az" {
		return strings.ToUpperSpecial(unicode.TurkishCase, s)
	}
	return strings.Map(func(r rune) rune {
		if r == 'ı' || r == 'ſ' {
			return r
		}
		return unicode.ToUpper(r)
	}, s)
}

// pCase begins each word with a capital and lowers the rest. Words are parted
// by the given characters, and else as .NET's ToTitleCase parts them.
func pCase(a ...any) (any, error) {
	s := lower(Text(a[0]), "")
	if len(a) > 1 && present(a[1]) {
		separators := Text(a[1])
		return titled(s, func(r rune) bool { return strings.ContainsRune(separators, r) }, func(rune) bool { return true }), nil
	}
	// An apostrophe within a word does not part it, though it is punctuation;
	// what is no letter begins no word.
	return titled(s, func(r rune) bool { return r != '\'' && parts(r) }, unicode.IsLetter), nil
}

func titled(s string, parts, begins func(rune) bool) string {
	within := false
	return strings.Map(func(r rune) rune {
		switch {
		case parts(r):
			within = false
		case !within && begins(r):
			within = true
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

// parts tells whether .NET's ToTitleCase ends a word at the character.
func parts(r rune) bool {
	return unicode.In(r, unicode.Z, unicode.C, unicode.P, unicode.S)
}

// spelled are the letters that NormalizeDiacritics spells with two, or whose
// mark cannot be taken off.
var spelled = map[rune]string{
	'æ': "ae", 'Æ': "AE", 'ø': "oe", 'Ø': "OE", 'œ': "oe", 'Œ': "OE", 'ß': "ss", 'ł': "l", 'Ł': "L", 'ı': "i",
}

// marked are the letters whose marks NormalizeDiacritics takes off; it leaves
// those of others alone.
const marked = "acdegilnorstuyzACDEGILNORSTUYZæÆøØœŒ"

func withoutDiacritics(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return s
	}
	var b strings.Builder
	bare := false // the last letter loses its marks
	for _, r := range norm.NFD.String(s) {
		if unicode.Is(unicode.Mn, r) {
			if !bare {
				b.WriteRune(r)
			}
			continue
		}
		bare = strings.ContainsRune(marked, r)
		if two, ok := spelled[r]; ok {
			b.WriteString(two)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}
