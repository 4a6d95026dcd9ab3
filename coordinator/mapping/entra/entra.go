// Package entra holds the functions of Microsoft Entra's attribute mapping
// expressions, by the names and with the outcomes that Entra's reference gives
// them, so that a mapping can be moved as it is; see Import for that.
//
// Entra knows texts and lists of them. A date is a text as Entra prints it,
// such as "3/16/2020 7:00:00 AM", always in UTC; true is "True". A function
// takes any value and reads it as such a text. What a function cannot read is
// an error that says so: nothing is passed on half understood.
//
// Four functions are no functions of their arguments alone, and are the
// compiler's: Now, SelectUniqueValue, IgnoreFlowIfNullOrEmpty and Redact. Guid
// and RandomString give another value each time, so a rule that has one of
// them is for the making of an account.
package entra

import (
	"strconv"
	"strings"
	"time"
)

// A Function is one that expressions may call. Signatures holds pointers to
// function types, each a way to call it.
type Function struct {
	Signatures []any
	Call       func(args ...any) (any, error)
}

// Random names the functions that give another value each time.
var Random = []string{"Guid", "RandomString"}

// Compiled names the functions that the compiler of expressions knows itself.
var Compiled = []string{"Now", "SelectUniqueValue", "IgnoreFlowIfNullOrEmpty", "Redact", "DefaultDomain"}

// Signatures.
var (
	textOfAny  = new(func(any) string)
	textOfAny2 = new(func(any, any) string)
	textOfSome = new(func(any, ...any) string)
	boolOfAny  = new(func(any) bool)
	boolOfSome = new(func(any, ...any) bool)
	list       = new(func(any) []string)
)

// Functions gives the functions by name.
func Functions() map[string]Function {
	return map[string]Function{
		"And":                       {[]any{boolOfSome}, and},
		"Or":                        {[]any{boolOfSome}, or},
		"Xor":                       {[]any{new(func(any, any) bool)}, xor},
		"Append":                    {[]any{textOfAny2}, func(a ...any) (any, error) { return Text(a[0]) + Text(a[1]), nil }},
		"AppRoleAssignmentsComplex": {[]any{list}, func(a ...any) (any, error) { return values(a[:1]), nil }},
		"BitAnd":                    {[]any{new(func(any, any) int64)}, bitAnd},
		"CBool":                     {[]any{boolOfAny}, func(a ...any) (any, error) { return truth(a[0]) }},
		"CDate":                     {[]any{textOfAny}, dateToText(func(t time.Time) string { return printed(t) })},
		"Coalesce":                  {[]any{textOfSome}, coalesce},
		"ConvertToBase64":           {[]any{textOfAny}, base64Text},
		"ConvertToUTF8Hex":          {[]any{textOfAny}, utf8Hex},
		"Count":                     {[]any{new(func(any) int64)}, func(a ...any) (any, error) { return int64(len(values(a[:1]))), nil }},
		"CStr":                      {[]any{textOfAny}, func(a ...any) (any, error) { return Text(a[0]), nil }},
		"DateAdd":                   {[]any{new(func(string, any, any) string)}, dateAdd},
		"DateDiff":                  {[]any{new(func(string, any, any) int64)}, dateDiff},
		"DateFromNum":               {[]any{textOfAny}, dateFromNum},
		"FormatDateTime":            {[]any{new(func(any, any, any, string) string)}, formatDateTime},
		"Guid":                      {[]any{new(func() string)}, guid},
		"IIF":                       {[]any{new(func(any, []string, []string) []string), new(func(any, any, any) string)}, iif},
		"InStr":                     {[]any{new(func(any, any, ...any) int64)}, inStr},
		"IsNull":                    {[]any{boolOfAny}, func(a ...any) (any, error) { return !present(a[0]), nil }},
		"IsNullOrEmpty":             {[]any{boolOfAny}, func(a ...any) (any, error) { return !present(a[0]), nil }},
		"IsPresent":                 {[]any{boolOfAny}, func(a ...any) (any, error) { return present(a[0]), nil }},
		"IsString":                  {[]any{boolOfAny}, func(a ...any) (any, error) { _, ok := a[0].(string); return ok, nil }},
		"Item":                      {[]any{new(func(any, any) string)}, item},
		"Join":                      {[]any{textOfSome}, func(a ...any) (any, error) { return strings.Join(values(a[1:]), Text(a[0])), nil }},
		"Left":                      {[]any{textOfAny2}, left},
		"Mid":                       {[]any{new(func(any, any, any) string)}, mid},
		"NormalizeDiacritics":       {[]any{textOfAny}, func(a ...any) (any, error) { return withoutDiacritics(Text(a[0])), nil }},
		"Not":                       {[]any{textOfAny}, not},
		"NumFromDate":               {[]any{textOfAny}, dateToText(fileTime)},
		"PCase":                     {[]any{textOfSome}, pCase},
		"RandomString":              {[]any{new(func(any, any, any, any, any, ...any) string)}, randomString},
		"RemoveDuplicates":          {[]any{list}, removeDuplicates},
		"Replace":                   {[]any{textOfSome}, replace},
		"SingleAppRoleAssignment":   {[]any{textOfAny}, func(a ...any) (any, error) { return first(values(a[:1])), nil }},
		"Split":                     {[]any{new(func(any, any) []string)}, split},
		"StripSpaces":               {[]any{textOfAny}, func(a ...any) (any, error) { return strings.ReplaceAll(Text(a[0]), " ", ""), nil }},
		"Switch":                    {[]any{textOfSome}, switchText},
		"ToLower":                   {[]any{textOfSome}, func(a ...any) (any, error) { return lower(Text(a[0]), culture(a[1:])), nil }},
		"ToUpper":                   {[]any{textOfSome}, func(a ...any) (any, error) { return upper(Text(a[0]), culture(a[1:])), nil }},
		"Word":                      {[]any{new(func(any, any, any) string)}, word},
	}
}

// Text gives a value as Entra's functions see it; "" for nothing.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return printed(v)
	case []string:
		return first(v)
	}
	return ""
}

// values gives the values of texts and lists in one list, without empty ones.
func values(args []any) []string {
	out := make([]string, 0, len(args))
	for _, a := range args {
		switch a := a.(type) {
		case []string:
			out = append(out, a...)
		case []any:
			out = append(out, values(a)...)
		default:
			if s := Text(a); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// present tells whether there is a value: a list with any, or a text.
func present(v any) bool {
	if l, ok := v.([]string); ok {
		return len(l) > 0
	}
	return Text(v) != ""
}
