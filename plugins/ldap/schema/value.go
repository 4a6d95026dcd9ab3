package schema

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
)

// Text turns a value from the wire into the contract's text. A reference must
// come as an extended DN; of a plain one the DN is returned. A value that is
// not of its kind is returned as it is.
func (a *Attribute) Text(raw string) string {
	switch a.Kind {
	case Boolean:
		return strings.ToLower(raw)
	case Timestamp:
		if t, ok := parseTime(raw); ok {
			return t.UTC().Format(time.RFC3339Nano)
		}
	case Binary:
		return base64.StdEncoding.EncodeToString([]byte(raw))
	case Reference:
		if id, name := dn.Extended(raw); id != "" {
			return strings.ToLower(id)
		} else {
			return name
		}
	case Name:
		_, name := dn.Extended(raw)
		return name
	case GUID:
		if len(raw) == 16 {
			return FormatGUID(raw)
		}
	case SID:
		return formatSID(raw)
	}
	return raw
}

// Raw turns the contract's text into what the wire carries, or says what is
// wrong with it.
func (a *Attribute) Raw(text string) (string, error) {
	switch a.Kind {
	case Integer:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return "", fmt.Errorf("%q is no whole number, which %s takes", text, a.Name)
		}
	case Boolean:
		if text != "true" && text != "false" {
			return "", fmt.Errorf("%q is neither true nor false, which %s takes", text, a.Name)
		}
		return strings.ToUpper(text), nil
	case Timestamp:
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return "", fmt.Errorf("%q is no instant such as 2026-01-31T08:00:00Z, which %s takes", text, a.Name)
		}
		return t.UTC().Format("20060102150405.0Z"), nil
	case Binary:
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", fmt.Errorf("the value of %s is no base64", a.Name)
		}
		return string(raw), nil
	case Reference:
		if _, ok := ParseGUID(text); !ok {
			return "", fmt.Errorf("%q is no native id (an objectGUID), which %s takes", text, a.Name)
		}
		return dn.OfID(text), nil
	case GUID:
		raw, ok := ParseGUID(text)
		if !ok {
			return "", fmt.Errorf("%q is no GUID such as 8d1f4b6e-0c5a-4d5e-9f10-2a6a4a1f7c11", text)
		}
		return raw, nil
	case SID:
		return parseSID(text)
	}
	return text, nil
}

// TooLong returns the number of characters of a text that is longer than the
// directory takes, else 0.
func (a *Attribute) TooLong(text string) int {
	if a.Max == 0 || len(text) <= a.Max || a.Kind == Integer || a.Kind == Reference {
		return 0
	}
	n := len(text)
	switch a.Kind {
	case String, ExactString:
		n = utf8.RuneCountInString(text)
	case Binary:
		n = base64.StdEncoding.DecodedLen(n)
	}
	if n <= a.Max {
		return 0
	}
	return n
}

// Same tells whether the directory takes two texts as the same value.
func (a *Attribute) Same(x, y string) bool {
	switch a.Kind {
	case String, Reference, Name, GUID, SID, Boolean:
		return strings.EqualFold(x, y)
	}
	return x == y
}

func parseTime(raw string) (time.Time, bool) {
	for _, layout := range []string{"20060102150405Z0700", "20060102150405.999999999Z0700", "060102150405Z0700", "200601021504Z0700"} {
		if t, err := time.Parse(layout, raw); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// FormatGUID writes the 16 bytes of a GUID, whose first three fields are
// little-endian, as people do.
func FormatGUID(raw string) string {
	b := []byte(raw)
	for i, j := range []int{3, 2, 1, 0, 5, 4, 7, 6} {
		b[i] = raw[j]
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ParseGUID is the reverse of [FormatGUID].
func ParseGUID(text string) (raw string, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return "", false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		return "", false
	}
	c := []byte(string(b))
	for i, j := range []int{3, 2, 1, 0, 5, 4, 7, 6} {
		c[i] = b[j]
	}
	return string(c), true
}

// formatSID writes a security identifier as S-1-… (MS-DTYP 2.4.2).
func formatSID(raw string) string {
	if len(raw) < 8 || len(raw) != 8+4*int(raw[1]) {
		return hex.EncodeToString([]byte(raw))
	}
	authority := uint64(0)
	for _, c := range []byte(raw[2:8]) {
		authority = authority<<8 | uint64(c)
	}
	text := fmt.Sprintf("S-%d-%d", raw[0], authority)
	for i := 8; i < len(raw); i += 4 {
		text += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32([]byte(raw[i:i+4]))), 10)
	}
	return text
}

func parseSID(text string) (string, error) {
	parts := strings.Split(text, "-")
	wrong := fmt.Errorf("%q is no SID such as S-1-5-21-1-2-3-1104", text)
	if len(parts) < 3 || parts[0] != "S" || parts[1] != "1" || len(parts) > 18 {
		return "", wrong
	}
	authority, err := strconv.ParseUint(parts[2], 10, 48)
	if err != nil {
		return "", wrong
	}
	b := binary.BigEndian.AppendUint64(nil, authority)
	b[0], b[1] = 1, byte(len(parts)-3)
	for _, p := range parts[3:] {
		sub, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return "", wrong
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(sub))
	}
	return string(b), nil
}

// FormatSID writes the bytes of a security identifier as S-1-…; "" of none.
func FormatSID(raw string) string {
	if raw == "" {
		return ""
	}
	return formatSID(raw)
}
