package filter_test

import (
	"bytes"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
)

// A value is a value, whatever is in it: it comes back the same from the text,
// and go-ldap makes the same of it.
func TestEqual_anyValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.StringOf(rapid.SampledFrom([]rune(`*()\&|!=<>~`+"\x00é"))), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value")
		f := filter.And(filter.Equal("cn", value), filter.Not(filter.Or(filter.Equal("sn", "x"), filter.Present("title"))))
		back, err := filter.Parse(f.String())
		if err != nil || back.String() != f.String() {
			t.Fatalf("Parse(%q) = %q, %v", f, back, err)
		}
		theirs, err := ldap.CompileFilter("(cn=" + ldap.EscapeFilter(value) + ")")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := ldap.DecompileFilter(theirs); err != nil || text != filter.Equal("cn", value).String() {
			t.Fatalf("Equal(cn, %q) = %s; go-ldap writes %s, %v", value, filter.Equal("cn", value), text, err)
		}
	})
}

func TestJoin_leavesOutWhatIsNone(t *testing.T) {
	t.Parallel()
	one := filter.Equal("cn", "x")
	if got := filter.And(filter.Filter{}, one, filter.Or()); !bytes.Equal(got.Bytes(), one.Bytes()) {
		t.Errorf("And(none, %s, none) = %s; want %s", one, got, one)
	}
	if got := filter.And().String(); got != "" {
		t.Errorf("And() = %q; want none", got)
	}
}

func TestParse_faulty(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "(cn=x", "cn", "(&(cn=x)"} {
		if f, err := filter.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %s; want an error", text, f)
		}
	}
}
