// Package ber writes and splits the subset of BER that LDAP uses (RFC 4511,
// 5.1): definite lengths, tags below 31. It works on flat byte slices, without
// a tree: a message is written into one buffer and read in place. A full read
// of a directory spends its time here.
//
// It does not know what a message means; that is package wire.
package ber

import (
	"encoding/binary"
	"errors"
)

// Tags of universal types.
const (
	Boolean     = 0x01
	Integer     = 0x02
	OctetString = 0x04
	Enumerated  = 0x0a
	Sequence    = 0x30
	Set         = 0x31
)

// ErrMalformed says that bytes are no BER of the kind LDAP uses.
var ErrMalformed = errors.New("malformed BER")

// Open begins a constructed element and returns the place that [Shut] needs.
func Open(b []byte, tag byte) ([]byte, int) {
	b = append(b, tag, 0x84, 0, 0, 0, 0) // a length of fixed size, as Windows writes it
	return b, len(b)
}

// Shut ends the element that Open began.
func Shut(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at-4:at], uint32(len(b)-at))
	return b
}

// Length appends the header of an element of n bytes.
func Length(b []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, tag, byte(n))
	case n < 0x100:
		return append(b, tag, 0x81, byte(n))
	case n < 0x10000:
		return append(b, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(b, tag, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// Text appends a primitive element that holds s.
func Text[S ~string | ~[]byte](b []byte, tag byte, s S) []byte {
	return append(Length(b, tag, len(s)), s...)
}

// Int appends v in as few bytes as it needs.
func Int(b []byte, tag byte, v int64) []byte {
	n := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		n++
	}
	b = append(b, tag, byte(n))
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// Bool appends v.
func Bool(b []byte, tag byte, v bool) []byte {
	if v {
		return append(b, tag, 1, 0xff)
	}
	return append(b, tag, 1, 0)
}

// Header reads the tag and the length of the first element of b: its contents
// begin at size and are n bytes, of which b need not hold any. It returns size
// 0 when b is too short to tell.
func Header(b []byte) (tag byte, size, n int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, nil
	}
	if b[0]&0x1f == 0x1f || b[1] == 0x80 || b[1] > 0x84 {
		return 0, 0, 0, ErrMalformed
	}
	if b[1] < 0x80 {
		return b[0], 2, int(b[1]), nil
	}
	size = 2 + int(b[1]&0x7f)
	if len(b) < size {
		return 0, 0, 0, nil
	}
	for _, c := range b[2:size] {
		n = n<<8 | int(c)
	}
	return b[0], size, n, nil
}

// Next splits the first element off b. The tag is 0 where b is malformed or
// empty: no element of LDAP has it.
func Next(b []byte) (tag byte, body, rest []byte) {
	tag, size, n, err := Header(b)
	if err != nil || size == 0 || n < 0 || n > len(b)-size {
		return 0, nil, nil
	}
	return tag, b[size : size+n], b[size+n:]
}

// ParseInt reads the contents of an integer of at most 8 bytes.
func ParseInt(body []byte) (v int64, ok bool) {
	if len(body) == 0 || len(body) > 8 {
		return 0, false
	}
	v = int64(int8(body[0]))
	for _, c := range body[1:] {
		v = v<<8 | int64(c)
	}
	return v, true
}
