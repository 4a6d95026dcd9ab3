package sdk

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// codec is gRPC's own for protocol buffers, but for the responses of a read,
// which are nearly all that passes between connector and agent: a [Sink] writes
// them as they go over the wire, and a [Batch] takes them apart where they lie.
// The bytes are the same, so that either end may be another's. By gRPC's codec
// a row costs more at both ends than in its database.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(protocodec.Name)} }

// Marshal hands a frame on without copying it: gRPC returns it to the pool.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return mem.BufferSlice{mem.NewBuffer(&f.wire, f.pool)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal fills what gRPC received into.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if b, ok := v.(*Batch); ok {
		return b.take(data)
	}
	return c.CodecV2.Unmarshal(data, v)
}

// A frame is a connectorv1.ReadResponse as it goes over the wire. Who marshals
// it gives it away.
type frame struct {
	wire []byte
	pool *frames
}

// Response takes the frame apart, for who looks at what is sent.
func (f *frame) Response() (*connectorv1.ReadResponse, error) {
	r := &connectorv1.ReadResponse{}
	return r, proto.Unmarshal(f.wire, r)
}

// frames are those of a read that may be used again; some are under way at any
// time, as many as the window holds.
type frames struct{ free sync.Pool }

// Get returns memory of length n; gRPC asks for none.
func (p *frames) Get(n int) *[]byte {
	if b, ok := p.free.Get().(*[]byte); ok && cap(*b) >= n {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n, max(n, batchBytes+batchBytes/8))
	return &b
}

// Put takes memory back, unless it is so large that it was for one object.
func (p *frames) Put(b *[]byte) {
	if cap(*b) <= 2*batchBytes {
		p.free.Put(b)
	}
}

// cutField takes the first field of a message: what comes after its tag, and
// how long both are.
func cutField(in []byte) (number protowire.Number, kind protowire.Type, field []byte, size int, err error) {
	number, kind, tag := protowire.ConsumeTag(in)
	if tag < 0 {
		return 0, 0, nil, 0, protowire.ParseError(tag)
	}
	if number > protowire.MaxValidNumber {
		return 0, 0, nil, 0, fmt.Errorf("field %d is none of protocol buffers", number)
	}
	n := protowire.ConsumeFieldValue(number, kind, in[tag:])
	if n < 0 {
		return 0, 0, nil, 0, protowire.ParseError(n)
	}
	return number, kind, in[tag : tag+n], tag + n, nil
}

// Fields of connectorv1.ReadResponse and connectorv1.Record; tested as those of
// the object are.
const (
	responseRecords protowire.Number = 1
	responseRejects protowire.Number = 2
	responseEnd     protowire.Number = 3
	responseTable   protowire.Number = 4
	responseRows    protowire.Number = 5

	rowID     protowire.Number = 1
	rowValues protowire.Number = 2

	recordID      protowire.Number = 1
	recordObject  protowire.Number = 2
	recordDeleted protowire.Number = 3
)

// beginRecord appends the head of a record, up to its object of size bytes,
// which must follow.
func beginRecord(b []byte, id string, size int) []byte {
	inner := sizeText(id) + 1 + protowire.SizeBytes(size)
	b = protowire.AppendVarint(append(b, recordTag), uint64(inner))
	b = appendText(b, recordIDTag, id)
	return protowire.AppendVarint(append(b, recordObjectTag), uint64(size))
}

// appendGone appends the record of an object that is no longer there.
func appendGone(b []byte, id string) []byte {
	b = protowire.AppendVarint(append(b, recordTag), uint64(sizeText(id)+2))
	return append(appendText(b, recordIDTag, id), recordDeletedTag, 1)
}

// appendMessage appends a message as a field.
func appendMessage(b []byte, field protowire.Number, m proto.Message) ([]byte, error) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(proto.Size(m)))
	return proto.MarshalOptions{}.MarshalAppend(b, m)
}

const (
	recordTag        = byte(responseRecords<<3) | byte(protowire.BytesType)
	recordIDTag      = byte(recordID<<3) | byte(protowire.BytesType)
	recordObjectTag  = byte(recordObject<<3) | byte(protowire.BytesType)
	recordDeletedTag = byte(recordDeleted<<3) | byte(protowire.VarintType)

	rowTag       = byte(responseRows<<3) | byte(protowire.BytesType)
	rowIDTag     = byte(rowID<<3) | byte(protowire.BytesType)
	rowValuesTag = byte(rowValues<<3) | byte(protowire.BytesType)
)
