package sdk

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Batch is a response of a read as an agent receives it by RecvMsg of the
// stream, over a connection with [DialOptions]. It is used again for the next:
// what it gives is good until the next is received, who keeps it clones it.
type Batch struct {
	wire     []byte
	response connectorv1.ReadResponse
	rows     []*connectorv1.Record
	table    connectorv1.Table
	common   []byte // the table as it was received
	spare    []*connectorv1.Record
	used     int // of the spare
	rest     []byte
}

// NewBatch returns a response that was received by another way.
func NewBatch(r *connectorv1.ReadResponse) (*Batch, error) {
	wire, err := proto.Marshal(r)
	if err != nil {
		return nil, err
	}
	b := &Batch{}
	return b, b.take(mem.BufferSlice{mem.SliceBuffer(wire)})
}

// Response is what was received last, without its rows.
func (b *Batch) Response() *connectorv1.ReadResponse { return &b.response }

// Rows are the rows of the response, each with its native id, and in the place
// of the object a connectorv1.Row, from which [Batch.Object] makes it.
func (b *Batch) Rows() []*connectorv1.Record { return b.rows }

// Common is what the rows have in common and do not hold themselves: two that
// are equal are the same object only if this is equal, too.
func (b *Batch) Common() []byte { return b.common }

// Object makes the object of a row, marshalled as that of a record is.
func (b *Batch) Object(row *connectorv1.Record) ([]byte, error) {
	names := b.table.GetAttributes()
	o := &Object{Class: b.table.GetClass(), ID: row.GetId(), Address: b.table.GetAddress(), Attributes: make([]Attribute, len(names))}
	order, n := make([]int, len(names)), 0
	for in := row.GetObject(); len(in) > 0; {
		number, kind, field, size, err := cutField(in)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", row.GetId(), err)
		}
		in = in[size:]
		if number != rowValues || kind != protowire.BytesType {
			continue
		}
		if n == len(names) {
			return nil, fmt.Errorf("row %q has more values than the %d attributes of its table: report this as a fault of the connector", row.GetId(), n)
		}
		value, _ := protowire.ConsumeBytes(field)
		order[n], o.Attributes[n].Name = n, names[n]
		if len(value) > 0 {
			o.Attributes[n].Values = []string{string(value)}
		}
		n++
	}
	if n < len(names) {
		return nil, fmt.Errorf("row %q has %d values, and its table %d attributes: report this as a fault of the connector", row.GetId(), n, len(names))
	}
	return appendObject(nil, o, order), nil
}

func (b *Batch) take(data mem.BufferSlice) error {
	size := data.Len()
	b.wire = slices.Grow(b.wire[:0], size)[:size]
	data.CopyTo(b.wire)
	r := &b.response
	r.Records, r.Rejects, r.End, r.Table, r.Rows = r.Records[:0], nil, nil, nil, nil
	b.rows, b.common, b.used, b.rest = b.rows[:0], nil, 0, b.rest[:0]
	for in := b.wire; len(in) > 0; {
		number, kind, field, size, err := cutField(in)
		if err == nil {
			err = b.field(number, kind, field, in[:size])
		}
		if err != nil {
			return fmt.Errorf("response of a read: %w", err)
		}
		in = in[size:]
	}
	if b.common == nil && len(b.rows) > 0 {
		return errors.New("response of a read: it has rows and no table: report this as a fault of the connector")
	}
	if len(b.rest) == 0 {
		return nil
	}
	return proto.UnmarshalOptions{Merge: true, DiscardUnknown: true}.Unmarshal(b.rest, r)
}

// field takes one field of the response; whole is it with its tag.
func (b *Batch) field(number protowire.Number, kind protowire.Type, field, whole []byte) error {
	inner, _ := protowire.ConsumeBytes(field)
	switch {
	case kind != protowire.BytesType:
	case number == responseRecords:
		r := b.record()
		b.response.Records = append(b.response.Records, r)
		return takeRecord(r, inner)
	case number == responseRows:
		r := b.record()
		b.rows = append(b.rows, r)
		return takeRow(r, inner)
	case number == responseTable:
		if b.common != nil {
			return errors.New("it has two tables: report this as a fault of the connector")
		}
		b.common = inner
		proto.Reset(&b.table)
		if err := proto.Unmarshal(inner, &b.table); err != nil {
			return fmt.Errorf("table: %w", err)
		}
		if names := b.table.Attributes; !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) < len(names) {
			return fmt.Errorf("table %q: its attributes are not in ascending order: report this as a fault of the connector", b.table.GetAddress())
		}
		return nil
	}
	b.rest = append(b.rest, whole...) // seldom
	return nil
}

// record is one to fill.
func (b *Batch) record() *connectorv1.Record {
	if b.used == len(b.spare) {
		b.spare = append(b.spare, &connectorv1.Record{})
	}
	r := b.spare[b.used]
	b.used++
	r.Id, r.Object, r.Deleted = "", nil, false
	return r
}

var errNotText = errors.New("its id is not UTF-8")

func takeRecord(r *connectorv1.Record, in []byte) error {
	for len(in) > 0 {
		number, kind, field, size, err := cutField(in)
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		switch {
		case number == recordID && kind == protowire.BytesType:
			id, _ := protowire.ConsumeBytes(field)
			if !utf8.Valid(id) {
				return fmt.Errorf("record: %w", errNotText)
			}
			r.Id = string(id)
		case number == recordObject && kind == protowire.BytesType:
			r.Object, _ = protowire.ConsumeBytes(field)
		case number == recordDeleted && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(field)
			r.Deleted = v != 0
		}
		in = in[size:]
	}
	return nil
}

// takeRow looks for the id, which is the first field; what else it has is
// looked at when the object is made.
func takeRow(r *connectorv1.Record, in []byte) error {
	number, kind, field, _, err := cutField(in)
	if err != nil {
		return fmt.Errorf("row: %w", err)
	}
	id, _ := protowire.ConsumeBytes(field)
	if number != rowID || kind != protowire.BytesType || !utf8.Valid(id) {
		return fmt.Errorf("row: %w, or not its first field", errNotText)
	}
	r.Id, r.Object = string(id), in
	return nil
}
