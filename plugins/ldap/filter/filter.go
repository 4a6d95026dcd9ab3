// Package filter builds LDAP search filters. A filter is made of parts and is
// BER from the start: a value is never put into a text that someone parses, so
// nothing in it can mean anything. Texts are for people: [Filter.String]
// writes RFC 4515, with its escapes, and [Parse] reads what an admin wrote.
package filter

import (
	"bytes"
	"fmt"

	asn1 "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
)

// A Filter is the BER of one filter. The zero value is none: And and Or leave
// it out.
type Filter struct{ encoded []byte }

// Equal matches entries of which an attribute has the value, by the rule of
// the attribute. The value is bytes.
func Equal(attribute, value string) Filter {
	b, at := ber.Open(nil, 0xa3)
	b = ber.Text(b, ber.OctetString, attribute)
	return Filter{ber.Shut(ber.Text(b, ber.OctetString, value), at)}
}

// Present matches entries that have the attribute.
func Present(attribute string) Filter {
	return Filter{ber.Text(nil, 0x87, attribute)}
}

// And matches what all of parts match.
func And(parts ...Filter) Filter { return join(0xa0, parts) }

// Or matches what one of parts matches.
func Or(parts ...Filter) Filter { return join(0xa1, parts) }

// Not matches what f does not.
func Not(f Filter) Filter {
	return Filter{ber.Text(nil, 0xa2, f.encoded)}
}

func join(tag byte, parts []Filter) Filter {
	var used []Filter
	for _, p := range parts {
		if len(p.encoded) > 0 {
			used = append(used, p)
		}
	}
	if len(used) < 2 {
		return append(used, Filter{})[0]
	}
	b, at := ber.Open(nil, tag)
	for _, p := range used {
		b = append(b, p.encoded...)
	}
	return Filter{ber.Shut(b, at)}
}

// Parse reads a filter as RFC 4515 writes it.
func Parse(text string) (Filter, error) {
	packet, err := ldap.CompileFilter(text)
	if err != nil {
		return Filter{}, fmt.Errorf("filter %q: %w", text, err)
	}
	return Filter{packet.Bytes()}, nil
}

// Bytes returns the BER for a search; it is not to be changed.
func (f Filter) Bytes() []byte { return f.encoded }

// String writes f as RFC 4515 does, empty for the zero value.
func (f Filter) String() string {
	if len(f.encoded) == 0 {
		return ""
	}
	packet, err := asn1.ReadPacket(bytes.NewReader(f.encoded))
	if err != nil {
		return "(not a filter)"
	}
	text, err := ldap.DecompileFilter(packet)
	if err != nil {
		return "(not a filter)"
	}
	return text
}
