package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// apply carries an operation out.
func (w *World) apply(op *connectorv1.Operation) *connectorv1.Object {
	o := w.Objects[op.GetId()]
	switch verb := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		w.id++
		o = &connectorv1.Object{Class: op.GetClass(), Id: fmt.Sprintf("guid-%04d", w.id), Address: "CN=" + verb.Create.GetName() + "," + verb.Create.GetContainer()}
		for _, a := range verb.Create.GetAttributes() {
			set(o, a.GetName(), a.GetValues())
		}
		set(o, "cn", []string{verb.Create.GetName()})
		set(o, "enabled", []string{fmt.Sprint(verb.Create.GetEnabled())})
		if slices.Contains(op.GetReturnAttributes(), mapping.MemberOf) {
			set(o, mapping.MemberOf, nil)
		}
		w.Objects[o.GetId()] = o
	case *connectorv1.Operation_Modify:
		for _, c := range verb.Modify.GetChanges() {
			set(o, c.GetName(), c.GetWant())
		}
	case *connectorv1.Operation_Move:
		o.Address = "CN=" + verb.Move.GetName() + "," + verb.Move.GetContainer()
		set(o, "cn", []string{verb.Move.GetName()})
	case *connectorv1.Operation_SetEnabled:
		set(o, "enabled", []string{fmt.Sprint(verb.SetEnabled.GetEnabled())})
	case *connectorv1.Operation_ChangeMembership:
		in := slices.DeleteFunc(slices.Clone(values(o, mapping.MemberOf)), func(id string) bool {
			return slices.Contains(verb.ChangeMembership.GetLeave(), id) || slices.Contains(verb.ChangeMembership.GetJoin(), id)
		})
		set(o, mapping.MemberOf, append(in, verb.ChangeMembership.GetJoin()...))
	case *connectorv1.Operation_Delete:
		delete(w.Objects, op.GetId())
		for _, member := range w.Objects {
			if in := values(member, mapping.MemberOf); slices.Contains(in, op.GetId()) {
				set(member, mapping.MemberOf, slices.DeleteFunc(slices.Clone(in), func(id string) bool { return id == op.GetId() }))
			}
		}
		return nil
	}
	return o
}

// values gives those of an attribute.
func values(o *connectorv1.Object, name string) []string {
	for _, a := range o.GetAttributes() {
		if strings.EqualFold(a.GetName(), name) {
			return a.GetValues()
		}
	}
	return nil
}

// Addresses gives where the targets' objects are, in order.
func (w *World) Addresses() []string {
	var out []string
	for _, o := range w.Objects {
		out = append(out, o.GetAddress())
	}
	slices.Sort(out)
	return out
}

// Value gives the first value of an attribute of the object at an address, "" where there is none.
func (w *World) Value(address, attribute string) string {
	for _, id := range slices.Sorted(maps.Keys(w.Objects)) {
		if o := w.Objects[id]; strings.EqualFold(o.GetAddress(), address) {
			for _, a := range o.GetAttributes() {
				if strings.EqualFold(a.GetName(), attribute) && len(a.GetValues()) > 0 {
					return a.GetValues()[0]
				}
			}
		}
	}
	return ""
}

// Object makes an object of pairs of attribute and value; an empty value is known to be empty.
func Object(class, id, address string, pairs ...string) *connectorv1.Object {
	o := &connectorv1.Object{Class: class, Id: id, Address: address}
	for i := 0; i < len(pairs); i += 2 {
		set(o, pairs[i], strings.Fields(pairs[i+1]))
		if strings.Contains(pairs[i+1], " ") {
			set(o, pairs[i], []string{pairs[i+1]})
		}
	}
	return o
}

func set(o *connectorv1.Object, name string, values []string) {
	i := slices.IndexFunc(o.Attributes, func(a *connectorv1.Attribute) bool { return strings.EqualFold(a.GetName(), name) })
	if i < 0 {
		o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: name, Values: values})
		slices.SortFunc(o.Attributes, func(a, b *connectorv1.Attribute) int { return strings.Compare(a.GetName(), b.GetName()) })
		return
	}
	o.Attributes[i].Values = values
}

func record(o *connectorv1.Object) *connectorv1.Record {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(o)
	if err != nil {
		panic(err) // an object made here always has a form
	}
	return &connectorv1.Record{Id: o.GetId(), Object: text}
}
