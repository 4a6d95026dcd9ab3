package entra

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A translator turns expressions of Entra into ours: the functions keep their
// names, [attribute] becomes the path of a person's attribute, an argument left
// out nil, and a comparison that an empty attribute fails one that says so.
type translator struct {
	// attribute gives the path of the attribute that Entra calls so.
	attribute func(name string) string
	text      string
	at        int
	depth     int // of calls within calls
}

// deepest is how deep calls may stand in calls.
const deepest = 100

// translate gives the expression in our language.
func (t *translator) translate(text string) (string, error) {
	t.text, t.at, t.depth = text, 0, 0
	out, err := t.comparison()
	if err != nil {
		return "", err
	}
	if t.space(); t.at < len(t.text) {
		return "", t.unexpected()
	}
	return out, nil
}

func (t *translator) space() {
	for t.at < len(t.text) && strings.IndexByte(" \t\r\n", t.text[t.at]) >= 0 {
		t.at++
	}
}

func (t *translator) unexpected() error {
	if t.at >= len(t.text) {
		return fmt.Errorf("the expression ends too early: %s", t.text)
	}
	return fmt.Errorf("there is something unknown at %q in %s", t.text[t.at:], t.text)
}

// take tells whether s comes next, and steps over it.
func (t *translator) take(s string) bool {
	t.space()
	if !strings.HasPrefix(t.text[t.at:], s) {
		return false
	}
	t.at += len(s)
	return true
}

// comparison reads an operand, or two that are compared.
func (t *translator) comparison() (string, error) {
	left, err := t.operand()
	if err != nil {
		return "", err
	}
	for _, op := range []string{"<>", ">=", "<=", "=", ">", "<"} {
		if !t.take(op) {
			continue
		}
		right, err := t.operand()
		if err != nil {
			return "", err
		}
		return compared(left, op, right), nil
	}
	return left, nil
}

// compared writes a comparison. Entra takes one with an empty side for false.
func compared(left, op, right string) string {
	if _, err := strconv.ParseInt(right, 10, 64); err == nil && !strings.HasPrefix(left, "DateDiff(") && !strings.HasPrefix(left, "InStr(") && !strings.HasPrefix(left, "Count(") && !strings.HasPrefix(left, "BitAnd(") {
		left = "integer(CStr(" + left + "))"
	}
	switch op {
	case "=":
		return left + " == " + right
	case "<>":
		return "IsPresent(" + left + ") && " + left + " != " + right
	}
	return left + " " + op + " " + right
}

func (t *translator) operand() (string, error) {
	t.space()
	switch {
	case t.at >= len(t.text):
		return "", t.unexpected()
	case t.text[t.at] == '[':
		end := strings.IndexByte(t.text[t.at:], ']')
		if end < 0 {
			return "", t.unexpected()
		}
		name := t.text[t.at+1 : t.at+end]
		t.at += end + 1
		return t.attribute(name), nil
	case t.text[t.at] == '"':
		return t.quoted()
	case t.take("&H"):
		start := t.at - len("&H")
		t.word()
		return strconv.Quote(t.text[start:t.at]), nil
	}
	start := t.at
	t.word()
	word := t.text[start:t.at]
	if word == "" {
		return "", t.unexpected()
	}
	if t.take("(") {
		return t.call(word)
	}
	if _, err := strconv.ParseFloat(word, 64); err == nil {
		return word, nil
	}
	return strconv.Quote(word), nil // a bare word such as vbTextCompare
}

// word steps over letters, digits and what numbers have besides.
func (t *translator) word() {
	for t.at < len(t.text) && (strings.IndexByte("_.-", t.text[t.at]) >= 0 || isWord(t.text[t.at])) {
		t.at++
	}
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted reads a text; \" and \\ are the only escapes that Entra has.
func (t *translator) quoted() (string, error) {
	var b strings.Builder
	for i := t.at + 1; i < len(t.text); i++ {
		switch c := t.text[i]; {
		case c == '"':
			t.at = i + 1
			return strconv.Quote(b.String()), nil
		case c == '\\' && i+1 < len(t.text) && (t.text[i+1] == '"' || t.text[i+1] == '\\'):
			i++
			b.WriteByte(t.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", t.unexpected()
}

func (t *translator) call(name string) (string, error) {
	known := slices.Contains(Compiled, name)
	if _, ok := Functions()[name]; !ok && !known {
		return "", fmt.Errorf("there is no function %s", name)
	}
	if t.depth++; t.depth > deepest {
		return "", fmt.Errorf("the expression has more than %d calls within calls", deepest)
	}
	defer func() { t.depth-- }()
	var args []string
	for !t.take(")") {
		if len(args) > 0 && !t.take(",") {
			return "", t.unexpected()
		}
		if t.space(); t.at < len(t.text) && (t.text[t.at] == ',' || len(args) > 0 && t.text[t.at] == ')') {
			args = append(args, "nil")
			continue
		}
		arg, err := t.comparison()
		if err != nil {
			return "", err
		}
		args = append(args, arg)
	}
	return name + "(" + strings.Join(args, ", ") + ")", nil
}
