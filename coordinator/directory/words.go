package directory

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Words gives the words of a text by which it is found: folded, without accents, cut where there is neither letter nor digit.
func Words(text string) []string {
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(strings.ToLower(text)))
	return strings.FieldsFunc(plain, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// Words gives the words by which a person is found, each once: of the key, the
// name to show, and what of mail and user name stands before the @. It is never empty.
func (p Person) Words() []string {
	texts := []string{p.Key, p.Display()}
	for path, value := range p.Attributes.All() {
		if text, ok := value.(string); ok && (path == "userName" || strings.HasPrefix(path, "emails.")) {
			name, _, _ := strings.Cut(text, "@")
			texts = append(texts, name)
		}
	}
	var words []string
	for _, w := range Words(strings.Join(texts, " ")) {
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return []string{"-"} // found by nothing, and yet it was looked for
	}
	return words
}
