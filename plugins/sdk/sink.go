package sdk

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Limits of a batch: whichever is reached first. A batch with what is around it
// has room in a buffer of 128 KiB: several are on their way at a time, and larger
// ones are what most of the memory of a read would be for.
const (
	batchRecords = 500
	batchBytes   = 120 << 10
)

// A Sink takes what a reader reads: it drops the attributes that were not
// asked for, puts the rest in order, marshals and batches. Its methods block
// while the agent is slower than the reader, and return an error when nobody
// listens any more; the reader then stops and returns that error. They may be
// called from many goroutines.
type Sink struct {
	mu      sync.Mutex
	layout  *layout
	send    func(*frame) error
	err     error  // of send; sticks
	wire    []byte // the batch, as a connectorv1.ReadResponse goes over the wire
	records int    // in it, rows and rejects among them
	rows    bool   // the agent takes rows
	table   *Rows  // whose rows are in the batch, if there are any
	frames  frames
}

func newSink(attributes []string, send func(*frame) error) *Sink {
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
	s.wire = appendObject(beginRecord(s.room(), o.ID, sizeObject(o, order)), o, order)
	return s.recorded()
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
	s.wire = appendGone(s.room(), id)
	return s.recorded()
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

func (s *Sink) reject(place, reason, id string) error {
	wire, err := appendMessage(s.room(), responseRejects, &connectorv1.Reject{Place: text(place), Reason: text(reason), Id: text(id)})
	if err != nil {
		return err
	}
	s.wire = wire
	return s.recorded()
}

// room is the batch, to append to.
func (s *Sink) room() []byte {
	if s.wire == nil {
		s.wire = (*s.frames.Get(0))[:0]
	}
	return s.wire
}

// recorded counts what was appended and sends the batch when it is full.
func (s *Sink) recorded() error {
	if s.records++; s.records == batchRecords || len(s.wire) >= batchBytes {
		return s.flush()
	}
	return nil
}

// flush sends the batch, whose memory is then gRPC's until it comes back.
func (s *Sink) flush() error {
	s.err = s.send(&frame{wire: s.wire, pool: &s.frames})
	s.wire, s.records, s.table = nil, 0, nil
	return s.err
}

// finish sends what is left together with end, if there is one.
func (s *Sink) finish(end *connectorv1.ReadEnd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	wire := s.room()
	if end != nil {
		var err error
		if wire, err = appendMessage(wire, responseEnd, end); err != nil {
			return err
		}
	}
	s.wire = wire
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
