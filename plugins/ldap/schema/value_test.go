package schema_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
)

// What is read can be written back as it was: a compare-and-swap depends on it.
func TestRaw_readBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind      schema.Kind
		raw, text string
	}{
		{schema.Boolean, "TRUE", "true"},
		{schema.Integer, "-2147483646", "-2147483646"},
		{schema.Timestamp, "20260131080000.0Z", "2026-01-31T08:00:00Z"},
		{schema.Binary, "\x00\xff", "AP8="},
		{schema.GUID, "\x6e\x4b\x1f\x8d\x5a\x0c\x5e\x4d\x9f\x10\x2a\x6a\x4a\x1f\x7c\x11", "8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11"},
		{schema.SID, "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00\x00", "S-1-5-32-544"},
		{schema.Reference, "<GUID=8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11>", "8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11"},
		{schema.String, "Zoë", "Zoë"},
	} {
		a := &schema.Attribute{Name: "x", Kind: tt.kind}
		if got := a.Text(tt.raw); got != tt.text {
			t.Errorf("Text(%q) = %q; want %q", tt.raw, got, tt.text)
		}
		if got, err := a.Raw(tt.text); err != nil || got != tt.raw {
			t.Errorf("Raw(%q) = %q, %v; want %q", tt.text, got, err, tt.raw)
		}
	}
}

func TestRaw_refusesOtherForms(t *testing.T) {
	t.Parallel()
	for kind, text := range map[schema.Kind]string{
		schema.Boolean: "yes", schema.Integer: "1.5", schema.Timestamp: "tomorrow", schema.Binary: "%", schema.GUID: "8d1f", schema.SID: "S-1", schema.Reference: "CN=x",
	} {
		if raw, err := (&schema.Attribute{Name: "x", Kind: kind}).Raw(text); err == nil {
			t.Errorf("Raw(%q) = %q; want an error", text, raw)
		}
	}
}

func TestGUID_anyBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := string(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "raw"))
		if got, ok := schema.ParseGUID(schema.FormatGUID(raw)); !ok || got != raw {
			t.Fatalf("ParseGUID(FormatGUID(%x)) = %x, %v", raw, got, ok)
		}
	})
}
