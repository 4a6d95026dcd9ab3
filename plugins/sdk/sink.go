package sdk

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Limits of a batch: whichever is reached first. 500 records of 1 KiB a batch
// reach 0.97 of a raw socket; a small batch keeps the agent's memory small.
const (
	batchRecords = 500
	batchBytes   = 256 << 10
)

// A Sink takes what a reader reads: it drops the attributes that were not
// asked for, puts the rest in order, marshals and batches. Its methods block
// while the agent is slower than the reader, and return an error when nobody
// listens any more; the reader then stops and returns that error. They may be
// called from many goroutines.
type Sink struct {
	mu      sync.Mutex
	layout  *layout
	send    func(*connectorv1.ReadResponse) error
	err     error // of send; sticks
	batch   connectorv1.ReadResponse
	records []connectorv1.Record // backs batch.Records
	ends    []int                // where each record's object ends in buf
	buf     []byte
}

func newSink(attributes []string, send func(*connectorv1.ReadResponse) error) *Sink {
	return &Sink{layout: newLayout(attributes), send: send}
}

// Object passes o on. It is marshalled before Object returns: o and its slices
// may be used again. An object that cannot be sent, because a text is not
// UTF-8, an attribute is there twice or it has no id, is set aside as a reject
// and is no error.
func (s *Sink) Object(o *Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	order, twice := s.layout.of(o.Attributes)
	if fault := unfit(o, order, twice); fault != "" {
		return s.reject(placeOf(o), fault, o.ID)
	}
	s.buf = appendObject(s.buf, o, order)
	return s.record(o.ID, false)
}

// Gone passes on that the object with this native id is no longer there.
func (s *Sink) Gone(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if id == "" || !utf8.ValidString(id) {
		return s.reject(fmt.Sprintf("deleted object %q", id), "The native id of a deleted object is not text; read everything.", "")
	}
	return s.record(id, true)
}

// Reject passes on that a part of the source was set aside: where it is, such
// as "workers.csv line 17", why and how to mend it, and the native id where it
// could be read.
func (s *Sink) Reject(place, reason, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return s.reject(place, reason, id)
}

func (s *Sink) record(id string, deleted bool) error {
	if s.records == nil {
		s.records = make([]connectorv1.Record, batchRecords)
		s.ends = make([]int, 0, batchRecords)
	}
	r := &s.records[len(s.batch.Records)]
	r.Id, r.Deleted, r.Object = id, deleted, nil
	s.batch.Records = append(s.batch.Records, r)
	s.ends = append(s.ends, len(s.buf))
	if len(s.batch.Records) == batchRecords || len(s.buf) >= batchBytes {
		return s.flush()
	}
	return nil
}

func (s *Sink) reject(place, reason, id string) error {
	s.batch.Rejects = append(s.batch.Rejects, &connectorv1.Reject{Place: text(place), Reason: text(reason), Id: text(id)})
	if len(s.batch.Rejects) == batchRecords {
		return s.flush()
	}
	return nil
}

// flush sends the batch. Its memory is used again: Send has marshalled it
// before it returns.
func (s *Sink) flush() error {
	begin := 0
	for i, r := range s.batch.Records {
		if !r.Deleted {
			r.Object = s.buf[begin:s.ends[i]:s.ends[i]]
		}
		begin = s.ends[i]
	}
	s.err = s.send(&s.batch)
	s.batch.Records, s.batch.Rejects = s.batch.Records[:0], nil
	s.ends, s.buf = s.ends[:0], s.buf[:0]
	return s.err
}

// finish sends what is left together with end.
func (s *Sink) finish(end *connectorv1.ReadEnd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batch.End = end
	return s.flush()
}

// unfit says what keeps o from being sent, or nothing.
func unfit(o *Object, order []int, twice string) string {
	switch {
	case o.ID == "":
		return "The object has no native id; look at it in the system."
	case twice != "":
		return fmt.Sprintf("The connector gave attribute %q twice; report this as a fault of the connector.", twice)
	case !utf8.ValidString(o.ID) || !utf8.ValidString(o.Address) || !utf8.ValidString(o.Class):
		return "The native id or the address is not UTF-8; rename the object in the system."
	}
	for _, i := range order {
		for _, v := range o.Attributes[i].Values {
			if !utf8.ValidString(v) {
				return fmt.Sprintf("The value of attribute %q is not UTF-8; correct it in the system.", o.Attributes[i].Name)
			}
		}
		if name := o.Attributes[i].Name; !utf8.ValidString(name) {
			return fmt.Sprintf("The name of attribute %q is not UTF-8.", name)
		}
	}
	return ""
}

func placeOf(o *Object) string {
	if o.Address != "" {
		return o.Address
	}
	return o.Class + " " + o.ID
}

// An encoder makes records of single objects. Those that follow each other
// mostly have the same attributes asked for, and so share a layout. It is safe
// for concurrent use.
type encoder struct {
	mu     sync.Mutex
	asked  []string
	layout *layout
}

// record returns one object as a record of its own, or a fault of the
// connector's author.
func (e *encoder) record(o *Object, attributes []string) (*connectorv1.Record, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.layout == nil || !slices.Equal(e.asked, attributes) {
		e.asked, e.layout = slices.Clone(attributes), newLayout(attributes)
	}
	order, twice := e.layout.of(o.Attributes)
	if fault := unfit(o, order, twice); fault != "" {
		return nil, Unknown("the object read after the operation cannot be sent", fault).On(text(placeOf(o)))
	}
	return &connectorv1.Record{Id: o.ID, Object: appendObject(nil, o, order)}, nil
}
