package sdk

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Row is an object whose attributes have one value each, or none: the row of
// a table, the line of a file. Text is its native id and then the values, one
// after another; Ends[0] is where the id ends in it, and Ends[i+1] where the
// value of attribute i does. An empty value is none.
type Row struct {
	Text []byte
	Ends []int
}

// Begin makes the row one with this id and no values yet, in the same memory.
func (r *Row) Begin(id []byte) {
	r.Text = append(r.Text[:0], id...)
	r.Ends = append(r.Ends[:0], len(r.Text))
}

// End ends the value of the next attribute, whose text was appended to Text.
func (r *Row) End() { r.Ends = append(r.Ends, len(r.Text)) }

// ID is the native id, valid until the next Begin.
func (r *Row) ID() []byte { return r.Text[:r.Ends[0]] }

// Is tells whether it is the row with this id.
func (r *Row) Is(id []byte) bool { return bytes.Equal(r.ID(), id) }

// Into sets the id of an object, and the values of its attributes, of which
// there are at least as many as the row has.
func (r *Row) Into(o *Object) {
	text, begin := string(r.Text), r.Ends[0]
	values := make([]string, len(r.Ends)-1)
	o.ID = text[:begin]
	for i, end := range r.Ends[1:] {
		values[i] = text[begin:end]
		if o.Attributes[i].Values = nil; begin < end {
			o.Attributes[i].Values = values[i : i+1 : i+1]
		}
		begin = end
	}
}

// Rows passes on rows that all have the same attributes. It does what
// [Sink.Object] does, some times as fast: whatever is the same in each row is
// worked out once, and sent once in a batch where the agent takes rows. It is
// for one goroutine.
type Rows struct {
	sink  *Sink
	o     Object   // the same for all rows but for its id and values
	table []byte   // as a response has it
	same  []byte   // class, as a record has it
	place []byte   // address, likewise
	sent  []column // in ascending order of name
	unfit bool     // none of them can be sent
}

// Rows returns what passes on rows of a class, all found at one address, such
// as a table's name or a file's.
func (s *Sink) Rows(class, address string, attributes []string) *Rows {
	r := &Rows{sink: s, same: appendText(nil, objectClass, class), place: appendText(nil, objectAddress, address),
		o: Object{Class: class, Address: address, Attributes: make([]Attribute, len(attributes))}}
	for i, name := range attributes {
		r.o.Attributes[i].Name = name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	order, twice := s.layout.of(r.o.Attributes)
	r.unfit = twice != "" || !utf8.ValidString(class) || !utf8.ValidString(address)
	table := &connectorv1.Table{Class: class, Address: address}
	for _, i := range order {
		r.unfit = r.unfit || !utf8.ValidString(attributes[i])
		r.sent = append(r.sent, newColumn(i, attributes[i]))
		table.Attributes = append(table.Attributes, attributes[i])
	}
	if !r.unfit {
		r.table, _ = appendMessage(nil, responseTable, table) // fails for what is unfit alone
	}
	return r
}

// Row passes on one row, which has a value or none of each attribute; it may
// be used again. What cannot be sent is set aside, see [Sink.Object].
func (r *Rows) Row(row *Row) error {
	if !r.fit(row) {
		o := r.o
		o.Attributes = slices.Clone(o.Attributes)
		row.Into(&o)
		return r.sink.Object(&o) // which says why
	}
	s := r.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.rows {
		return r.asRow(row)
	}
	return r.asRecord(row)
}

// asRow appends the row as a connectorv1.Row, after the table that it is of.
func (r *Rows) asRow(row *Row) error {
	s := r.sink
	if s.table != nil && s.table != r { // a response is of one table
		if err := s.flush(); err != nil {
			return err
		}
	}
	b := s.room()
	if s.table == nil {
		s.table, b = r, append(b, r.table...)
	}
	id := row.ID()
	size := 1 + protowire.SizeBytes(len(id))
	for i := range r.sent {
		size += 1 + protowire.SizeBytes(r.sent[i].length(row))
	}
	b = protowire.AppendVarint(append(b, rowTag), uint64(size))
	b = protowire.AppendBytes(append(b, rowIDTag), id)
	for i := range r.sent {
		b = protowire.AppendBytes(append(b, rowValuesTag), r.sent[i].value(row))
	}
	s.wire = b
	return s.recorded()
}

// asRecord appends the row as a connectorv1.Record.
func (r *Rows) asRecord(row *Row) error {
	s, id := r.sink, row.ID()
	size := len(r.same) + 1 + protowire.SizeBytes(len(id)) + len(r.place)
	for i := range r.sent {
		size += r.sent[i].size(row)
	}
	b := beginRecord(s.room(), string(id), size)
	b = append(b, r.same...)
	b = protowire.AppendBytes(append(b, objectID), id)
	b = append(b, r.place...)
	for i := range r.sent {
		b = r.sent[i].append(b, row)
	}
	s.wire = b
	return s.recorded()
}

// A column is an attribute of rows that was asked for.
type column struct {
	at    int    // among the attributes of the row
	empty []byte // the attribute without a value, as a record has it
	name  []byte // the name within the attribute
}

func newColumn(at int, name string) column {
	c := column{at: at, name: appendText(nil, attributeName, name)}
	c.empty = protowire.AppendBytes([]byte{objectAttributes}, c.name)
	return c
}

func (c *column) value(row *Row) []byte { return row.Text[row.Ends[c.at]:row.Ends[c.at+1]] }

func (c *column) length(row *Row) int { return row.Ends[c.at+1] - row.Ends[c.at] }

// inner is the size of the attribute with a value of n bytes.
func (c *column) inner(n int) int { return len(c.name) + 1 + protowire.SizeBytes(n) }

func (c *column) append(b []byte, row *Row) []byte {
	value := c.value(row)
	if len(value) == 0 {
		return append(b, c.empty...)
	}
	b = protowire.AppendVarint(append(b, objectAttributes), uint64(c.inner(len(value))))
	b = append(b, c.name...)
	return protowire.AppendBytes(append(b, attributeValues), value)
}

// size is how many bytes append appends.
func (c *column) size(row *Row) int {
	n := c.length(row)
	if n == 0 {
		return len(c.empty)
	}
	return 1 + protowire.SizeBytes(c.inner(n))
}

// fit tells whether the row can be sent. All of it is looked at at once: if it
// is UTF-8 and no value begins within a letter, each of them is.
func (r *Rows) fit(row *Row) bool {
	if r.unfit || row.Ends[0] == 0 || !utf8.Valid(row.Text) {
		return false
	}
	for _, end := range row.Ends {
		if end < len(row.Text) && !utf8.RuneStart(row.Text[end]) {
			return false
		}
	}
	return true
}
