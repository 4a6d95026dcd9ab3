package dn_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
)

// name draws what people and HR systems come up with: signs of the grammar,
// spaces at the ends, any script.
func name() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.OneOf(rapid.SampledFrom([]rune(`,+"\<>;=# */()'`+"\n")), rapid.Rune()), 1, 20, -1)
}

// What is escaped is read back the same, by this package and by another.
func TestJoin_readBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value, unit := name().Draw(t, "value"), name().Draw(t, "unit")
		container := dn.Join("OU", unit, "DC=corp,DC=example")
		whole := dn.Join("CN", value, container)
		attribute, got, rest, ok := dn.Split(whole)
		if !ok || attribute != "CN" || got != value || rest != container {
			t.Fatalf("Split(%q) = %q, %q, %q, %v; want CN, %q, %q, true", whole, attribute, got, rest, ok, value, container)
		}
		if !dn.Valid(whole) || !dn.Under(whole, container) || dn.Container(whole) != container {
			t.Fatalf("%q is not valid below %q", whole, container)
		}
		parsed, err := ldap.ParseDN(whole)
		if err != nil || len(parsed.RDNs) != 4 {
			t.Fatalf("go-ldap reads %q as %v, %v; want 4 RDNs", whole, parsed, err)
		}
		if other := parsed.RDNs[0].Attributes[0].Value; utf8.ValidString(value) && other != value {
			t.Fatalf("go-ldap reads %q as %q; want %q", whole, other, value)
		}
	})
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"Ann": "Ann", "#1": `\#1`, "a#1": "a#1", " a ": `\ a\ `, "a, b": `a\, b`, "a=b;": `a\=b\;`, "Zoë": "Zoë", "a\nb": `a\0Ab`, `"\`: `\"\\`,
	} {
		if got := dn.Escape(value); got != want {
			t.Errorf("Escape(%q) = %q; want %q", value, got, want)
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"CN=Ann,DC=x", "cn=ANN, dc=X", true},
		{`CN=Ann\, B,DC=x`, `CN=Ann\2C B,DC=x`, true},
		{`CN=Ann\20,DC=x`, `CN=Ann\ ,DC=x`, true},
		{"CN=Ann,DC=x", "CN=Ann,DC=y", false},
		{"CN=Ann,DC=x", "CN=Ann", false},
		{"", "CN=Ann", false},
	} {
		if got := dn.Equal(tt.a, tt.b); got != tt.want {
			t.Errorf("Equal(%q, %q) = %v; want %v", tt.a, tt.b, got, tt.want)
		}
		if got := dn.Key(tt.a) == dn.Key(tt.b); got != tt.want {
			t.Errorf("Key(%q) is %q, Key(%q) is %q; want them the same: %v", tt.a, dn.Key(tt.a), tt.b, dn.Key(tt.b), tt.want)
		}
	}
}

func TestExtended(t *testing.T) {
	t.Parallel()
	id, name := dn.Extended("<GUID=8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11>;<SID=S-1-5-21-1-2-3-4>;CN=Ann,DC=x")
	if id != "8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11" || name != "CN=Ann,DC=x" {
		t.Errorf("Extended = %q, %q", id, name)
	}
	if id, name = dn.Extended("CN=<GUID,DC=x"); id != "" || name != "CN=<GUID,DC=x" {
		t.Errorf("Extended of a plain DN = %q, %q", id, name)
	}
}

// Whatever a server sends as a DN, taking it apart comes to an end.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`CN=a\,b,DC=x`, `CN=\`, `=`, `CN=a,,DC=x`, `<GUID=`, `CN=a\2`, "CN=#04"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, rest, ok := dn.Split(text); ok && len(rest) >= len(text) {
			t.Errorf("Split(%q) leaves %q", text, rest)
		}
		if dn.Valid(text) && !dn.Equal(text, strings.ToUpper(text)) && isASCII(text) {
			t.Errorf("%q does not equal itself in capitals", text)
		}
		dn.Extended(text)
		dn.Under(text, "DC=x")
	})
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
