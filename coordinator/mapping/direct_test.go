package mapping_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// anyText draws the text of an expression that gives text, of what is made into Go functions.
func anyText(t *rapid.T, deep int) string {
	kinds := 9
	if deep == 0 {
		kinds = 2
	}
	sub := func() string { return anyText(t, deep-1) }
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"title", "department", "name.givenName", "name.familyName", "nickName"}).Draw(t, "attribute")
	case 1:
		return rapid.SampledFrom([]string{`""`, `" "`, `"a"`, `"É-"`, `"\u00a0"`, `"Sales"`}).Draw(t, "literal")
	case 2:
		parts := make([]string, rapid.IntRange(2, 6).Draw(t, "parts"))
		for i := range parts {
			parts[i] = sub()
		}
		return "(" + strings.Join(parts, " + ") + ")"
	case 3, 4:
		return rapid.SampledFrom([]string{"lower", "upper", "trim", "toLower", "toUpper"}).Draw(t, "function") + "(" + sub() + ")"
	case 5:
		return fmt.Sprintf("left(%s, %d)", sub(), rapid.IntRange(0, 4).Draw(t, "n"))
	case 6:
		return fmt.Sprintf("replace(%s, %s, %s)", sub(), rapid.SampledFrom([]string{`""`, `"a"`, `"É"`, "title"}).Draw(t, "what"), sub())
	}
	op := rapid.SampledFrom([]string{"==", "!=", "startsWith", "endsWith", "contains"}).Draw(t, "operator")
	is := fmt.Sprintf("%s %s %s", sub(), op, sub())
	switch rapid.IntRange(0, 3).Draw(t, "logic") {
	case 0:
		is = "not (" + is + ")"
	case 1:
		is = fmt.Sprintf("(%s) and title == %s", is, sub())
	case 2:
		is = fmt.Sprintf("(%s) || title != %s", is, sub())
	}
	return fmt.Sprintf("(%s ? %s : %s)", is, sub(), sub())
}

// What is made into Go functions gives what the virtual machine gives, which an
// expression with coalesce around it goes through.
func TestDirect_givesWhatTheMachineGives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := anyText(t, 3)
		quoted := strings.ReplaceAll(text, "'", "''")
		s, err := mapping.Parse("x.yaml", []byte("system: x\nsite: hq\nconnector: fake\ntarget:\n  class: user\n  name: title\n  attributes:\n    a: '"+
			quoted+"'\n    b: 'coalesce("+quoted+", \"\")'\n"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		value := rapid.SampledFrom([]string{"", " ", "a", "Sales", "É", "ßa É", "\u00a0", "Engineer "})
		p := person("title", value.Draw(t, "title"), "department", value.Draw(t, "department"), "name.givenName", value.Draw(t, "given"), "nickName", value.Draw(t, "nick"))
		v := s.Target.View(p, time.Now())
		defer v.Close()
		a, err1 := v.Eval(s.Target.Rules[0])
		b, err2 := v.Eval(s.Target.Rules[1])
		if err1 != nil || err2 != nil || a.First() != b.First() || a.Known != b.Known {
			t.Fatalf("%s gives %q, %v, %v; by the machine %q, %v, %v", text, a.First(), a.Known, err1, b.First(), b.Known, err2)
		}
	})
}
