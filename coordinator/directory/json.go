package directory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The stored form is a JSON object with its keys in ascending order: text as a
// string, an instant as a string in RFC 3339 (of a declared attribute as
// {"instant":"…"}, since nothing else tells it from text), a list as an array
// of strings, an empty attribute as null. Equal attributes have equal bytes.
// Written by hand: encoding/json takes several times as long over a map.

// errStored says that a text is not the stored form of attributes.
var errStored = errors.New("not the stored form of attributes")

// MarshalJSON gives the stored form.
func (a Attributes) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// UnmarshalJSON reads the stored form.
func (a *Attributes) UnmarshalJSON(data []byte) (err error) {
	*a, err = ParseAttributes(string(data))
	return err
}

// AppendJSON appends the stored form to dst.
func (a Attributes) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, e := range a.list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, e.path), ':')
		dst = appendValue(dst, e)
	}
	return append(dst, '}')
}

func appendValue(dst []byte, e attribute) []byte {
	switch v := e.value.(type) {
	case string:
		return AppendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case time.Time:
		declared := KindAt(e.path) != Instant
		if declared {
			dst = append(dst, `{"instant":`...)
		}
		dst = append(dst, '"')
		dst = v.AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
		if declared {
			dst = append(dst, '}')
		}
		return dst
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, s)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

// AppendString appends a string of JSON.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// ParseAttributes reads the stored form. The attributes share the memory of
// text.
func ParseAttributes(text string) (Attributes, error) {
	r := reader{text: text}
	var a Attributes
	if !r.take('{') {
		return a, r.fault()
	}
	if r.take('}') {
		return a, r.end()
	}
	a.list = make([]attribute, 0, strings.Count(text, `":`))
	for {
		path, ok := r.str()
		if !ok || !r.take(':') {
			return Attributes{}, r.fault()
		}
		kind, standard := schema[path]
		value, err := r.value(kind)
		if err != nil {
			return Attributes{}, fmt.Errorf("attribute %s: %w", path, err)
		}
		if standard {
			path = interned[path]
		}
		a.Set(path, value)
		if r.take(',') {
			continue
		}
		if !r.take('}') {
			return Attributes{}, r.fault()
		}
		if err := r.end(); err != nil {
			return Attributes{}, err
		}
		return a, nil
	}
}

// Stored gives the stored form of one attribute's value out of the stored form
// of attributes; "" where they do not have it. It reads nothing else.
func Stored(text, path string) string {
	for at := 0; ; {
		i := strings.Index(text[at:], path)
		if i < 0 {
			return ""
		}
		// A key stands behind the first brace or a comma; within a text its quotes would be escaped.
		from, to := at+i-1, at+i+len(path)
		if from > 0 && text[from] == '"' && (from == 1 || text[from-1] == ',') && strings.HasPrefix(text[to:], `":`) {
			return text[to+2 : to+2+extent(text[to+2:])]
		}
		at = to
	}
}

// extent gives the length of the value that a text begins with.
func extent(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case depth == 0 && (c == ',' || c == '}'):
			return i
		case c == ']' || c == '}':
			depth--
		}
	}
	return len(text)
}

// interned holds each standard path once, so that attributes do not keep the
// text alive for their paths' sake.
var interned = func() map[string]string {
	m := make(map[string]string, len(schema))
	for path := range schema {
		m[path] = path
	}
	return m
}()

// A reader takes JSON tokens off the front of a text.
type reader struct {
	text string
	at   int
}

func (r *reader) fault() error { return fmt.Errorf("%w at byte %d", errStored, r.at) }

func (r *reader) end() error {
	if r.space(); r.at != len(r.text) {
		return r.fault()
	}
	return nil
}

func (r *reader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\t' || r.text[r.at] == '\r') {
		r.at++
	}
}

func (r *reader) take(c byte) bool {
	r.space()
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) word(w string) bool {
	if strings.HasPrefix(r.text[r.at:], w) {
		r.at += len(w)
		return true
	}
	return false
}

func (r *reader) value(kind Kind) (any, error) {
	r.space()
	switch {
	case r.word("null"):
		return nil, nil
	case r.word("true"):
		return true, nil
	case r.word("false"):
		return false, nil
	case r.take('['):
		return r.list()
	case r.take('{'):
		if key, ok := r.str(); !ok || key != "instant" || !r.take(':') {
			return nil, r.fault()
		}
		v, err := r.value(Instant)
		if err == nil && !r.take('}') {
			err = r.fault()
		}
		return v, err
	case r.at < len(r.text) && r.text[r.at] == '"':
		s, ok := r.str()
		if !ok {
			return nil, r.fault()
		}
		if kind == Instant {
			return time.Parse(time.RFC3339Nano, s)
		}
		return s, nil
	}
	from := r.at
	for r.at < len(r.text) && (r.text[r.at] == '-' || r.text[r.at] >= '0' && r.text[r.at] <= '9') {
		r.at++
	}
	return strconv.ParseInt(r.text[from:r.at], 10, 64)
}

func (r *reader) list() (any, error) {
	list := []string{}
	if r.take(']') {
		return list, nil
	}
	for {
		r.space()
		s, ok := r.str()
		if !ok {
			return nil, r.fault()
		}
		list = append(list, s)
		if r.take(']') {
			return list, nil
		}
		if !r.take(',') {
			return nil, r.fault()
		}
	}
}

// str reads a string; one without escapes is a part of the text.
func (r *reader) str() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	from := r.at
	for ; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '"':
			r.at++
			return r.text[from : r.at-1], true
		case '\\':
			return r.escaped(from)
		}
	}
	return "", false
}

func (r *reader) escaped(from int) (string, bool) {
	b := []byte(r.text[from:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(b), true
		case c != '\\':
			b = append(b, c)
		case r.at == len(r.text):
			return "", false
		default:
			e := r.text[r.at]
			r.at++
			if e != 'u' {
				i := strings.IndexByte(`"\/bfnrt`, e)
				if i < 0 {
					return "", false
				}
				b = append(b, "\"\\/\b\f\n\r\t"[i])
				continue
			}
			if r.at+4 > len(r.text) {
				return "", false
			}
			u, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 32)
			if err != nil {
				return "", false
			}
			r.at += 4
			b = utf8.AppendRune(b, rune(u)) // a lone surrogate becomes U+FFFD; AppendJSON writes none
		}
	}
	return "", false
}
