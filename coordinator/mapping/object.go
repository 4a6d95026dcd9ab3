package mapping

import (
	"errors"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// An Object is a connectorv1.Object read flat: its texts share the memory of
// one copy of the message, so that reading it costs two allocations instead of
// one for every value.
type Object struct {
	Class, ID, Address string
	Attributes         []ObjectAttribute // as in the message
}

// An ObjectAttribute is one attribute of an Object; without values it is known
// to be empty.
type ObjectAttribute struct {
	Name   string
	values []string
	one    [1]string // holds the value of most attributes
}

// Values of the attribute, in the system's order.
func (a *ObjectAttribute) Values() []string {
	if a.values == nil && a.one[0] != "" {
		return a.one[:]
	}
	return a.values
}

var errObject = errors.New("the stored object is not a message that can be read")

// ReadObject reads a marshalled connectorv1.Object. It is an error if the
// bytes are no such message.
func ReadObject(message []byte) (Object, error) {
	var o Object
	return o, o.Read(message)
}

// Read reads a marshalled connectorv1.Object into o, using the room that it has.
func (o *Object) Read(message []byte) error {
	text := string(message)
	if o.Attributes == nil {
		o.Attributes = make([]ObjectAttribute, 0, 16) // most have no more
	}
	*o = Object{Attributes: o.Attributes[:0]}
	return fields(message, 0, func(number protowire.Number, from, to int) error {
		switch number {
		case 1:
			o.Class = text[from:to]
		case 2:
			o.ID = text[from:to]
		case 3:
			o.Address = text[from:to]
		case 4:
			o.Attributes = append(o.Attributes, ObjectAttribute{})
			a := &o.Attributes[len(o.Attributes)-1]
			return fields(message[from:to], from, func(number protowire.Number, from, to int) error {
				switch v := text[from:to]; {
				case number == 1:
					a.Name = v
				case number != 2:
				case a.values == nil && a.one[0] == "":
					if a.one[0] = v; v == "" {
						a.values = []string{v}
					}
				case a.values == nil:
					a.values = []string{a.one[0], v}
				default:
					a.values = append(a.values, v)
				}
				return nil
			})
		}
		return nil
	})
}

// fields calls visit for every field of bytes with its place, counted from base.
func fields(b []byte, base int, visit func(number protowire.Number, from, to int) error) error {
	for at := 0; at < len(b); {
		number, kind, n := protowire.ConsumeTag(b[at:])
		if n < 0 {
			return errObject
		}
		at += n
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b[at:]); n < 0 {
				return errObject
			}
			at += n
			continue
		}
		size, n := protowire.ConsumeVarint(b[at:])
		if n < 0 || size > uint64(len(b)-at-n) {
			return errObject
		}
		at += n
		if err := visit(number, base+at, base+at+int(size)); err != nil {
			return err
		}
		at += int(size)
	}
	return nil
}

// Get gives the values of the attribute, whatever the case of its name, and
// whether the object has it at all.
func (o *Object) Get(name string) (values []string, known bool) {
	for i := range o.Attributes {
		if a := &o.Attributes[i]; len(a.Name) == len(name) && strings.EqualFold(a.Name, name) {
			return a.Values(), true
		}
	}
	return nil, false
}
