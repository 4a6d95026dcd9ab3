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
		text := New(20).Reveal()
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

// No character may come more often than another: a password is worth what its
// least surprising one is.
func TestChance_below(t *testing.T) {
	t.Parallel()
	const n, draws = 23, 230_000
	var random chance
	var counts [n]int
	for range draws {
		counts[random.below(n)]++
	}
	for i, count := range counts {
		if count < draws/n*94/100 || count > draws/n*106/100 { // six standard deviations
			t.Errorf("below(%d) was %d in %d of %d draws; want about %d", n, i, count, draws, draws/n)
		}
	}
}
