package guard

import (
	"strings"
	"testing"
)

// A place that is written another way is that place, or is not understood;
// never one within a base that it does not lie in.
func TestName_within(t *testing.T) {
	t.Parallel()
	base, err := parseName("OU=Staff, DC=corp,dc=example")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"OU=Staff,DC=corp,DC=example":           true,
		"ou=staff , DC=CORP,DC=example":         true,
		`OU=\53taff,DC=corp,DC=example`:         true,
		"CN=a,OU=Staff,DC=corp,DC=example":      true,
		`CN=a\,b,OU=Staff,DC=corp,DC=example`:   true,
		`CN=a\2cb,OU=Staff,DC=corp,DC=example`:  true,
		`CN=a\,OU=Staff,DC=corp,DC=example`:     false, // one value with commas
		`CN=a\2cOU=Staff,DC=corp,DC=example`:    false,
		`CN="a,OU=Staff",DC=corp,DC=example`:    false,
		"OU=Staff,DC=corp,DC=example,DC=org":    false,
		"DC=corp,DC=example":                    false,
		"OU=Staff;DC=corp;DC=example":           false,
		"CN=a+OU=Staff,DC=corp,DC=example":      false,
		"<GUID=11111111-2222-3333-4444-5>":      false,
		"OU=#04024869,DC=corp,DC=example":       false,
		"OU=Staff\\ ,DC=corp,DC=example":        false, // a space that counts
		"OU=Staff\x00,DC=corp,DC=example":       false,
		"CN=a,,OU=Staff,DC=corp,DC=example":     false,
		"2.5.4.11=Staff,DC=corp,DC=example":     false,
		"CN=a,OU=Staff,DC=corp,DC=example,":     false,
		"OU=Staff,OU=Staff2,DC=corp,DC=example": false,
		"OU=xStaff,DC=corp,DC=example":          false,
		"":                                      false,
	} {
		if got := withinAny(text, []name{base}, false); got != want {
			t.Errorf("%q within OU=Staff = %v; want %v", text, got, want)
		}
	}
	if withinAny("OU=Staff,DC=corp,DC=example", []name{base}, true) {
		t.Error("the base lies strictly within itself")
	}
}

// A name that is understood is the same however its parts are written.
func FuzzName(f *testing.F) {
	for _, text := range []string{"OU=Staff,DC=corp", `CN=a\,b,OU=x`, `CN=\2c,DC=x`, "CN= a ,OU=b", `CN=a\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseName(text)
		if err != nil {
			return
		}
		if len(n) > strings.Count(text, ",")+1 {
			t.Errorf("%q has %d parts", text, len(n))
		}
		if !n.within(n, false) || n.within(n, true) {
			t.Errorf("%q does not lie within itself", text)
		}
	})
}
