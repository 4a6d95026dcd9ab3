package path

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Filter is a condition on a resource or on one value of an attribute.
type Filter struct {
	Op    string    // "and", "or", "not", "pr", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", or "[]": a value of Path matches Terms[0]
	Path  Path      // what is compared
	Value any       // with what: string, bool, json.Number or nil
	Terms []*Filter // of and, or (two or more), not, [] (one)
}

// Equal is the filter that path has the value.
func Equal(path Path, value any) *Filter { return &Filter{Op: "eq", Path: path, Value: value} }

// And is the filter that all hold.
func And(terms ...*Filter) *Filter { return join("and", terms) }

// Or is the filter that one holds.
func Or(terms ...*Filter) *Filter { return join("or", terms) }

func join(op string, terms []*Filter) *Filter {
	if len(terms) == 1 {
		return terms[0]
	}
	return &Filter{Op: op, Terms: terms}
}

// Within is the filter that one value of the attribute matches f.
func Within(attribute Path, f *Filter) *Filter {
	return &Filter{Op: "[]", Path: attribute, Terms: []*Filter{f}}
}

// ParseFilter reads a filter.
func ParseFilter(text string) (*Filter, error) {
	p := &parser{text: text}
	f, err := p.or()
	p.space()
	if err == nil && p.at < len(text) {
		err = p.faultf("nothing more is expected")
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no SCIM filter: %w", text, err)
	}
	return f, nil
}

// String returns the filter with one space between words and parentheses only
// where they are needed.
func (f *Filter) String() string {
	switch f.Op {
	case "and", "or":
		parts := make([]string, len(f.Terms))
		for i, t := range f.Terms {
			parts[i] = t.String()
			if t.Op == "or" || t.Op == f.Op {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, " "+f.Op+" ")
	case "not":
		return "not (" + f.Terms[0].String() + ")"
	case "[]":
		return f.Path.String() + "[" + f.Terms[0].String() + "]"
	case "pr":
		return f.Path.String() + " pr"
	}
	return f.Path.String() + " " + f.Op + " " + literal(f.Value)
}

func literal(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "null" // only texts, numbers and truths come here
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Pairs returns what a value must hold for f to match it, where f is a plain
// conjunction of equalities such as `type eq "work"`.
func (f *Filter) Pairs() (pairs map[string]any, plain bool) {
	pairs = map[string]any{}
	terms := []*Filter{f}
	if f.Op == "and" {
		terms = f.Terms
	}
	for _, t := range terms {
		if t.Op != "eq" || t.Path.Sub != "" || t.Path.Schema != "" || t.Path.Filter != nil {
			return nil, false
		}
		pairs[t.Path.Attr] = t.Value
	}
	return pairs, true
}

// deepest that a filter may nest: far more than anybody writes.
const deepest = 50

type parser struct {
	text  string
	at    int
	depth int
}

func (p *parser) faultf(format string, args ...any) error {
	return fmt.Errorf("at character %d: %s", utf8.RuneCountInString(p.text[:p.at])+1, fmt.Sprintf(format, args...))
}

func (p *parser) space() bool {
	from := p.at
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	return p.at > from
}

func (p *parser) take(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) word(in func(byte) bool) string {
	from := p.at
	for p.at < len(p.text) && in(p.text[p.at]) {
		p.at++
	}
	return p.text[from:p.at]
}

// keyword takes a word without regard to case if it stands here.
func (p *parser) keyword(want string) bool {
	from := p.at
	p.space()
	if strings.EqualFold(p.word(nameChar), want) {
		return true
	}
	p.at = from
	return false
}

func (p *parser) or() (*Filter, error) { return p.list("or", p.and) }

func (p *parser) and() (*Filter, error) { return p.list("and", p.term) }

func (p *parser) list(op string, next func() (*Filter, error)) (*Filter, error) {
	if p.depth++; p.depth > deepest {
		return nil, p.faultf("it nests too deep")
	}
	defer func() { p.depth-- }()
	var terms []*Filter
	for {
		f, err := next()
		if err != nil {
			return nil, err
		}
		if terms = append(terms, f); !p.keyword(op) {
			return join(op, terms), nil
		}
	}
}

func (p *parser) term() (*Filter, error) {
	p.space()
	from := p.at
	if p.keyword("not") {
		p.space()
		if p.take("(") {
			f, err := p.group()
			return &Filter{Op: "not", Terms: []*Filter{f}}, err
		}
		p.at = from // an attribute may be called so
	}
	if p.take("(") {
		return p.group()
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	if path.Filter != nil && path.Sub == "" {
		f := path.Filter
		path.Filter = nil
		return Within(path, f), nil
	}
	if !p.space() {
		return nil, p.faultf("an operator is expected")
	}
	op := strings.ToLower(p.word(nameChar))
	switch op {
	case "pr":
		return &Filter{Op: op, Path: path}, nil
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le":
	default:
		return nil, p.faultf("%q is no operator", op)
	}
	p.space()
	value, err := p.value()
	return &Filter{Op: op, Path: path, Value: value}, err
}

func (p *parser) group() (*Filter, error) {
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); !p.take(")") {
		return nil, p.faultf(") is expected")
	}
	return f, nil
}

// value reads a JSON literal. Truths are taken in any case, as servers do.
func (p *parser) value() (any, error) {
	if p.at < len(p.text) && p.text[p.at] == '"' {
		for end := p.at + 1; end < len(p.text); end++ {
			switch p.text[end] {
			case '\\':
				end++
			case '"':
				var s string
				if err := json.Unmarshal([]byte(p.text[p.at:end+1]), &s); err != nil {
					return nil, p.faultf("the text is not written as in JSON")
				}
				p.at = end + 1
				return s, nil
			}
		}
		return nil, p.faultf("the text has no end")
	}
	from := p.at
	word := p.word(func(c byte) bool { return nameChar(c) || c == '.' || c == '+' })
	switch strings.ToLower(word) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	if !json.Valid([]byte(word)) {
		p.at = from
		return nil, p.faultf("a value is expected: a text in double quotes, a number, true, false or null")
	}
	return json.Number(word), nil
}
