package mapping_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// expressions and what they give; the facts of Microsoft Entra's reference that
// people move from are marked with E.
var expressions = []struct{ text, want string }{
	{`lower("ÄB")`, "äb"},
	{`toUpper("äb")`, "ÄB"},
	{`trim("  a b ")`, "a b"},
	{`stripSpaces(" a b ")`, "ab"}, // E
	{`titleCase("anna-maria o'neil VAN dyk")`, "Anna-Maria O'Neil Van Dyk"},
	{`pCase("anna-maria lee", " ")`, "Anna-maria Lee"}, // E: with separators only those
	{`left("Zoë", 2)`, "Zo"},
	{`left("abc", 0)`, ""},     // E
	{`left("abc", -1)`, "abc"}, // E
	{`left("", 3)`, ""},
	{`right("Zoë", 1)`, "ë"},
	{`mid("abcdef", 2, 3)`, "bcd"}, // E: from 1
	{`mid("abcdef", 5, 9)`, "ef"},  // E: clipped
	{`substring("abc", 9, 1)`, ""},
	{`initial("  Éva")`, "É"},
	{`digits("+49 (30) 1-2")`, "493012"},
	{`replace("a.b.c", ".", "-")`, "a-b-c"},
	{`replaceRegex("Muster, Erika", "^(\\w+), (\\w+)$", "$2 $1")`, "Erika Muster"},
	{`text(matchesRegex("E17", "^E[0-9]+$"))`, "true"},
	{`word("a,b;c", 2, ",;")`, "b"}, // E
	{`word("a b", 3)`, ""},
	{`join(";", split("a,b,,c", ","))`, "a;b;c"},
	{`join(" ", "Erika", "", "Muster")`, "Erika Muster"},
	{`join(",", distinct(list("b", "a", "b", "")))`, "b,a"},
	{`item(list("a", "b"), 1)`, "a"}, // E: from 1
	{`text(len("Zoë")) + text(len(list("a")))`, "31"},
	{`coalesce("", "b", "c")`, "b"},
	{`default("", "")`, ""},
	{`iif("a" == "b", "x", "y")`, "y"},
	{`switch("b", "other", "a", "1", "b", "2")`, "2"},
	{`switch("B", "other", "b", "2")`, "other"}, // E: case-sensitive
	{`switch("", "other", "", "none")`, "none"}, // E: key "" catches empty
	{`lookup("offices", " BERLIN ")`, "DE-BER"},
	{`lookup("offices", "Rome", "?")`, "?"},
	{`text(boolean("Yes"))`, "true"},
	{`try(text(integer("many")), "none")`, "none"},
	{`try(text(integer("17")), "none")`, "17"},
	{`text(try(integer("x"), 3) + 1)`, "4"},
	{`try(text(date(try(text(integer("x")), "soon"))), "never")`, "never"}, // one within another
	{`try(displayName, "x") + try(text(reached(date("2026-05-01"))), "")`, "true"},
	{`hash("abc")`, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{`hash("abc", "MD5")`, "900150983cd24fb0d6963f7d28e17f72"},
	{`hash("")`, ""},
	{`transliterate("Müller", "de") + transliterate("Jørgen Åse", "da")`, "MuellerJoergen Aase"},
	{`text(regexMatch("E17", "^E"))`, "true"},
	{`text(inTimeZone(date("2026-07-01"), "Australia/Melbourne", "17:00"))`, "2026-07-01T07:00:00Z"}, // of the day that Berlin's clocks show
	{`text(inTimeZone(date("2026-01-31T09:30"), "America/New_York"))`, "2026-01-31T14:30:00Z"},
	{`text(inTimeZone(date("2026-07-01"), ""))`, "2026-06-30T22:00:00Z"}, // no zone is known of the worker
	{`text(inTimeZone(date(""), "nowhere"))`, ""},
	{`text(within("CN=A\\, B,ou=Sales, OU=Staff,DC=x", "OU=Staff,DC=X"))`, "true"},
	{`text(within("OU=Staff,DC=x", "OU=Staff,DC=x") && !within("OU=Staff2,DC=x", "OU=Staff,DC=x") && !within("", "DC=x") && !within("DC=x", ""))`, "true"},
	{`text(inGroup("Staff"))`, "false"}, // nobody has said in which
	{`Trim(" a ") + text(Length("abcd")) + Right("xy", 1) + text(RegexMatch("a", "b")) + Lookup("offices", "Berlin")`, "a4yfalseDE-BER"},
	{`text(integer("-17"))`, "-17"},
	{`text(isPresent("") || isPresent(startDate))`, "false"},
	{`ascii("äàâãåáąăā")`, "aaaaaaaaa"},            // E
	{`ascii("æøœ̄ß łľ ıİ ö")`, "aeoeoess ll iI o"}, // E: ö is o
	{`normalizeDiacritics("Wiśniewska-Đặng Þór")`, "Wisniewska-Dang THor"},
	{`ascii("Jürgen Groß", "de")`, "Juergen Gross"},
	{`ascii("Åse Sørby", "nb")`, "Aase Soerby"},
	{`ascii("李 Ολγα x")`, "  x"},
	{`sam("a/b\\c[d]e:f;g|h=i,j+k*l?m<n>o\"p@q r")`, "abcdefghijklmnopqr"}, // E
	{`sam("Maximiliane.Abcdef..ghij")`, "Maximiliane.Abcdef"},              // E: 20, no dot at the end
	{`local("..Zoë  O'Brien, Jr. ")`, "ZoeOBrienJr"},
	{`dn(" #O'Brien, Jr. (Zoë) *+\"<>;\\= ")`, `\ #O'Brien\, Jr. (Zoë) *\+\"\<\>\;\\\=\ `},
	{`dn("#1")`, `\#1`},
	{`text(date("2026-02-01"))`, "2026-01-31T23:00:00Z"},
	{`text(dateEnd("2026-02-01"))`, "2026-02-01T23:00:00Z"},
	{`text(dateEnd("2026-10-24"))`, "2026-10-24T22:00:00Z"},
	{`text(dateEnd("2026-10-25"))`, "2026-10-25T23:00:00Z"}, // a day of 25 hours
	{`text(dateEnd("2026-02-01T17:00:00+10:00"))`, "2026-02-01T07:00:00Z"},
	{`text(date("2021-06-30+08:00"))`, "2021-06-29T16:00:00Z"}, // E: CDate
	{`text(date("31.1.2026", "2.1.2006", "Australia/Melbourne"))`, "2026-01-30T13:00:00Z"},
	{`text(date("31.01.2026 17:00", "02.01.2006 15:04"))`, "2026-01-31T16:00:00Z"},
	{`text(date(""))`, ""},
	{`formatDate(date("2026-02-01"), "02.01.2006")`, "01.02.2026"},
	{`formatDate(date("2026-02-01"), "2006-01-02 15:04", "UTC")`, "2026-01-31 23:00"},
	{`text(dateAdd(date("2026-01-31"), "-7d"))`, "2026-01-23T23:00:00Z"},
	{`text(dateAdd(date("2026-03-29"), "1d"))`, "2026-03-29T22:00:00Z"}, // a day of 23 hours
	{`text(dateAdd(date("2026-01-31"), "1y2mo1w36h"))`, "2027-04-08T10:00:00Z"},
	{`text(daysBetween(date("2026-01-01"), date("2026-02-01")))`, "31"},
	{`fileTime(date("2026-01-01T00:00:00Z"))`, "134116992000000000"},
	{`text(fromFileTime("134116992000000000"))`, "2026-01-01T00:00:00Z"},
	{`accountExpires(date(""))`, "9223372036854775807"},
	{`text(now())`, "2026-06-01T08:00:00Z"},
	{`text(reached(date("2026-06-01")))`, "true"},
	{`join(",", filter(list("a1", "b1"), # startsWith "a"))`, "a1"},
	{`let x = "a"; x + x`, "aa"},
	{`join(",", map(list("a", "b"), upper(#)))`, "A,B"},
}

// ruled gives a target with the expression as the rule of one attribute.
func ruled(text string) (*mapping.System, error) {
	return mapping.Parse("x.yaml", []byte(fmt.Sprintf(`
system: x
site: hq
connector: fake
time_zone: Europe/Berlin
default_domain: contoso.com
tables: {offices: {Berlin: DE-BER}}
extension: {badge: integer}
target:
  class: user
  name: displayName
  attributes:
    x: |
      %s
`, text)))
}

func person(pairs ...any) directory.Person {
	p := directory.Person{Key: "k", HasSource: true}
	for i := 0; i < len(pairs); i += 2 {
		p.Attributes.Set(pairs[i].(string), pairs[i+1])
	}
	return p
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, c := range expressions {
		s, err := ruled(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		v := s.Target.View(person(), time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC))
		got, err := v.Eval(s.Target.Rules[0])
		v.Close()
		if err != nil || got.First() != c.want {
			t.Errorf("%s = %q, %v; want %q", c.text, got.First(), err, c.want)
		}
		for _, f := range mapping.Functions() {
			if strings.Contains(c.text, f+"(") {
				used[f] = true
			}
		}
	}
	untried := map[string]bool{"all": true, "any": true, "none": true, "one": true, "count": true, "find": true, "first": true, "last": true, "string": true,
		"toLower": true, "removeDuplicates": true, "numFromDate": true, "length": true, "values": true, "firstUnique": true,
		"unique": true}
	for _, f := range mapping.Functions() {
		if !used[f] && !untried[f] && unicode.IsLower(rune(f[0])) { // Entra's have their own test
			t.Errorf("no test of the function %s", f)
		}
	}
}

func TestExpressions_fail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`text(date("tomorrow"))`:              `"tomorrow" cannot be read`,
		`text(date("1.2.26", "2006-01-02"))`:  `"1.2.26" does not have the form "2006-01-02"`,
		`text(date("x", "Europe/Bonn"))`:      `no time zone is called "Europe/Bonn"`,
		`text(boolean("perhaps"))`:            `"perhaps" is neither true nor false`,
		`text(dateAdd(now(), "7 days"))`:      `no unit of time`,
		`replaceRegex("a", "(", "")`:          `missing closing )`,
		`switch("a", "b", "c")`:               `pairs of key and value`,
		`ascii("ä", "xx")`:                    `no way of language "xx"`,
		`hash("a", "rot13")`:                  `no way "rot13"`,
		`text(inTimeZone(now(), "Moon/Sea"))`: `no time zone is called "Moon/Sea"`,
		`text(inTimeZone(now(), "", "5pm"))`:  `"5pm" is no time of the day`,
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
}

// An expression that depends on the time tells when to ask again.
func TestView_next(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		`reached(dateAdd(startDate, "-5d")) ? "soon" : ""`: start.AddDate(0, 0, -5),
		`formatDate(now(), "2006")`:                        time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC),
	} {
		s, err := ruled(strings.ReplaceAll(text, "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		v := s.Target.View(person("startDate", start), time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC))
		if _, err := v.Eval(s.Target.Rules[0]); err != nil {
			t.Fatal(err)
		}
		if next := v.Next(); len(next) != 1 || !next[0].Equal(want) {
			t.Errorf("%s: next %v, want %v", text, next, want)
		}
		v.Close()
	}
}

func TestSource_person(t *testing.T) {
	t.Parallel()
	hr := document(t, "hr.yaml")
	object := func(pairs ...string) []byte {
		o := &connectorv1.Object{Class: "row", Id: "1"}
		for i := 0; i < len(pairs); i += 2 {
			a := &connectorv1.Attribute{Name: pairs[i]}
			if pairs[i+1] != "" {
				a.Values = []string{pairs[i+1]}
			}
			o.Attributes = append(o.Attributes, a)
		}
		b, err := proto.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r, err := hr.Source.Read(object("EMPLOYEE_ID", " E1 ", "title", "", "department", "Sales", "status", "t", "hire_date", "2026-02-01", "term_date", "2026-03-31", "email_alias", "a@x,b@x"))
	const want = `{"active":false,"department":"Sales","emailAliases":["a@x","b@x"],"employeeNumber":" E1 ","endDate":"2026-03-31T22:00:00Z","startDate":"2026-01-31T23:00:00Z","title":null}`
	if got := string(r.Attributes.AppendJSON(nil)); err != nil || r.Key != "E1" || got != want {
		t.Errorf("Read = %q, %v\n got %s\nwant %s", r.Key, err, got, want)
	}
	reasons, err := hr.Source.Explain(object("employee_id", "E1", "hire_date", "2026-02-01"))
	if err != nil || len(reasons) < 2 || reasons[len(reasons)-1].Attribute != "startDate" || reasons[len(reasons)-1].From[0] != (mapping.Input{Name: "hire_date", Value: "2026-02-01"}) {
		t.Errorf("Explain = %+v, %v", reasons, err)
	}
	for want, message := range map[string][]byte{
		"the record has no key":              object("employee_id", "", "title", "x"),
		`startDate: "soon" cannot be read`:   object("employee_id", "E1", "hire_date", "soon"),
		"the stored object is not a message": {0x22, 0xff},
		"(line 30: date(hire_date))":         object("employee_id", "E1", "hire_date", "soon"),
	} {
		if r, err := hr.Source.Read(message); err == nil || !strings.Contains(err.Error(), want) || r.Attributes.Len() != 0 {
			t.Errorf("Read: %d attributes, %v; want %s", r.Attributes.Len(), err, want)
		}
	}
}

// What came of one record stays when the next is evaluated in the same room.
func TestSource_allValuesOfAColumn(t *testing.T) {
	t.Parallel()
	s, err := mapping.Parse("x.yaml", []byte("system: x\nsite: hq\nconnector: fake\nsource:\n  class: user\n  key: id\n  attributes:\n    roles: values(role)\n    emailAliases: role\n"))
	if err != nil {
		t.Fatal(err)
	}
	var all []directory.Attributes
	for _, values := range [][]string{{"a", "b"}, {"c"}, {"d"}} {
		b, err := proto.Marshal(&connectorv1.Object{Attributes: []*connectorv1.Attribute{{Name: "id", Values: []string{"1"}}, {Name: "role", Values: values}}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Source.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Attributes)
	}
	for i, want := range []string{`{"emailAliases":["a"],"roles":["a","b"]}`, `{"emailAliases":["c"],"roles":["c"]}`, `{"emailAliases":["d"],"roles":["d"]}`} {
		if got := string(all[i].AppendJSON(nil)); got != want {
			t.Errorf("record %d: %s, want %s", i, got, want)
		}
	}
}

func TestASCII_isASCII(t *testing.T) {
	t.Parallel()
	s, err := ruled(`ascii(title) + sam(title) + local(title)`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := s.Target.View(person("title", rapid.String().Draw(t, "title")), time.Time{})
		defer v.Close()
		got, err := v.Eval(s.Target.Rules[0])
		if i := strings.IndexFunc(got.First(), func(r rune) bool { return r > 0x7f }); err != nil || i >= 0 {
			t.Fatalf("%q, %v", got.First(), err)
		}
	})
}

func TestEscapeDN_roundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name, container := rapid.String().Draw(t, "name"), "OU="+mapping.EscapeDN(rapid.String().Draw(t, "ou"))+",DC=x"
		attribute, back, in, ok := mapping.SplitDN("CN=" + mapping.EscapeDN(name) + "," + container)
		if !ok || attribute != "CN" || back != name || in != container {
			t.Fatalf("%q came back as %q in %q, not %q", name, back, in, container)
		}
	})
}

// A function in another case than its own is taken for what it can only be, and
// that is noted with its place; one that could be two is not guessed.
func TestExpressions_spelling(t *testing.T) {
	t.Parallel()
	s, err := ruled(`TRIM(displayName)`)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Notes; len(n) != 1 || n[0].Line != 14 || !strings.Contains(n[0].Error(), "TRIM is taken for trim; write trim") {
		t.Errorf("notes = %v", n)
	}
	if s, err := ruled(`Left(displayName, 1)`); err != nil || len(s.Notes) != 0 {
		t.Errorf("Left: %v, %v; want Entra's own, without a note", err, s.Notes)
	}
	if _, err := ruled(`LEFT(displayName, 1)`); err == nil || !strings.Contains(err.Error(), "there is no function LEFT") {
		t.Errorf("LEFT: %v; want a refusal: left and Left are two", err)
	}
	if _, err := ruled(`let x = title; try(x, "")`); err == nil || !strings.Contains(err.Error(), "names of no let") {
		t.Errorf("try with a name from around it: %v", err)
	}
}

// Where the account is and which groups it is in are asked of the account.
func TestView_ofAccount(t *testing.T) {
	t.Parallel()
	s, err := ruled(`inGroup("VPN users") && within(account.container, "OU=Staff,DC=x") ? "in" : "out"`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Target.MemberOf == "" {
		t.Error("memberships are asked of, and not read")
	}
	v := s.Target.View(person(), time.Now())
	defer v.Close()
	want := func(want string) {
		t.Helper()
		if got, err := v.Eval(s.Target.Rules[0]); err != nil || got.First() != want {
			t.Errorf("%q, %v; want %s", got.First(), err, want)
		}
	}
	want("out")
	v.SetGroups(func(name string) bool { return name == "VPN users" })
	v.SetAccount(mapping.Container, "OU=Berlin,OU=Staff,DC=x")
	want("in")
	v.SetGroups(nil)
	want("out")
}

// unique says where the number goes; what it yields is recognised again.
func TestUnique(t *testing.T) {
	t.Parallel()
	s, err := ruled(`unique("x")`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		patterns []string
		limit    int
		want     string
	}{
		{[]string{"jdoe{}@x.de"}, 0, "jdoe@x.de jdoe2@x.de jdoe3@x.de jdoe4@x.de"},
		{[]string{"x{1}"}, 0, "x1 x2 x3 x4"},
		{[]string{"adm-{008}-de"}, 0, "adm-008-de adm-009-de adm-010-de adm-011-de"},
		{[]string{"jane.doe", "j.doe@x"}, 0, "jane.doe j.doe@x j.doe2@x j.doe3@x"},
		{[]string{"maximilian{01}"}, 7, "maxim01 maxim02 maxim03 maxim04"},
		{[]string{"{1}"}, 0, "1 2 3 4"},
	} {
		r := *s.Target.Rules[0]
		r.MaxLength = c.limit
		var got []string
		for name := range r.Sequence(c.patterns) {
			if !r.Gave(name, c.patterns) {
				t.Errorf("%s of %v is not recognised", name, c.patterns)
			}
			if got = append(got, name); len(got) == 4 {
				break
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v = %v; want %s", c.patterns, got, c.want)
		}
	}
	for _, value := range []string{"jdoe1@x.de", "jdoe02@x.de", "jdoex@x.de", "jdoe2@y.de", "@x.de"} {
		if s.Target.Rules[0].Gave(value, []string{"jdoe{}@x.de"}) {
			t.Errorf("%s passes for a numbered jdoe", value)
		}
	}
}

// What Sequence yields is recognised again, fits, and is never the same twice.
func TestSequence(t *testing.T) {
	t.Parallel()
	s, err := ruled(`firstUnique("x")`)
	if err != nil {
		t.Fatal(err)
	}
	rule := s.Target.Rules[0]
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]string{"jdoe", "jdoe9", "jane doe", "jane.doe@example.com", "a.", "x1@y", "maximiliane.abcdefgh"}).Draw(t, "base")
		limit := rapid.SampledFrom([]int{0, 20, 21}).Draw(t, "limit")
		seen, n := map[string]bool{}, 0
		r := *rule
		r.MaxLength = limit
		for c := range r.Sequence([]string{"other", base}) {
			if seen[c] || limit > 0 && len(c) > limit || !r.Gave(c, []string{"other", base}) {
				t.Fatalf("%q after %d", c, n)
			}
			seen[c] = true
			if n++; n > 1200 {
				break
			}
		}
	})
	for _, value := range []string{"jdoe0", "jdoe1", "jdoe02", "jdoex", "jdo2", "jdoe12345"} {
		if rule.Gave(value, []string{"jdoe"}) {
			t.Errorf("%s passes for a numbered jdoe", value)
		}
	}
}
