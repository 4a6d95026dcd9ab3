package mapping

import (
	"iter"
	"strconv"
	"strings"
)

// A pattern of unique says by braces where the number goes and how it is
// written: "jdoe{}" gives jdoe, jdoe2, jdoe3; "x{1}" gives x1, x2; "x{001}"
// gives x001, x002. One without braces has them at the end of its local part.
type pattern struct {
	head, tail string
	first      int // 0: the first is without a number
	width      int
}

func patternOf(text string) pattern {
	head, rest, open := strings.Cut(text, "{")
	inner, tail, closed := strings.Cut(rest, "}")
	if !open || !closed || strings.Trim(inner, "0123456789") != "" {
		local, domain, at := strings.Cut(text, "@")
		if at {
			domain = "@" + domain
		}
		return pattern{head: local, tail: domain}
	}
	first, err := strconv.Atoi(inner)
	if err != nil {
		first = 0
	}
	return pattern{head, tail, first, len(inner)}
}

// with gives the name with a number, its head shortened to fit.
func (p pattern) with(number string, limit int) string {
	head := p.head
	if room := limit - len([]rune(p.tail)) - len(number); limit > 0 && room < len([]rune(head)) {
		head = strings.TrimRight(left(head, max(1, room)), " .")
	}
	return head + number + p.tail
}

func (p pattern) number(n int) string {
	digits := strconv.Itoa(n)
	return strings.Repeat("0", max(0, p.width-len(digits))) + digits
}

// lowest is the first number that is tried.
func (p pattern) lowest() int {
	if p.width == 0 {
		return 2
	}
	return p.first
}

// last is the highest number that is tried.
const last = 99_999

// all yields the names of the pattern.
func (p pattern) all(limit int) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.width == 0 && !yield(p.with("", limit)) {
			return
		}
		for n := p.lowest(); n <= last; n++ {
			if !yield(p.with(p.number(n), limit)) {
				return
			}
		}
	}
}

// numbered yields the first name of each pattern but the last, and then all of that.
func numbered(patterns []string, limit int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, text := range patterns {
			for name := range patternOf(text).all(limit) {
				if !yield(name) {
					return
				}
				if i < len(patterns)-1 {
					break
				}
			}
		}
	}
}

// gaveNumbered tells whether value could have come out of numbered.
func gaveNumbered(value string, patterns []string, limit int) bool {
	for _, text := range patterns {
		p := patternOf(text)
		if p.width == 0 && strings.EqualFold(value, p.with("", limit)) {
			return true
		}
		end := len(value) - len(p.tail)
		for digits := 1; digits <= len(strconv.Itoa(last)) && digits <= end; digits++ {
			number := value[end-digits : end]
			if n, err := strconv.Atoi(number); err == nil && n >= p.lowest() && number == p.number(n) && strings.EqualFold(value, p.with(number, limit)) {
				return true
			}
		}
	}
	return false
}
