package entra

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// patience bounds the time that a regular expression may take for one value:
// the expressions of .NET can take for ever.
const patience = 250 * time.Millisecond

// patterns holds every regular expression once compiled; documents have few.
var patterns sync.Map

func pattern(text string) (*regexp2.Regexp, error) {
	if re, ok := patterns.Load(text); ok {
		return re.(*regexp2.Regexp), nil
	}
	re, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", text, err)
	}
	re.MatchTimeout = patience
	patterns.Store(text, re)
	return re, nil
}

var errReplace = errors.New("a Replace wants oldValue with replacementValue or template, or regexPattern with replacementValue or replacementAttributeName")

// replace takes source, oldValue, regexPattern, regexGroupName,
// replacementValue, replacementAttributeName (its value) and template. Which of
// them are given says what it does; nil is not given.
func replace(args ...any) (any, error) {
	var a [7]any
	copy(a[:], args)
	source, old, re, group := Text(a[0]), Text(a[1]), Text(a[2]), Text(a[3])
	switch {
	case old != "" && a[6] != nil && Text(a[6]) != "":
		return strings.ReplaceAll(Text(a[6]), old, source), nil
	case old != "":
		return strings.ReplaceAll(source, old, Text(a[4])), nil
	case source == "":
		return "", nil
	case re == "":
		return nil, errReplace
	}
	by := Text(a[4])
	if present(a[5]) {
		by = Text(a[5])
	}
	p, err := pattern(re)
	if err != nil {
		return nil, err
	}
	if group == "" {
		return p.Replace(source, by, -1, -1)
	}
	return replaceGroup(p, source, group, by)
}

// replaceGroup puts by where the group matched, and leaves the rest of each
// match as it is.
func replaceGroup(p *regexp2.Regexp, source, group, by string) (string, error) {
	runes := []rune(source) // the places of matches count characters
	var b strings.Builder
	end := 0
	m, err := p.FindStringMatch(source)
	for ; m != nil && err == nil; m, err = p.FindNextMatch(m) {
		g := m.GroupByName(group)
		if g == nil {
			return "", fmt.Errorf("the regular expression %q has no group %q", p, group)
		}
		if len(g.Captures) == 0 || g.Index < end {
			continue
		}
		b.WriteString(string(runes[end:g.Index]))
		b.WriteString(by)
		end = g.Index + g.Length
	}
	if err != nil {
		return "", err
	}
	b.WriteString(string(runes[end:]))
	return b.String(), nil
}
