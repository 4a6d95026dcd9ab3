package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What people write into descriptions is no part of the schema, names have
// aliases, and what is not said is inherited, by name or by OID.
func TestParseSubSchema(t *testing.T) {
	t.Parallel()
	s := parseSubSchema([]string{
		`( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )`,
		`( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: common name(s) MUST $ SINGLE-VALUE SUP nobody' SUP name )`,
		`( 9.1 NAME 'badge' SUP 2.5.4.41 SINGLE-VALUE )`,
		`( 9.2 NAME 'photo' SYNTAX 1.3.6.1.4.1.1466.115.121.1.23 )`,
		`( 9.3 NAME 'odd' EQUALITY oddMatch SYNTAX 9.9.9.9 NO-USER-MODIFICATION USAGE directoryOperation X-ORIGIN 'a (b) $' )`,
		`( 9.4 NAME 'shell' EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )`,
		`( 9.5 NAME 'loop' SUP loop )`,
	}, []string{
		`( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )`,
		`( 9.6 NAME 'thing' DESC 'it''s MUST' SUP top STRUCTURAL MUST cn MAY ( badge $photo $ odd))`,
	})
	for name, want := range map[string]Attribute{
		"cn":         {Name: "cn", Kind: String, Multi: true, Max: 32768},
		"commonname": {Name: "commonName", Kind: String, Multi: true, Max: 32768, Canonical: "cn"},
		"badge":      {Name: "badge", Kind: String, Max: 32768},
		"photo":      {Name: "photo", Kind: Binary, Multi: true, Unmatched: true},
		"odd":        {Name: "odd", Kind: String, Multi: true, ReadOnly: true},
		"shell":      {Name: "shell", Kind: ExactString, Multi: true},
		"loop":       {Name: "loop", Kind: String, Multi: true, Unmatched: true},
	} {
		if diff := cmp.Diff(&want, s.Attribute(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for attribute, want := range map[string][2]bool{"cn": {true, true}, "photo": {true, false}, "objectClass": {true, true}, "shell": {false, false}} {
		if got := [2]bool{s.Holds("Thing", attribute), s.Requires("thing", attribute)}; got != want {
			t.Errorf("thing may and must hold %s = %v; want %v", attribute, got, want)
		}
	}
}
