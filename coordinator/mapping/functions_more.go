package mapping

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// hashes are the ways of hash; the older ones are for matching what others made.
var hashes = map[string]func(string) []byte{
	"sha256": func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] },
	"sha512": func(s string) []byte { h := sha512.Sum512([]byte(s)); return h[:] },
	"sha1":   func(s string) []byte { h := sha1.Sum([]byte(s)); return h[:] },
	"md5":    func(s string) []byte { h := md5.Sum([]byte(s)); return h[:] },
}

// hash gives the hexadecimal hash of a text, by SHA-256 where no other way is
// named; nothing for nothing.
func hash(a ...any) (any, error) {
	way := "sha256"
	if len(a) > 1 {
		way = strings.ToLower(strings.ReplaceAll(a[1].(string), "-", ""))
	}
	sum, ok := hashes[way]
	if !ok {
		return nil, fmt.Errorf("hash knows no way %q; it knows md5, sha1, sha256 and sha512", a[1])
	}
	if a[0].(string) == "" {
		return "", nil
	}
	return hex.EncodeToString(sum(a[0].(string))), nil
}

// inTimeZone gives the instant at which clocks in a zone show what those of the
// document's zone show at t, or a given time of that day: the zone is the
// worker's, while the source writes days or times without one.
func inTimeZone(document *time.Location) func(a ...any) (any, error) {
	return func(a ...any) (any, error) {
		t, name := a[0].(time.Time), strings.TrimSpace(a[1].(string))
		if t.IsZero() {
			return t, nil
		}
		zone := document
		if name != "" { // of whom no zone is known, that of the document
			var err error
			if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
				return nil, fmt.Errorf("no time zone is called %q", name)
			}
		}
		local := t.In(document)
		h, m, s, n := local.Hour(), local.Minute(), local.Second(), local.Nanosecond()
		if len(a) > 2 {
			at, err := time.Parse("15:04", strings.TrimSpace(a[2].(string)))
			if err != nil {
				return nil, fmt.Errorf("%q is no time of the day such as \"17:00\"", a[2])
			}
			h, m, s, n = at.Hour(), at.Minute(), 0, 0
		}
		return time.Date(local.Year(), local.Month(), local.Day(), h, m, s, n, zone).UTC(), nil
	}
}

// within tells whether a distinguished name is that of a container, or of
// something below it.
func within(a ...any) (any, error) {
	name, container := a[0].(string), a[1].(string)
	if container == "" {
		return false, nil
	}
	for name != "" {
		if sameName(name, container) {
			return true, nil
		}
		_, _, rest, ok := SplitDN(name)
		if !ok {
			return false, nil
		}
		name = rest
	}
	return false, nil
}

// sameName compares distinguished names part by part.
func sameName(a, b string) bool {
	for a != "" && b != "" {
		attributeA, nameA, restA, okA := SplitDN(a)
		attributeB, nameB, restB, okB := SplitDN(b)
		if !okA || !okB || !strings.EqualFold(attributeA, attributeB) || !strings.EqualFold(strings.TrimSpace(nameA), strings.TrimSpace(nameB)) {
			return false
		}
		a, b = restA, restB
	}
	return a == b
}
