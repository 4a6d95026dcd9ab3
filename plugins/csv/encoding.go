package csv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// badByte stands in the UTF-8 that a decoder makes for what no character is.
// It is in no UTF-8, so that the check of the row finds it, with its line.
const badByte = 0xFF

const (
	markUTF8    = "\xEF\xBB\xBF"
	markUTF16LE = "\xFF\xFE"
	markUTF16BE = "\xFE\xFF"
)

// decode returns a reader that gives the text of src as UTF-8 without its byte
// order mark. It looks at the first bytes: an encoding that cannot be the one
// set is a fault of the file, for it would garble every name in it.
func decode(src io.Reader, encoding string) (io.Reader, error) {
	in := bufio.NewReaderSize(src, 64<<10)
	head, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	found, mark := guess(head)
	wrong := func() error {
		return sdk.Conflict(fmt.Sprintf("the file is written in %s, but the encoding set is %s", found, encoding),
			fmt.Sprintf("Set encoding to %s, or have the file exported in %s.", found, encoding))
	}
	switch encoding {
	case "utf-8":
		if found != "" && found != "utf-8" {
			return nil, wrong()
		}
		_, err = in.Discard(mark)
		return in, err
	case "windows-1252":
		if found != "" {
			return nil, wrong()
		}
		return &byteDecoder{src: in}, nil
	}
	switch {
	case found == "utf-8", found == "" && encoding == "utf-16" && len(head) > 0,
		found == "utf-16le" && encoding == "utf-16be", found == "utf-16be" && encoding == "utf-16le":
		if found == "" {
			return nil, sdk.Conflict("the file has no byte order mark, so the order of its utf-16 is not known",
				"Set encoding to utf-16le or utf-16be.")
		}
		return nil, wrong()
	}
	if _, err = in.Discard(mark); err != nil {
		return nil, err
	}
	return &utf16Decoder{src: in, big: found == "utf-16be" || encoding == "utf-16be"}, nil
}

// guess tells from a mark or from zero bytes what a file is written in, and
// the length of the mark; it says nothing where it cannot.
func guess(head []byte) (encoding string, mark int) {
	switch {
	case bytes.HasPrefix(head, []byte(markUTF8)):
		return "utf-8", 3
	case bytes.HasPrefix(head, []byte(markUTF16LE)):
		return "utf-16le", 2
	case bytes.HasPrefix(head, []byte(markUTF16BE)):
		return "utf-16be", 2
	case len(head) == 4 && head[1] == 0 && head[3] == 0:
		return "utf-16le", 0
	case len(head) == 4 && head[0] == 0 && head[2] == 0:
		return "utf-16be", 0
	}
	return "", 0
}

// A byteDecoder reads Windows-1252.
type byteDecoder struct {
	src  *bufio.Reader
	left []byte // decoded, did not fit
	raw  [32 << 10]byte
	out  []byte
}

func (d *byteDecoder) Read(p []byte) (int, error) {
	if len(d.left) == 0 {
		n, err := d.src.Read(d.raw[:])
		if n == 0 {
			return 0, err
		}
		d.out = d.out[:0]
		for _, b := range d.raw[:n] {
			if b < 0x80 {
				d.out = append(d.out, b)
			} else if r := charmap.Windows1252.DecodeByte(b); r == utf8.RuneError || r >= 0x80 && r < 0xA0 {
				d.out = append(d.out, badByte)
			} else {
				d.out = utf8.AppendRune(d.out, r)
			}
		}
		d.left = d.out
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}

// A utf16Decoder reads UTF-16. An odd byte at the end and half of a pair
// become a badByte.
type utf16Decoder struct {
	src  *bufio.Reader
	big  bool
	left []byte
	raw  [32 << 10]byte
	held int // bytes of raw that wait for the rest of their character
	out  []byte
}

func (d *utf16Decoder) Read(p []byte) (int, error) {
	for len(d.left) == 0 {
		n, err := io.ReadAtLeast(d.src, d.raw[d.held:], 1)
		if n == 0 && d.held == 0 {
			return 0, err
		}
		if errors.Is(err, io.EOF) { // what is held will not be finished
			d.held, d.left = 0, []byte{badByte}
			break
		}
		if err != nil {
			return 0, err
		}
		d.decode(d.raw[:d.held+n])
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}

// decode decodes raw into left and holds back what is not a whole character.
func (d *utf16Decoder) decode(raw []byte) {
	d.out, d.held = d.out[:0], 0
	for i := 0; i < len(raw); i += 2 {
		if i+1 == len(raw) {
			d.held = copy(d.raw[:], raw[i:])
			break
		}
		r := d.unit(raw[i:])
		if r >= 0xD800 && r < 0xDC00 {
			if i+3 >= len(raw) {
				d.held = copy(d.raw[:], raw[i:])
				break
			}
			if pair := utf16.DecodeRune(r, d.unit(raw[i+2:])); pair != utf8.RuneError {
				d.out = utf8.AppendRune(d.out, pair)
				i += 2
				continue
			}
		}
		if utf16.IsSurrogate(r) {
			d.out = append(d.out, badByte)
			continue
		}
		d.out = utf8.AppendRune(d.out, r)
	}
	d.left = d.out
}

func (d *utf16Decoder) unit(b []byte) rune {
	if d.big {
		return rune(b[0])<<8 | rune(b[1])
	}
	return rune(b[1])<<8 | rune(b[0])
}
