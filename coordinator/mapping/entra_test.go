package mapping_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// entraExamples are the examples of Microsoft Entra's reference of its
// functions, and what its remarks say of edges.
var entraExamples = []struct {
	text string
	want []string
}{
	{`Append("John.Doe@contoso.com", ".test")`, []string{"John.Doe@contoso.com.test"}},
	{`CStr(And(title == "Engineer", "True", 1))`, []string{"True"}},
	{`CStr(And("True", nickName))`, []string{"False"}},
	{`CStr(Or("False", IsPresent(title)))`, []string{"True"}},
	{`CStr(Xor("True", CBool("1")))`, []string{"False"}},
	{`IIF(Or(title == "Clerk", title == "Engineer"), "yes", "no")`, []string{"yes"}},
	{`AppRoleAssignmentsComplex(roles)`, []string{"Admin", "User", "Admin"}},
	{`CStr(BitAnd("&HF", "&HF7"))`, []string{"7"}},
	{`CStr(CBool(title == "Engineer"))`, []string{"True"}},
	{`CStr(CBool("0"))`, []string{"False"}},
	{`CDate("2020-03-16-07:00")`, []string{"3/16/2020 7:00:00 AM"}},
	{`CDate("2021-06-30+08:00")`, []string{"6/29/2021 4:00:00 PM"}},
	{`CDate("2009-06-15T01:45:30-07:00")`, []string{"6/15/2009 8:45:30 AM"}},
	{`CDate(nickName)`, nil},
	{`Coalesce(nickName, "John.Doe@contoso.com")`, []string{"John.Doe@contoso.com"}},
	{`Coalesce(nickName, "")`, nil},
	{`ConvertToBase64("Hello world!")`, []string{"SABlAGwAbABvACAAdwBvAHIAbABkACEA"}},
	{`ConvertToUTF8Hex("Hello world!")`, []string{"48656C6C6F20776F726C6421"}},
	{`CStr(Count(roles))`, []string{"3"}},
	{`CStr("cn=Joe,dc=contoso,dc=com")`, []string{"cn=Joe,dc=contoso,dc=com"}},
	{`DateAdd("d", 7, CDate("2012-03-16-07:00"))`, []string{"3/23/2012 7:00:00 AM"}},
	{`DateAdd("d", -10, CDate("2012-03-16-07:00"))`, []string{"3/6/2012 7:00:00 AM"}},
	{`DateAdd("ww", 2, CDate("2012-03-16-07:00"))`, []string{"3/30/2012 7:00:00 AM"}},
	{`DateAdd("m", 10, CDate("2012-03-16-07:00"))`, []string{"1/16/2013 7:00:00 AM"}},
	{`DateAdd("yyyy", 2, CDate("2012-03-16-07:00"))`, []string{"3/16/2014 7:00:00 AM"}},
	{`DateAdd("m", 1, "2023-01-31")`, []string{"2/28/2023 12:00:00 AM"}},
	{`CStr(DateDiff("d", "2021-08-18+08:00", "2021-08-31+08:00"))`, []string{"13"}},
	{`CStr(DateDiff("d", "8/25/2021 5:41:18 PM", "2012-03-16-07:00"))`, []string{"-3449"}},
	{`CStr(DateDiff("ww", "8/25/2021 5:41:18 PM", "2012-03-16-07:00"))`, []string{"-493"}},
	{`CStr(DateDiff("m", "8/25/2021 5:41:18 PM", "2012-03-16-07:00"))`, []string{"-113"}},
	{`CStr(DateDiff("yyyy", "8/25/2021 5:41:18 PM", "2012-03-16-07:00"))`, []string{"-9"}},
	{`CStr(DateDiff("d", "2021-08-31+08:00", "2021-08-31+08:00"))`, []string{"0"}},
	{`CStr(DateDiff("h", "2021-08-24", "2021-08-25"))`, []string{"24"}},
	{`CStr(DateDiff("n", "2021-08-24", "2021-08-25"))`, []string{"1440"}},
	{`CStr(DateDiff("s", "2021-08-24", "2021-08-25"))`, []string{"86400"}},
	{`Switch("1", nil, "1", IIF(DateDiff("d", Now(), CDate("2026-06-07")) > 5, "False", "True"), "0", "False")`, []string{"True"}},
	{`Switch("1", nil, "1", IIF(DateDiff("d", Now(), CDate("2026-06-08")) > 5, "False", "True"), "0", "False")`, []string{"False"}},
	{`DateFromNum(129699324000000000)`, []string{"1/1/2012 11:00:00 PM"}},
	{`DateFromNum("9223372036854775807")`, nil},
	{`DefaultDomain()`, []string{"contoso.com"}},
	{`FormatDateTime("20150123105347.1Z", nil, "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")`, []string{"2015-01-23"}},
	{`FormatDateTime("2020-12-31-08:00", nil, "yyyy-MM-ddzzz", "yyyy-MM-dd")`, []string{"2020-12-31"}},
	{`FormatDateTime("12/31/2020 11:05:09 PM", "AssumeUniversal", "M/d/yyyy hh:mm:ss tt", "dddd, d MMM yy H:m:s.ff 'at' hh tt")`,
		[]string{"Thursday, 31 Dec 20 23:5:9.00 at 11 PM"}},
	{`FormatDateTime(Now(), nil, "M/d/yyyy h:mm:ss tt", "o")`, []string{"2026-06-01T08:00:00.0000000Z"}},
	{`IIF(title == "Engineer", title, "other")`, []string{"Engineer"}},
	{`IIF(IsPresent(nickName), "yes", "no")`, []string{"no"}},
	{`IIF(true, roles, roles)`, []string{"Admin", "User", "Admin"}},
	{`IgnoreFlowIfNullOrEmpty(Switch("9", "", "3443", "Dr.", "3444", "Prof."))`, nil},
	{`CStr(InStr("The quick brown fox", "quick"))`, []string{"5"}},
	{`CStr(InStr("repEated", "e", 3, "vbBinaryCompare"))`, []string{"7"}},
	{`CStr(InStr("repEated", "e", 3, "vbTextCompare"))`, []string{"4"}},
	{`CStr(InStr("a", "b"))`, []string{"0"}},
	{`CStr(IsNull(nickName))`, []string{"True"}},
	{`CStr(IsNullOrEmpty(title))`, []string{"False"}},
	{`CStr(IsString(title))`, []string{"True"}},
	{`Switch(CStr(IsPresent(nickName)), "none", "True", nickName)`, []string{"none"}},
	{`Item(roles, 1)`, []string{"Admin"}},
	{`Item(roles, 9)`, nil},
	{`Join(", ", title, roles, nickName)`, []string{"Engineer, Admin, User, Admin"}},
	{`Left("John Doe", 3)`, []string{"Joh"}},
	{`Left("John", 0)`, nil},
	{`Left("John", -1)`, []string{"John"}},
	{`Left(nickName, 3)`, nil},
	{`Mid("abcdef", 2, 3)`, []string{"bcd"}},
	{`Mid("abcdef", 5, 9)`, []string{"ef"}},
	{`NormalizeDiacritics("Zoë")`, []string{"Zoe"}},
	{`NormalizeDiacritics("äǟā̈å̄ ÇC̄ ďḏ ḗẹ̄ Ğ İı łḹ ņ ȭȱ øœ̄æǣ ř ß ȘŞ ț ṻṳ̄ Ȳ ẕ")`, []string{"aaaa CC dd ee G Ii ll n oo oeoeaeae r ss SS t uu Y z"}},
	{`NormalizeDiacritics("ŵ đ Ж")`, []string{"ŵ đ Ж"}}, // not in its table
	{`Not("True")`, []string{"False"}},
	{`Not("anything")`, []string{"True"}},
	{`Now()`, []string{"6/1/2026 8:00:00 AM"}},
	{`NumFromDate(Join("", FormatDateTime("2020-12-31-08:00", nil, "yyyy-MM-ddzzz", "yyyy-MM-dd"), " 23:59:59-08:00"))`, []string{"132539615990000000"}},
	{`NumFromDate(nickName)`, nil},
	{`PCase("PABLO GONSALVES (SECOND)")`, []string{"Pablo Gonsalves (Second)"}},
	{`PCase("PINTO-DE'SILVA", " '-")`, []string{"Pinto-De'Silva"}},
	{`PCase("PINTO-DE'SILVA")`, []string{"Pinto-De'silva"}},
	{`PCase(Join(" ", "GREGORY", "JAMES"))`, []string{"Gregory James"}},
	{`Redact("x")`, []string{"x"}},
	{`RemoveDuplicates(roles)`, []string{"Admin", "User"}},
	{`Replace("john_doe72", nil, "[a-zA-Z_]*", nil, "", nil, nil)`, []string{"72"}},
	{`Replace("a.b.c", ".", nil, nil, "-", nil, nil)`, []string{"a-b-c"}},
	{`Replace("John", "{name}", nil, nil, nil, nil, "Mr {name}")`, []string{"Mr John"}},
	{`Replace("Muster, Erika", nil, "^(?<last>\\w+), (?<first>\\w+)$", nil, "${first} ${last}", nil, nil)`, []string{"Erika Muster"}},
	{`Replace("+1 (800) 555", nil, "\\((?<areacode>\\d+)\\)", "areacode", "900", nil, nil)`, []string{"+1 (900) 555"}},
	{`Replace("jdoe@old.com", nil, "@(?<domain>.+)$", "domain", nil, "new.com", nil)`, []string{"jdoe@new.com"}},
	{`Replace(nickName, nil, "(?<x>.)", "x", nil, "y", nil)`, nil},
	{`Replace("price 9", nil, "(?<=price )\\d", nil, "x", nil, nil)`, []string{"price x"}}, // what only .NET's language has
	{`SelectUniqueValue("John.Smith@contoso.com", "J.Smith@contoso.com")`, []string{"John.Smith@contoso.com", "J.Smith@contoso.com"}},
	{`SingleAppRoleAssignment(roles)`, []string{"Admin"}},
	{`Split("PermissionSetOne, PermissionSetTwo", ",")`, []string{"PermissionSetOne", "PermissionSetTwo"}},
	{`StripSpaces(" a b ")`, []string{"ab"}},
	{`Switch("QLD", "Australia/Sydney", "NSW", "Australia/Sydney", "QLD", "Australia/Brisbane")`, []string{"Australia/Brisbane"}},
	{`Switch("qld", "Australia/Sydney", "QLD", "Australia/Brisbane")`, []string{"Australia/Sydney"}},
	{`ToLower("ÄİB")`, []string{"äİb"}},
	{`ToLower("ISTANBUL", "tr-TR")`, []string{"ıstanbul"}},
	{`ToUpper("istanbul ß", "tr-TR")`, []string{"İSTANBUL ß"}},
	{`ToUpper("ıß")`, []string{"ıß"}},
	{`Word("a,b;c", 2, ",;")`, []string{"b"}},
	{`Word("a", 2, " ")`, nil},
}

func TestEntra_examples(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, c := range entraExamples {
		for _, f := range regexp.MustCompile(`[A-Z]\w*\(`).FindAllString(c.text, -1) {
			tried[strings.TrimSuffix(f, "(")] = true
		}
		s, err := ruled(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		v := s.Target.View(person("title", "Engineer", "roles", []string{"Admin", "User", "Admin"}), time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC))
		got, err := v.Eval(s.Target.Rules[0])
		v.Close()
		if diff := cmp.Diff(c.want, got.All()); err != nil || diff != "" {
			t.Errorf("%s: %v, (-want +got)\n%s", c.text, err, diff)
		}
	}
	for _, f := range mapping.Functions() {
		if unicode.IsUpper(rune(f[0])) && !tried[f] && f != "Guid" && f != "RandomString" {
			t.Errorf("no example of %s", f)
		}
	}
}

// What Entra's functions cannot read is said, with the place in the document.
func TestEntra_refusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`CDate("soon")`: `"soon" is no date`,
		`FormatDateTime("2020-13-01", nil, "yyyy-MM-dd", "yyyy")`:       `"2020-13-01" does not have the form "yyyy-MM-dd"`,
		`FormatDateTime("2020-12-01", "Loosely", "yyyy-MM-dd", "yyyy")`: `"Loosely" is none of .NET's styles`,
		`DateAdd("q", 1, "2020-01-01")`:                                 `"q" is no interval`,
		`CStr(DateDiff("d", nickName, "2020-01-01"))`:                   `one is missing`,
		`CStr(CBool("perhaps"))`:                                        `"perhaps" is neither true nor false nor a number`,
		`Left("abc", "two")`:                                            `"two" is not a whole number`,
		`Switch("a", "b", "c")`:                                         `pairs of key and value`,
		`Replace("a", nil, "(", nil, "", nil, nil)`:                     `is no regular expression`,
		`Replace("a", nil, "a", "g", "", nil, nil)`:                     `has no group "g"`,
		`CStr(InStr("a", "b", 1, "loosely"))`:                           `vbTextCompare or vbBinaryCompare`,
		`Replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", nil, "^(a+)+$", nil, "", nil, nil)`: `match timeout`,
	} {
		s, err := ruled(text)
		if err != nil {
			t.Error(err)
			continue
		}
		v := s.Target.View(person(), time.Now())
		_, err = v.Eval(s.Target.Rules[0])
		v.Close()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line 14") {
			t.Errorf("%s: %v; want %s, with its line", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`Guid()`:                             "x would get another value each time",
		`lower(RandomString(8, 1, 1, 1, 1))`: "x would get another value each time",
		`lower(SelectUniqueValue("a", "b"))`: "SelectUniqueValue must be the whole expression",
		`Append(Redact("a"), "b")`:           "Redact must be the whole expression",
		`ToLowr("x")`:                        "did you mean ToLower",
	} {
		if _, err := ruled(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}

// IgnoreFlowIfNullOrEmpty leaves an attribute alone that would be cleared.
func TestEntra_ignoreFlow(t *testing.T) {
	t.Parallel()
	for text, known := range map[string]bool{`title`: true, `IgnoreFlowIfNullOrEmpty(title)`: false, `IgnoreFlowIfNullOrEmpty(ToLower(title))`: false, `ToLower(title)`: true} {
		s, err := ruled(text)
		if err != nil {
			t.Fatal(err)
		}
		v := s.Target.View(person("title", nil), time.Now())
		got, err := v.Eval(s.Target.Rules[0])
		v.Close()
		if err != nil || !got.Empty() || got.Known != known {
			t.Errorf("%s: %+v, %v; want nothing, known %t", text, got, err, known)
		}
	}
}

// SelectUniqueValue gives its candidates and no numbered ones.
func TestEntra_selectUniqueValue(t *testing.T) {
	t.Parallel()
	s, err := ruled(`SelectUniqueValue("jdoe", "johnd")`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name := range s.Target.Rules[0].Sequence([]string{"jdoe", "johnd"}) {
		got = append(got, name)
	}
	if diff := cmp.Diff([]string{"jdoe", "johnd"}, got); diff != "" || s.Target.Rules[0].Gave("johnd2", got) || !s.Target.Rules[0].Gave("johnd", got) {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A redacted value is written, and not shown.
func TestEntra_redact(t *testing.T) {
	t.Parallel()
	s, err := ruled(`Redact(title)`)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Target.Rules[0]
	v := s.Target.View(person("title", "Secret Agent"), time.Now())
	defer v.Close()
	got, err := v.Eval(r)
	if err != nil || got.First() != "Secret Agent" {
		t.Errorf("%+v, %v", got, err)
	}
	shown := append(r.Shown(got.All()), v.Inputs(r)[0].Value)
	if diff := cmp.Diff([]string{mapping.Redacted, mapping.Redacted}, shown); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Random texts have what was asked for, and each is another.
func TestEntra_random(t *testing.T) {
	t.Parallel()
	text := `{value: 'RandomString(10, 2, 2, 2, 1, "?,")', apply: create}`
	s, err := mapping.Parse("x.yaml", []byte("system: x\nsite: hq\nconnector: fake\ntarget: {class: user, name: displayName, attributes: {x: "+text+", y: {value: Guid(), apply: create}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	v := s.Target.View(person(), time.Now())
	defer v.Close()
	seen := map[string]bool{}
	for range 200 {
		got, err := v.Eval(s.Target.Rules[0])
		if err != nil {
			t.Fatal(err)
		}
		value := got.First()
		count := func(of string) int {
			return len(strings.Map(func(r rune) rune {
				if strings.ContainsRune(of, r) {
					return r
				}
				return -1
			}, value))
		}
		if len(value) != 10 || count("0123456789") < 2 || count("ABCDEFGHIJKLMNOPQRSTUVWXYZ") < 2 || count("abcdefghijklmnopqrstuvwxyz") < 1 ||
			count("~!@#$%^&*_-+=`|\\(){}[]:;\"'<>./") < 2 || count("?,") > 0 || seen[value] {
			t.Fatalf("%q", value)
		}
		seen[value] = true
	}
	if got, err := v.Eval(s.Target.Rules[1]); err != nil || !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(got.First()) {
		t.Errorf("%+v, %v", got, err)
	}
}
