package filter_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
)

// Whatever an admin writes, it is a filter that can be sent or it is refused.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"(objectClass=user)", "(&(a=b)(!(c=*))(|(d>=1)(e<=2)))", `(cn=\28\2a\29\5c\00)`, "(cn=a*b*c)", "(cn:dn:2.4.6.8.10:=x)", "(", "()", "(&)", "(a=b", "(00(00000000000000=0)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if parsed, err := filter.Parse(text); err == nil && parsed.String() == "" {
			t.Errorf("Parse(%q) takes what is nothing", text)
		}
	})
}

// A value means itself, whatever is in it.
func FuzzEqual(f *testing.F) {
	f.Add("cn", "a*)(uid=*")
	f.Add("objectGUID", "\x00\xff\\")
	f.Fuzz(func(t *testing.T, attribute, value string) {
		for _, c := range attribute {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return // names come from the schema
			}
		}
		if attribute == "" {
			return
		}
		want := filter.Equal(attribute, value)
		got, err := filter.Parse(want.String())
		if err != nil || got.String() != want.String() {
			t.Errorf("Equal(%q, %q) is written as %q, which is read as %q, %v", attribute, value, want, got, err)
		}
	})
}
