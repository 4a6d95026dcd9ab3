package mapping

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping/entra"
)

// builtins are the functions of the expression language itself that documents
// may use; the rest are ours, so that one name has one meaning.
var builtins = []string{"all", "any", "none", "one", "filter", "map", "count", "find", "first", "last", "string"}

// A function is one that expressions may call.
type function struct {
	signatures []any // pointers to func types
	call       func(args ...any) (any, error)
}

// Signatures.
type (
	textToText  = func(string) string
	textToBool  = func(string) bool
	textsToText = func(string, ...string) string
)

var sign = struct {
	text, texts, textInt, text2, text3, textInt2, list any
}{
	new(textToText), new(textsToText), new(func(string, int) string), new(func(string, string) string),
	new(func(string, string, string) string), new(func(string, int, int) string), new(func([]string) []string),
}

// functions gives all functions by name. zone is the document's.
func functions(zone *time.Location) map[string]function {
	fs := map[string]function{
		"lower":       texts(strings.ToLower),
		"upper":       texts(strings.ToUpper),
		"trim":        texts(strings.TrimSpace),
		"stripSpaces": texts(func(s string) string { return strings.ReplaceAll(s, " ", "") }),
		"sam":         texts(sam),
		"local":       texts(local),
		"dn":          texts(EscapeDN),
		"initial":     texts(func(s string) string { return left(strings.TrimSpace(s), 1) }),
		"digits":      texts(func(s string) string { return strings.Map(digit, s) }),
		"titleCase":   {[]any{sign.texts}, titleCase},
		"ascii":       {[]any{sign.texts}, callASCII},
		"left":        {[]any{sign.textInt}, func(a ...any) (any, error) { return left(a[0].(string), a[1].(int)), nil }},
		"right":       {[]any{sign.textInt}, func(a ...any) (any, error) { return right(a[0].(string), a[1].(int)), nil }},
		"mid":         {[]any{sign.textInt2}, func(a ...any) (any, error) { return mid(a[0].(string), a[1].(int), a[2].(int)), nil }},
		"replace": {[]any{sign.text3}, func(a ...any) (any, error) {
			return strings.ReplaceAll(a[0].(string), a[1].(string), a[2].(string)), nil
		}},
		"replaceRegex": {[]any{sign.text3}, replaceRegex},
		"matchesRegex": {[]any{new(func(string, string) bool)}, matchesRegex},
		"word":         {[]any{new(func(string, int) string), new(func(string, int, string) string)}, word},
		"split":        {[]any{new(func(string, string) []string)}, split},
		"join":         {[]any{new(func(string, ...any) string)}, join},
		"list":         {[]any{new(func(...any) []string)}, func(a ...any) (any, error) { return flat(a) }},
		"distinct":     {[]any{sign.list}, distinct},
		"len":          {[]any{new(func(string) int), new(func([]string) int)}, length},
		"item":         {[]any{new(func([]string, int) string)}, item},
		"coalesce":     {[]any{sign.texts}, coalesce},
		"isPresent":    {[]any{new(func(any) bool)}, func(a ...any) (any, error) { return present(a[0]), nil }},
		"iif":          {[]any{new(func(bool, string, string) string), new(func(bool, []string, []string) []string)}, iif},
		"switch":       {[]any{sign.texts}, switchText},
		"lookup":       {[]any{new(func(map[string]string, string) string), new(func(map[string]string, string, string) string)}, lookup},
		"boolean":      {[]any{new(textToBool)}, boolean},
		"integer":      {[]any{new(func(string) int64)}, integer},
		"text":         {[]any{new(func(any) string)}, func(a ...any) (any, error) { return Text(a[0]), nil }},
	}
	fs["hash"] = function{[]any{sign.texts}, hash}
	fs["within"] = function{[]any{new(func(string, string) bool)}, within}
	fs["inTimeZone"] = function{[]any{new(func(time.Time, string, ...string) time.Time)}, inTimeZone(zone)}
	maps.Copy(fs, dateFunctions(zone))
	for name, f := range entra.Functions() {
		fs[name] = function{f.Signatures, f.Call}
	}
	for alias, name := range aliases {
		fs[alias] = fs[name]
	}
	return fs
}

// aliases are the spellings that users of Microsoft Entra know, where the
// arguments are the same.
var aliases = map[string]string{
	"toLower": "lower", "toUpper": "upper", "pCase": "titleCase", "normalizeDiacritics": "ascii", "substring": "mid",
	"default": "coalesce", "removeDuplicates": "distinct", "numFromDate": "fileTime", "length": "len",
	"regexMatch": "matchesRegex", "transliterate": "ascii",
}

// Functions gives the names of all functions of expressions, in ascending
// order, with those that only a rule itself may call.
func Functions() []string {
	names := slices.AppendSeq(slices.Clone(builtins), maps.Keys(functions(time.UTC)))
	names = append(names, "now", "reached", "values", "firstUnique", "unique", "try", "inGroup")
	names = append(names, entra.Compiled...)
	slices.Sort(names)
	return names
}

func (f function) table(name string) *builtin.Function {
	types := make([]reflect.Type, len(f.signatures))
	for i, s := range f.signatures {
		types[i] = reflect.TypeOf(s).Elem()
	}
	return &builtin.Function{Name: name, Func: f.call, Types: types}
}

func texts(f func(string) string) function {
	return function{[]any{sign.text}, func(a ...any) (any, error) { return f(a[0].(string)), nil }}
}

func digit(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func callASCII(a ...any) (any, error) {
	if len(a) == 1 {
		return ascii(a[0].(string), nil), nil
	}
	name := a[1].(string)
	locale, ok := locales[name]
	if !ok {
		return nil, fmt.Errorf("ascii knows no way of language %q; it knows %s", name, strings.Join(slices.Sorted(maps.Keys(locales)), ", "))
	}
	return ascii(a[0].(string), locale), nil
}

// titleCase begins each word with a capital; words are parted by the given
// characters, else by space, hyphen and apostrophe.
func titleCase(a ...any) (any, error) {
	parts := " -'’\t"
	if len(a) > 1 {
		parts = a[1].(string)
	}
	first := true
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(parts, r):
			first = true
			return r
		case first:
			first = false
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, a[0].(string)), nil
}

// left gives the first n characters; all of them where n is negative.
func left(s string, n int) string {
	if n < 0 {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func right(s string, n int) string {
	if n < 0 {
		return s
	}
	if skip := utf8.RuneCountInString(s) - n; skip > 0 {
		return s[len(left(s, skip)):]
	}
	return s
}

// mid gives n characters from the one at start, counted from 1, clipped.
func mid(s string, start, n int) string {
	if start < 1 {
		n, start = n+start-1, 1
	}
	if n <= 0 {
		return ""
	}
	return left(s[len(left(s, start-1)):], n)
}

// regexes holds every expression once compiled; documents have few.
var regexes sync.Map

func regex(text string) (*regexp.Regexp, error) {
	if re, ok := regexes.Load(text); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(text)
	if err == nil {
		regexes.Store(text, re)
	}
	return re, err
}

func replaceRegex(a ...any) (any, error) {
	re, err := regex(a[1].(string))
	if err != nil {
		return nil, err
	}
	return re.ReplaceAllString(a[0].(string), a[2].(string)), nil
}

func matchesRegex(a ...any) (any, error) {
	re, err := regex(a[1].(string))
	if err != nil {
		return nil, err
	}
	return re.MatchString(a[0].(string)), nil
}

// word gives the nth word, counted from 1; words are parted by any of the
// delimiters, else by space.
func word(a ...any) (any, error) {
	delimiters := " "
	if len(a) > 2 {
		delimiters = a[2].(string)
	}
	words := strings.FieldsFunc(a[0].(string), func(r rune) bool { return strings.ContainsRune(delimiters, r) })
	if n := a[1].(int); n >= 1 && n <= len(words) {
		return words[n-1], nil
	}
	return "", nil
}

func split(a ...any) (any, error) {
	if a[0].(string) == "" {
		return []string(nil), nil
	}
	return strings.Split(a[0].(string), a[1].(string)), nil
}

// join leaves empty texts out, so that a person without a middle name has no
// double space.
func join(a ...any) (any, error) {
	parts, err := flat(a[1:])
	if err != nil {
		return nil, err
	}
	return strings.Join(parts, a[0].(string)), nil
}

// flat gives one list of texts and lists, without empty texts.
func flat(a []any) ([]string, error) {
	out := make([]string, 0, len(a))
	for _, v := range a {
		switch v := v.(type) {
		case []string:
			out = append(out, v...)
		case []any:
			inner, err := flat(v)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
		default:
			out = append(out, Text(v))
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" }), nil
}

func distinct(a ...any) (any, error) {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(a[0].([]string)), func(s string) bool {
		again := seen[s]
		seen[s] = true
		return again
	}), nil
}

func length(a ...any) (any, error) {
	if s, ok := a[0].(string); ok {
		return utf8.RuneCountInString(s), nil
	}
	return len(a[0].([]string)), nil
}

func item(a ...any) (any, error) {
	list, n := a[0].([]string), a[1].(int)
	if n < 1 || n > len(list) {
		return "", nil
	}
	return list[n-1], nil
}

func coalesce(a ...any) (any, error) {
	for _, v := range a {
		if v.(string) != "" {
			return v, nil
		}
	}
	return "", nil
}

func present(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case time.Time:
		return !v.IsZero()
	case []string:
		return len(v) > 0
	}
	return true
}

func iif(a ...any) (any, error) {
	if a[0].(bool) {
		return a[1], nil
	}
	return a[2], nil
}

// switchText gives the value after the key that equals the first argument,
// else the second argument.
func switchText(a ...any) (any, error) {
	if len(a) < 2 || len(a)%2 != 0 {
		return nil, errors.New("switch wants a text, what to give otherwise, and then pairs of key and value")
	}
	for i := 2; i < len(a); i += 2 {
		if a[i] == a[0] {
			return a[i+1], nil
		}
	}
	return a[1], nil
}

// lookup gives the table's value for the key, whatever its case; else the
// third argument, else nothing.
func lookup(a ...any) (any, error) {
	if v, ok := a[0].(map[string]string)[strings.ToLower(strings.TrimSpace(a[1].(string)))]; ok {
		return v, nil
	}
	if len(a) > 2 {
		return a[2], nil
	}
	return "", nil
}

func boolean(a ...any) (any, error) {
	s := a[0].(string)
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "y", "1":
		return true, nil
	case "false", "no", "n", "0", "":
		return false, nil
	}
	return nil, fmt.Errorf("%q is neither true nor false", s)
}

func integer(a ...any) (any, error) {
	s := strings.TrimSpace(a[0].(string))
	if s == "" {
		return int64(0), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

// Text gives a value in the form of the connector contract: an instant in RFC
// 3339 and UTC; "" for nothing. Of a list it gives the values, parted by "; ".
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.UTC().Format(time.RFC3339Nano)
	case []string:
		return strings.Join(v, "; ")
	}
	return fmt.Sprint(v)
}

// Texts gives the values of an attribute, one or a list, each as [Text] does; nil for nothing.
func Texts(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		return v
	}
	return []string{Text(v)}
}
