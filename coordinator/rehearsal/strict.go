package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Names are the attributes whose values no two objects of a class may share.
var Names = []string{"sAMAccountName", "userName"}

// refuse answers an operation that a system would not carry out as it stands, as
// the connectors do: compare and swap, one object for an anchor, one holder for a
// name and a place. It tells whether it has.
func (w *World) refuse(r *linkv1.Result, op *connectorv1.Operation) bool {
	o := w.Objects[op.GetId()]
	if op.GetId() != "" && o == nil {
		return w.answer(r, connectorv1.Outcome_OUTCOME_NOT_FOUND, "there is no such object", op.GetId(), nil)
	}
	switch verb := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		c := verb.Create
		if earlier := w.having(op.GetClass(), "", c.GetAnchor().GetName(), c.GetAnchor().GetValues()); earlier != nil {
			r.Object, r.Unchanged = record(earlier), true
			return true
		}
		for _, a := range c.GetAttributes() {
			if w.taken(r, op, a.GetName(), a.GetValues()) {
				return true
			}
		}
		return w.occupied(r, op, "CN="+c.GetName()+","+c.GetContainer())
	case *connectorv1.Operation_Modify:
		for _, c := range verb.Modify.GetChanges() {
			if now := values(o, c.GetName()); !alike(now, c.GetExpect()) && !alike(now, c.GetWant()) {
				return w.answer(r, connectorv1.Outcome_OUTCOME_CONFLICT, c.GetName()+" holds neither what was seen nor what is wanted", op.GetId(), o)
			}
			if w.taken(r, op, c.GetName(), c.GetWant()) {
				return true
			}
		}
	case *connectorv1.Operation_Move:
		to := "CN=" + verb.Move.GetName() + "," + verb.Move.GetContainer()
		if o.GetAddress() != verb.Move.GetExpectAddress() && o.GetAddress() != to {
			return w.answer(r, connectorv1.Outcome_OUTCOME_CONFLICT, "it is at "+o.GetAddress(), op.GetId(), o)
		}
		return w.occupied(r, op, to)
	case *connectorv1.Operation_ChangeMembership:
		for _, id := range verb.ChangeMembership.GetJoin() {
			if w.Objects[id] == nil {
				return w.answer(r, connectorv1.Outcome_OUTCOME_NOT_FOUND, "there is no such group", id, nil)
			}
		}
	}
	return false
}

func (w *World) answer(r *linkv1.Result, outcome connectorv1.Outcome, cause, object string, now *connectorv1.Object) bool {
	r.Outcome, r.Fault = outcome, &connectorv1.Fault{Cause: cause, Object: object, NextStep: "Nothing: it is planned again."}
	if now != nil {
		r.Object = record(now)
	}
	return true
}

func (w *World) taken(r *linkv1.Result, op *connectorv1.Operation, name string, wanted []string) bool {
	if !slices.Contains(Names, name) || w.having(op.GetClass(), op.GetId(), name, wanted) == nil {
		return false
	}
	r.Outcome = connectorv1.Outcome_OUTCOME_CONFLICT
	r.Fault = &connectorv1.Fault{Cause: "another object has this " + name, Attribute: name, NextStep: "Another is tried.", Taken: true}
	return true
}

func (w *World) occupied(r *linkv1.Result, op *connectorv1.Operation, at string) bool {
	for id, o := range w.Objects {
		if id != op.GetId() && o.GetClass() == op.GetClass() && strings.EqualFold(o.GetAddress(), at) {
			r.Outcome = connectorv1.Outcome_OUTCOME_CONFLICT
			r.Fault = &connectorv1.Fault{Cause: fmt.Sprintf("another object is at %s", at), Attribute: "cn", Object: at, NextStep: "Another is tried.", Taken: true}
			return true
		}
	}
	return false
}

// having finds another object of a class with just one value that it is looked for by.
func (w *World) having(class, but, name string, wanted []string) *connectorv1.Object {
	if name == "" || len(wanted) != 1 {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(w.Objects)) {
		if o := w.Objects[id]; id != but && o.GetClass() == class && alike(values(o, name), wanted) {
			return o
		}
	}
	return nil
}

// find answers a search.
func (w *World) find(r *linkv1.Result, q *connectorv1.FindRequest) {
	for _, id := range slices.Sorted(maps.Keys(w.Objects)) {
		o := w.Objects[id]
		if o.GetClass() != q.GetClass() {
			continue
		}
		for _, v := range q.GetValues() {
			if alike(values(o, q.GetAttribute()), []string{v}) {
				r.Found = append(r.Found, record(o))
			}
		}
	}
}

// alike tells whether two lists hold the same values, whatever their order and case.
func alike(a, b []string) bool {
	fold := func(list []string) []string {
		out := make([]string, 0, len(list))
		for _, v := range list {
			if v != "" {
				out = append(out, strings.ToLower(v))
			}
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(fold(a), fold(b))
}
