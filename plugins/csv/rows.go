package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRow is the greatest size of a row in bytes; a greater one is bad. It
// bounds what a stray quote can make the reader hold.
const maxRow = 1 << 20

// rows splits UTF-8 text into rows and fields by RFC 4180, as encoding/csv
// does: fields may be quoted, a quote within them is doubled, a quoted field
// may go over lines, whose CRLF becomes LF, and empty lines are none. Unlike
// it, rows goes on after a bad row, with the line after the one that the row
// began in: a stray quote costs its own line and not those that it swallowed.
//
// A line without a quote, which most are, takes the fast way: one search for
// its end, one for a quote, and one for each delimiter.
type rows struct {
	dialect
	src  io.Reader
	buf  []byte // buf[pos:end] is not yet split
	pos  int
	end  int
	err  error // of src, io.EOF included; sticks
	line int   // number of the line that pos stands at, from 1

	// What next found.
	begin   int      // number of the row's first line
	fields  [][]byte // valid until the next call
	text    []byte   // of the row, without its line end; likewise
	openEnd bool     // the last line of all has no end
	scratch []byte   // holds fields that had to be unquoted
}

// Faults of a row.
var (
	errBareQuote = errors.New("a quote stands within a field that does not begin with one, or a quoted field goes on after its closing quote; quote the field and double the quotes within it")
	errOpenQuote = errors.New("a field begins with a quote that is never closed; close it, or quote the field and double the quote")
	errTooLong   = fmt.Errorf("the row is longer than %d bytes, perhaps because a quote is never closed", maxRow)
	errMore      = errors.New("more text is needed") // never leaves the package's lexer
)

func newRows(src io.Reader, d dialect) *rows {
	return &rows{dialect: d, src: src, buf: make([]byte, 256<<10), line: 1}
}

// next goes to the next row and tells whether there is one. Its error is a
// fault of the row: going on is possible. What ended the text is in r.err.
func (r *rows) next() (bool, error) {
	for {
		n := bytes.IndexByte(r.buf[r.pos:r.end], '\n')
		if n < 0 && r.err == nil {
			if r.end-r.pos >= maxRow {
				r.begin, r.text, r.fields = r.line, nil, r.fields[:0]
				r.skipLine()
				return true, errTooLong
			}
			r.fill()
			continue
		}
		if n < 0 {
			if n = r.end - r.pos; n == 0 {
				return false, nil
			}
			r.openEnd = true
		}
		line := r.buf[r.pos : r.pos+n]
		if len(line) > 0 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		if len(line) == 0 {
			r.advance(n, 1)
			continue
		}
		r.begin, r.text = r.line, line
		if r.quote != 0 && bytes.IndexByte(line, r.quote) >= 0 {
			err := r.quoted(n)
			if errors.Is(err, errMore) {
				r.fill()
				continue
			}
			return true, err
		}
		r.split(line)
		r.advance(n, 1)
		return true, nil
	}
}

// split takes the fields of a line without quotes.
func (r *rows) split(line []byte) {
	r.fields = r.fields[:0]
	for {
		i := bytes.IndexByte(line, r.delimiter)
		if i < 0 {
			r.fields = append(r.fields, r.value(line))
			return
		}
		r.fields = append(r.fields, r.value(line[:i]))
		line = line[i+1:]
	}
}

// quoted takes a row with quotes, whose first line has n bytes. It returns
// errMore where the row goes on behind what has been read, having moved nothing.
func (r *rows) quoted(n int) error {
	r.fields, r.scratch = r.fields[:0], r.scratch[:0]
	rest, size, lines := r.buf[r.pos:r.end], 0, 1
	for {
		field, used, more, err := r.field(rest[size:])
		if errors.Is(err, errMore) {
			if len(rest) < maxRow {
				return errMore
			}
			err = errTooLong
		}
		if err != nil {
			r.advance(n, 1)
			return err
		}
		r.fields = append(r.fields, r.value(field))
		lines += bytes.Count(rest[size:size+used], []byte{'\n'})
		size += used
		if more {
			size++ // the delimiter
			continue
		}
		r.text = rest[:size]
		if bytes.HasPrefix(rest[size:], []byte("\r")) {
			size++
		}
		r.openEnd = r.openEnd || size == len(rest)
		r.advance(size, lines)
		return nil
	}
}

// field takes one field from the start of text: its value, how many bytes it
// used, and whether a delimiter follows; if not, the field is the row's last.
// It returns errMore if what has been read does not show where the field ends.
func (r *rows) field(text []byte) (value []byte, used int, more bool, err error) {
	if len(text) == 0 || text[0] != r.quote {
		end := bytes.IndexByte(text, '\n')
		lineEnds := end >= 0 || r.err != nil
		if end < 0 {
			end = len(text)
		}
		if i := bytes.IndexByte(text[:end], r.delimiter); i >= 0 {
			end, more = i, true
		} else if !lineEnds {
			return nil, 0, false, errMore
		} else if end > 0 && text[end-1] == '\r' {
			end--
		}
		if bytes.IndexByte(text[:end], r.quote) >= 0 {
			return nil, 0, false, errBareQuote
		}
		return text[:end], end, more, nil
	}
	copied, from, plain := len(r.scratch), 1, true
	for at := 1; ; {
		i := bytes.IndexByte(text[at:], r.quote)
		if i < 0 && r.err == nil {
			return nil, 0, false, errMore
		}
		if i < 0 {
			return nil, 0, false, errOpenQuote
		}
		at += i
		switch after := text[at+1:]; {
		case r.err == nil && (len(after) == 0 || len(after) == 1 && after[0] == '\r'):
			return nil, 0, false, errMore // whether this quote closes is not read yet
		case len(after) > 0 && after[0] == r.quote: // doubled: one of them is text
			r.scratch, plain = append(r.scratch, text[from:at+1]...), false
			at += 2
			from = at
			continue
		case len(after) == 0, after[0] == '\n', after[0] == r.delimiter, bytes.HasPrefix(after, []byte("\r\n")),
			len(after) == 1 && after[0] == '\r':
			more = len(after) > 0 && after[0] == r.delimiter
		default:
			return nil, 0, false, errBareQuote
		}
		value = text[from:at]
		if !plain {
			r.scratch = append(r.scratch, value...)
			value = r.scratch[copied:len(r.scratch):len(r.scratch)]
		}
		if bytes.Contains(value, []byte("\r\n")) {
			value = bytes.ReplaceAll(value, []byte("\r\n"), []byte("\n"))
		}
		return value, at + 1, more, nil
	}
}

func (r *rows) value(field []byte) []byte {
	if r.trim {
		return bytes.Trim(field, " \t\u00a0")
	}
	return field
}

// advance goes behind size bytes and the line end that follows them.
func (r *rows) advance(size, lines int) {
	r.pos = min(r.pos+size+1, r.end)
	r.line += lines
}

// skipLine goes behind the end of a line that is too long to be held.
func (r *rows) skipLine() {
	for {
		n := bytes.IndexByte(r.buf[r.pos:r.end], '\n')
		if n >= 0 {
			r.advance(n, 1)
			return
		}
		if r.pos = r.end; r.err != nil {
			return
		}
		r.fill()
	}
}

// fill reads more text behind what there is, making room first.
func (r *rows) fill() {
	if r.pos > 0 {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	r.err = err
}
