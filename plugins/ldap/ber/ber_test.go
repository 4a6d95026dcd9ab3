package ber_test

import (
	"bytes"
	"testing"

	asn1 "github.com/go-asn1-ber/asn1-ber"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
)

// What is written is what another implementation reads, and what Next splits.
func TestWrite_othersReadIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64().Draw(t, "number")
		text := rapid.SliceOfN(rapid.Byte(), 0, 70_000).Draw(t, "text")
		yes := rapid.Bool().Draw(t, "yes")
		b, at := ber.Open(nil, ber.Sequence)
		b = ber.Shut(ber.Bool(ber.Text(ber.Int(b, ber.Integer, number), ber.OctetString, text), ber.Boolean, yes), at)

		p, err := asn1.ReadPacket(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if p.Children[0].Value != number || !bytes.Equal(p.Children[1].ByteValue, text) || p.Children[2].Value != yes {
			t.Fatalf("read as %v, %q, %v; want %d, %q, %v", p.Children[0].Value, p.Children[1].ByteValue, p.Children[2].Value, number, text, yes)
		}
		_, body, rest := ber.Next(b)
		_, first, body := ber.Next(body)
		_, second, _ := ber.Next(body)
		if n, ok := ber.ParseInt(first); !ok || n != number || !bytes.Equal(second, text) || len(rest) != 0 {
			t.Fatalf("Next gives %d, %q; want %d, %q", n, second, number, text)
		}
	})
}

// Bytes of a stranger never make Next read beyond them.
func FuzzNext(f *testing.F) {
	for _, seed := range []string{"\x30\x84\xff\xff\xff\xff", "\x04\x80", "\x30\x03\x02\x01", "\x1f\x01\x00", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; len(rest) > 0; {
			tag, body, after := ber.Next(rest)
			if tag == 0 {
				break
			}
			if len(body)+len(after) >= len(rest) {
				t.Fatalf("Next(%x) gives %d + %d bytes", rest, len(body), len(after))
			}
			rest = after
		}
	})
}
