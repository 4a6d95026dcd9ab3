package directory_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

func attributes(m map[string]any) directory.Attributes {
	var a directory.Attributes
	for path, v := range m {
		a.Set(path, v)
	}
	return a
}

// What is stored comes back with its types and its three states.
func TestAttributes_storedForm(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	a := attributes(map[string]any{
		"title": "", "name.givenName": "Zoë \"Z\"\n\x01\\", "active": false, "startDate": start,
		"badge": 17, "emailAliases": []string{"a", "b,\"c"}, "probation": start, "roles": []string{},
	})
	const want = `{"active":false,"badge":17,"emailAliases":["a","b,\"c"],"name.givenName":"Zoë \"Z\"\n\u0001\\",` +
		`"probation":{"instant":"2026-02-28T23:00:00Z"},"roles":null,"startDate":"2026-02-28T23:00:00Z","title":null}`
	if got := string(a.AppendJSON(nil)); got != want {
		t.Errorf("AppendJSON\n got %s\nwant %s", got, want)
	}
	back, err := directory.ParseAttributes(want)
	if err != nil || !back.Equal(a) {
		t.Errorf("ParseAttributes = %v, %v; want what was stored", maps.Collect(back.All()), err)
	}
	if v, known := back.Get("title"); v != nil || !known {
		t.Errorf("an empty attribute came back as %v, known %v", v, known)
	}
	if v, known := back.Get("department"); v != nil || known {
		t.Errorf("an absent attribute came back as %v, known %v", v, known)
	}
}

func TestAttributes_anyValueSurvives(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.SliceOf(rapid.String()).AsAny(),
		rapid.Custom(func(t *rapid.T) time.Time { return time.Unix(rapid.Int64Range(-6e10, 2e11).Draw(t, "s"), 5).UTC() }).AsAny())
	rapid.Check(t, func(t *rapid.T) {
		a := attributes(rapid.MapOf(rapid.String(), value).Draw(t, "attributes"))
		text := a.AppendJSON(nil)
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		b, err := directory.ParseAttributes(string(text))
		if err != nil || !b.Equal(a) || len(a.Changes(b)) != 0 {
			t.Fatalf("%s came back as %s, %v", text, b.AppendJSON(nil), err)
		}
	})
}

// Foreign text is an error, never a panic, and never half a person.
func FuzzParseAttributes(f *testing.F) {
	for _, s := range []string{``, `{`, `{}`, `{"a":`, `{"a":"b\`, `{"a":"\u12"}`, `{"a":[}`, `{"a":1}x`, `{"startDate":"soon"}`, `{"a":{"b":1}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := directory.ParseAttributes(s)
		if err != nil && a.Len() != 0 {
			t.Errorf("ParseAttributes(%q) = %d attributes and %v", s, a.Len(), err)
		}
	})
}

func TestAttributes_changes(t *testing.T) {
	t.Parallel()
	a := attributes(map[string]any{"title": "Clerk", "department": "Sales", "roles": []string{"x"}, "active": true})
	b := attributes(map[string]any{"title": "", "department": "Sales", "roles": []string{"x", "y"}, "location": "Bonn", "active": true})
	if diff := cmp.Diff([]string{"location", "roles", "title"}, a.Changes(b)); diff != "" {
		t.Error(diff)
	}
}

func TestPerson_lifeAt(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }
	now := day(15)
	for _, c := range []struct {
		name       string
		attributes map[string]any
		lost       bool
		want       directory.Life
	}{
		{"no dates", nil, false, directory.Active},
		{"starts tomorrow", map[string]any{"startDate": day(16)}, false, directory.Future},
		{"starts now", map[string]any{"startDate": now}, false, directory.Active},
		{"ends tomorrow", map[string]any{"startDate": day(1), "endDate": day(16)}, false, directory.Active},
		{"ends now", map[string]any{"startDate": day(1), "endDate": now}, false, directory.Left},
		{"inactive", map[string]any{"active": false}, false, directory.Left},
		{"inactive before the start", map[string]any{"active": false, "startDate": day(16)}, false, directory.Future},
		{"lost the HR record", map[string]any{"startDate": day(16)}, true, directory.Left},
		{"comes back, end of the earlier employment still there", map[string]any{"startDate": day(10), "endDate": day(5)}, false, directory.Active},
		{"will come back", map[string]any{"startDate": day(20), "endDate": day(5)}, false, directory.Future},
	} {
		p := directory.Person{Attributes: attributes(c.attributes), HasSource: !c.lost}
		if got := p.LifeAt(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

var sample = attributes(map[string]any{
	"active": true, "addresses.work.locality": "Berlin", "addresses.work.country": "DE", "company": "Example", "costCenter": "1000",
	"department": "Sales", "displayName": "Erika Mustermann", "division": "North", "emails.work": "erika.mustermann@example.com",
	"employeeNumber": "E100017", "endDate": time.Time{}, "location": "Berlin", "manager": "E100010", "name.familyName": "Mustermann",
	"name.givenName": "Erika", "organization": "Example", "phoneNumbers.work": "+49 30 1000017", "startDate": time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC),
	"title": "Clerk Sales", "userName": "emustermann",
})

func BenchmarkAttributes_AppendJSON(b *testing.B) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = sample.AppendJSON(buf[:0])
	}
}

func BenchmarkParseAttributes(b *testing.B) {
	b.ReportAllocs()
	text := string(sample.AppendJSON(nil))
	for b.Loop() {
		if _, err := directory.ParseAttributes(text); err != nil {
			b.Fatal(err)
		}
	}
}
