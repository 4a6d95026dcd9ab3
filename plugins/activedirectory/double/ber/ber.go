// Package ber reads and writes the little of BER that LDAP needs (RFC 4511
// section 5.1), flat: no tree of packets is built. A message is held as one
// string; what is read from it are parts of that string, so that decoding
// allocates nothing.
package ber

import (
	"errors"
	"fmt"
)

// ErrTruncated means that an element is longer than what holds it.
var ErrTruncated = errors.New("BER element runs past its end")

// Universal tags used by LDAP.
const (
	Boolean    = 0x01
	Integer    = 0x02
	Octets     = 0x04
	Enumerated = 0x0a
	Sequence   = 0x30
	Set        = 0x31
)

// Header reads tag and length at the start of b. It reports the length of the
// header and of the body, or headerLen 0 if b is too short to tell.
func Header(b []byte) (tag byte, headerLen, bodyLen int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, nil
	}
	n := int(b[1])
	if n < 0x80 {
		return b[0], 2, n, nil
	}
	k := n & 0x7f
	if k == 0 || k > 4 {
		return 0, 0, 0, fmt.Errorf("BER length of %d bytes", k)
	}
	if len(b) < 2+k {
		return 0, 0, 0, nil
	}
	n = 0
	for _, c := range b[2 : 2+k] {
		n = n<<8 | int(c)
	}
	return b[0], 2 + k, n, nil
}

// Read takes one element off s.
func Read(s string) (tag byte, body, rest string, err error) {
	if len(s) < 2 {
		return 0, "", "", ErrTruncated
	}
	n, p := int(s[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 4 || len(s) < 2+k {
			return 0, "", "", ErrTruncated
		}
		n = 0
		for i := range k {
			n = n<<8 | int(s[2+i])
		}
		p += k
	}
	if n > len(s)-p {
		return 0, "", "", ErrTruncated
	}
	return s[0], s[p : p+n], s[p+n:], nil
}

// Expect is [Read] for an element that must have the tag.
func Expect(s string, want byte) (body, rest string, err error) {
	tag, body, rest, err := Read(s)
	if err == nil && tag != want {
		err = fmt.Errorf("BER tag %#x where %#x belongs", tag, want)
	}
	return body, rest, err
}

// Int decodes the body of an INTEGER or ENUMERATED.
func Int(body string) int64 {
	var v int64
	if len(body) > 0 && body[0]&0x80 != 0 {
		v = -1
	}
	for i := range len(body) {
		v = v<<8 | int64(body[i])
	}
	return v
}

// Append adds an element with the body s.
func Append(dst []byte, tag byte, s string) []byte {
	dst = appendHeader(dst, tag, len(s))
	return append(dst, s...)
}

// AppendInt adds an INTEGER, or with another tag an ENUMERATED.
func AppendInt(dst []byte, tag byte, v int64) []byte {
	n := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		n++
	}
	dst = append(dst, tag, byte(n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

// Begin opens a constructed element; [End] with the returned mark closes it.
// The length takes the four-byte form, as Active Directory itself sends it.
func Begin(dst []byte, tag byte) (_ []byte, mark int) {
	return append(dst, tag, 0x84, 0, 0, 0, 0), len(dst)
}

// End fills in the length of the element opened at mark.
func End(dst []byte, mark int) []byte {
	n := len(dst) - mark - 6
	dst[mark+2], dst[mark+3], dst[mark+4], dst[mark+5] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return dst
}

func appendHeader(dst []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, tag, byte(n))
	case n < 0x100:
		return append(dst, tag, 0x81, byte(n))
	case n < 0x10000:
		return append(dst, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, tag, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
