package path_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"userName":                                "userName",
		"name.givenName":                          "name.givenName",
		`emails[type eq "work"].value`:            "",
		`emails[ type  EQ  "work" ].value`:        `emails[type eq "work"].value`,
		`members[value eq "2819c223"]`:            "",
		enterprise + ":department":                "",
		enterprise + ":manager.value":             "",
		"$ref":                                    "",
		`a[(b eq 1 or c pr) and not (d eq true)]`: "",
		`x[y eq "\"\\ü]"].z`:                      "",
	} {
		p, err := path.Parse(text)
		if want == "" {
			want = text
		}
		if err != nil || p.String() != want {
			t.Errorf("Parse(%s) = %s, %v; want %s", text, p, err, want)
		}
	}
}

func TestParse_refuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "character 1",
		"a.b.c":                        "name",
		"a.":                           "name",
		"9a":                           "name",
		"a[b eq 1":                     "] is expected",
		"a[b eq ].c":                   "a value is expected",
		`a[b eq "x].c`:                 "no end",
		"a[b is 1]":                    `"is" is no operator`,
		"a.b[c eq 1]":                  "part",
		"http://x:y":                   "URN",
		"a b":                          "nothing more",
		strings.Repeat("a[", 200):      "",
		"a[" + strings.Repeat("(", 99): "too deep",
	} {
		if p, err := path.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%s) = %v, %v; want an error with %q", text, p, err, want)
		}
	}
}

func TestFilter_Match(t *testing.T) {
	t.Parallel()
	var user map[string]any
	d := json.NewDecoder(strings.NewReader(`{"userName":"Ada","active":"True","n":12,"Title":"","name":{"givenName":"Ada"},
		"emails":[{"type":"work","value":"a@x.example"},{"type":"home","value":"b@y.example"}],"tags":["red","blue"],
		"meta":{"lastModified":"2026-01-02T03:04:05.5Z"},"` + enterprise + `":{"department":"R&D"}}`))
	d.UseNumber()
	if err := d.Decode(&user); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`userName eq "ada"`:                   true,
		`USERNAME sw "AD" and active eq true`: true,
		`userName ne "ada"`:                   false,
		`name.givenName co "d"`:               true,
		`title pr`:                            false,
		`nickName eq null`:                    true,
		`n gt 9`:                              true,
		`tags eq "blue"`:                      true,
		`emails eq "b@y.example"`:             true,
		`emails.value eq "b@y.example"`:       true,
		`emails[type eq "work" and value ew "x.example"]`:           true,
		`emails[type eq "work" and value ew "y.example"]`:           false,
		`meta.lastModified gt "2026-01-02T03:04:05Z"`:               true,
		`meta.lastModified ge "2026-01-02T04:04:05.5+01:00"`:        true,
		`userName eq "x" or not (tags eq "green")`:                  true,
		enterprise + `:department eq "r&d"`:                         true,
		`urn:ietf:params:scim:schemas:core:2.0:User:active eq true`: true,
		`urn:other:department eq "r&d"`:                             false,
	} {
		f, err := path.ParseFilter(text)
		if err != nil {
			t.Errorf("ParseFilter(%s): %v", text, err)
		} else if got := f.Match(user, nil); got != want {
			t.Errorf("Match(%s) = %v; want %v", text, got, want)
		}
	}
	exact := func(path.Path) bool { return true }
	if f, err := path.ParseFilter(`userName eq "ada"`); err != nil || f.Match(user, exact) {
		t.Errorf("an exact comparison of Ada with ada holds, %v", err)
	}
}

// What is written is read as the same, whatever was read.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"a", `emails[type eq "work"].value`, enterprise + ":manager.value", `a eq "x" and (b pr or not (c gt 1.5e3))`, `not[a eq 1].b`, "not pr"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := path.Parse(text); err == nil {
			if again, err := path.Parse(p.String()); err != nil || again.String() != p.String() {
				t.Errorf("Parse(%q) = %s, which is read as %s, %v", text, p, again, err)
			}
		}
		if p, err := path.ParseFilter(text); err == nil {
			again, err := path.ParseFilter(p.String())
			if err != nil || again.String() != p.String() {
				t.Errorf("ParseFilter(%q) = %s, which is read as %v, %v", text, p, again, err)
			}
			p.Match(map[string]any{"a": "x"}, nil)
		}
	})
}
