package store

import (
	"fmt"

	"github.com/klauspost/compress/s2"
)

// A packed is a text that a file holds compressed (S2) where that is worth it,
// as bytes in a column of texts: why a job is what it is repeats the same names
// and values over and over, and a row of 2 KiB is alone on its page. A server
// compresses by itself.
type packed string

// leastPacked is the length from which a text is compressed, in bytes.
const leastPacked = 256

// pack gives a text as a file holds it.
func (p packed) pack() any {
	if len(p) < leastPacked {
		return string(p)
	}
	return s2.Encode(nil, []byte(p))
}

// unpack sets a text to what a file holds: also one that was never compressed.
func (p *packed) unpack(v any) error {
	switch v := v.(type) {
	case string:
		*p = packed(v)
		return nil
	case []byte:
		text, err := s2.Decode(nil, v)
		*p = packed(text)
		return err
	}
	return fmt.Errorf("a %T is no text", v)
}
