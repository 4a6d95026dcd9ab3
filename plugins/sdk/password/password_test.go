package password

import (
	"regexp"
	"strings"
	"testing"
)

// A domain refuses a password that holds three letters of the person's name:
// none that is made may hold three letters in a row, and each has all four kinds.
func TestNew(t *testing.T) {
	t.Parallel()
	threeLetters := regexp.MustCompile(`[A-Za-z]{3}`)
	for range 2000 {
		password, err := New(20)
		if err != nil {
			t.Fatal(err)
		}
		text := password.Reveal()
		if len(text) != 20 || threeLetters.MatchString(text) {
			t.Fatalf("New(20) = %q; want 20 characters, no three letters in a row", text)
		}
		for _, kind := range []string{capitals, smalls, digits, signs} {
			if !strings.ContainsAny(text, kind) {
				t.Fatalf("New(20) = %q; want one of %s", text, kind)
			}
		}
	}
}
