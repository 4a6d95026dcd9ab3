package mapping_test

import (
	"strings"
	"testing"
	"time"
)

// Whatever somebody writes as an expression is refused, or evaluates to a value or a fault, the same each time.
func FuzzExpression(f *testing.F) {
	for _, c := range expressions {
		f.Add(c.text, "Zoë  O'Brien, Jr.")
	}
	for _, text := range []string{`name.givenName + " " + nmae`, `firstUnique(left(displayName, 3))`, `((((`, `[1, 2][5]`, `displayName[0:99]`, `1 / 0`, `map([displayName], # + #)`, `repeat("x", 1e9)`, `{"a": displayName}`} {
		f.Add(text, "x")
	}
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, value string) {
		s, err := ruled(strings.Join(strings.Fields(text), " ")) // on the one line that there is
		if err != nil || len(s.Target.Rules) == 0 {
			return
		}
		eval := func() (string, bool) {
			v := s.Target.View(person("displayName", value, "startDate", at), at)
			defer v.Close()
			got, err := v.Eval(s.Target.Rules[0])
			return got.First(), err != nil
		}
		first, failed := eval()
		if second, again := eval(); second != first || again != failed {
			t.Errorf("%s of %q gives %q, and then %q", text, value, first, second)
		}
	})
}
