package connkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A page is everything that one read gave.
type page struct {
	objects map[string]*connectorv1.Object
	encoded map[string][]byte
	twice   []string // ids that came more than once
	gone    []string
	rejects int
	batches int
	largest int // records in one response
	end     *connectorv1.ReadEnd
}

func (k *kit) query(attributes ...string) *connectorv1.ReadRequest {
	if attributes == nil {
		attributes = k.Attributes
	}
	return &connectorv1.ReadRequest{Classes: []string{k.Class}, Attributes: attributes}
}

// readAll reads to the end, which must be DONE; between is called after each
// response but the last.
func (k *kit) readAll(ctx context.Context, p *process, q *connectorv1.ReadRequest, between func(*page) error) (*page, error) {
	r, err := k.read(ctx, p, q, between)
	if err == nil && r.end.GetOutcome() != sdk.OutcomeDone {
		err = fmt.Errorf("a read ended %v: %s", r.end.GetOutcome(), r.end.GetFault().GetCause())
	}
	return r, err
}

func (k *kit) read(ctx context.Context, p *process, q *connectorv1.ReadRequest, between func(*page) error) (*page, error) {
	ctx, cancel := k.limit(ctx)
	defer cancel()
	stream, err := p.Read(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("call Read: %w", err)
	}
	r := &page{objects: map[string]*connectorv1.Object{}, encoded: map[string][]byte{}}
	for {
		response, err := receive(stream, q.GetRows())
		switch {
		case errors.Is(err, io.EOF) && r.end == nil:
			return nil, errors.New("the stream of a read ended without a response that has an end")
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil:
			return nil, fmt.Errorf("call Read: %w", err)
		case r.end != nil:
			return nil, errors.New("a response came after the one that had the end")
		}
		if err := r.take(response); err != nil {
			return nil, err
		}
		if between != nil && r.end == nil {
			if err := between(r); err != nil {
				return nil, err
			}
		}
	}
}

// receive receives a response as an agent does, which makes records of rows if
// it takes any.
func receive(stream connectorv1.ConnectorService_ReadClient, rows bool) (*connectorv1.ReadResponse, error) {
	response, err := stream.Recv()
	if err != nil || response.GetTable() == nil && len(response.GetRows()) == 0 {
		return response, err
	}
	if !rows {
		return nil, errors.New("a response has rows, for which the request did not ask")
	}
	batch, err := sdk.NewBatch(response)
	if err != nil {
		return nil, err
	}
	for _, row := range batch.Rows() {
		object, err := batch.Object(row)
		if err != nil {
			return nil, err
		}
		response.Records = append(response.Records, &connectorv1.Record{Id: row.GetId(), Object: object})
	}
	return response, nil
}

func (r *page) take(response *connectorv1.ReadResponse) error {
	r.batches++
	r.largest = max(r.largest, len(response.GetRecords()))
	for _, record := range response.GetRecords() {
		if record.GetDeleted() {
			r.gone = append(r.gone, record.GetId())
			continue
		}
		o := &connectorv1.Object{}
		if err := proto.Unmarshal(record.GetObject(), o); err != nil || o.GetId() != record.GetId() || o.GetId() == "" {
			return fmt.Errorf("record %q holds object %q (%v); they must have the same id, which is not empty", record.GetId(), o.GetId(), err)
		}
		if r.objects[o.GetId()] != nil {
			r.twice = append(r.twice, o.GetId())
		}
		r.objects[o.GetId()], r.encoded[o.GetId()] = o, bytes.Clone(record.GetObject())
	}
	r.rejects += len(response.GetRejects())
	r.end = response.GetEnd()
	return nil
}

// apply carries out one operation on a stream of its own.
func (k *kit) apply(ctx context.Context, p *process, op *connectorv1.Operation) (*connectorv1.ApplyResponse, error) {
	ctx, cancel := k.limit(ctx)
	defer cancel()
	stream, err := p.Apply(ctx)
	if err == nil {
		err = stream.Send(&connectorv1.ApplyRequest{Tag: 7, Operation: op})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("call Apply: %w", err)
	}
	r, err := stream.Recv()
	if err != nil {
		return nil, fmt.Errorf("call Apply: %w", err)
	}
	if r.GetTag() != 7 {
		return nil, fmt.Errorf("an operation of tag 7 was answered with tag %d", r.GetTag())
	}
	return r, nil
}

// want carries out an operation that must have this outcome.
func (k *kit) want(ctx context.Context, op *connectorv1.Operation, what string, outcome sdk.Outcome, unchanged bool) (*connectorv1.ApplyResponse, error) {
	r, err := k.apply(ctx, k.p, op)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case r.GetOutcome() != outcome:
		return r, fmt.Errorf("%s: answered %s; want %v", what, said(r), outcome)
	case r.GetUnchanged() != unchanged:
		return r, fmt.Errorf("%s: answered unchanged=%v; want %v", what, r.GetUnchanged(), unchanged)
	}
	return r, nil
}

// said puts an answer in words.
func said(r *connectorv1.ApplyResponse) string {
	if f := r.GetFault(); f != nil {
		return strings.TrimSpace(fmt.Sprintf("%v (%s %s %s)", r.GetOutcome(), f.GetCause(), f.GetAttribute(), f.GetRaw()))
	}
	return r.GetOutcome().String()
}

// create returns an operation that makes a new object, and its anchor's value.
func (k *kit) create() (op *connectorv1.Operation, anchor string) {
	c, n := k.Create, k.number()
	put := func(text string) string { return strings.ReplaceAll(k.marks.Replace(text), "{n}", n) }
	create := &connectorv1.Create{Container: put(c.Container), Name: put(c.Name), Enabled: c.Enabled, MakeContainers: c.MakeContainers}
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		a := &connectorv1.Attribute{Name: name}
		for _, v := range c.Attributes[name] {
			a.Values = append(a.Values, put(v))
		}
		create.Attributes = append(create.Attributes, a)
		if name == c.Anchor {
			create.Anchor, anchor = a, a.Values[0]
		}
	}
	if c.Password > 0 {
		create.Password = &connectorv1.PasswordRule{Length: c.Password}
	}
	return &connectorv1.Operation{Class: k.Class, ReturnAttributes: slices.Sorted(maps.Keys(c.Attributes)),
		Verb: &connectorv1.Operation_Create{Create: create}}, anchor
}

// An item is an object that the kit has made.
type item struct {
	id, anchor string
	create     *connectorv1.Create
}

// make makes an object for a rule to work on; done deletes it, where it can.
func (k *kit) make(ctx context.Context) (item, func(), error) {
	op, anchor := k.create()
	return k.makeFrom(ctx, op, anchor)
}

func (k *kit) makeFrom(ctx context.Context, op *connectorv1.Operation, anchor string) (item, func(), error) {
	none := func() {}
	r, err := k.want(ctx, op, "create", sdk.OutcomeDone, false)
	if err != nil {
		return item{}, none, err
	}
	i := item{id: r.GetObject().GetId(), anchor: anchor, create: op.GetCreate()}
	if i.id == "" {
		return i, none, errors.New("a create that is DONE does not return the object with its native id")
	}
	return i, func() { k.remove(ctx, i.id) }, nil
}

// remove deletes what the kit has made. What cannot be deleted stays.
func (k *kit) remove(ctx context.Context, id string) {
	if k.can(sdk.CanDelete) && k.p != nil {
		_, _ = k.apply(ctx, k.p, deletion(k.Class, id))
	}
}

func deletion(class, id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

func modification(class, id string, changes ...*connectorv1.Change) *connectorv1.Operation {
	return &connectorv1.Operation{Class: class, Id: id, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: changes}}}
}

// with returns every object whose anchor has the value: it looks it up where
// the connector can, and reads all where it cannot.
func (k *kit) with(ctx context.Context, p *process, anchor string, attributes ...string) ([]*connectorv1.Object, error) {
	if k.can(sdk.CanFind) {
		return k.find(ctx, p, k.Create.Anchor, anchor, attributes...)
	}
	r, err := k.readAll(ctx, p, k.query(append(slices.Clone(attributes), k.Create.Anchor)...), nil)
	if err != nil {
		return nil, err
	}
	var all []*connectorv1.Object
	for _, o := range r.objects {
		if slices.Contains(valuesOf(o, k.Create.Anchor), anchor) {
			all = append(all, o)
		}
	}
	return all, nil
}

// one returns the object as it is now.
func (k *kit) one(ctx context.Context, i item, attributes ...string) (*connectorv1.Object, error) {
	all, err := k.with(ctx, k.p, i.anchor, attributes...)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 || all[0].GetId() != i.id {
		return nil, fmt.Errorf("looking for %s=%q gives %d objects; want the one with id %q", k.Create.Anchor, i.anchor, len(all), i.id)
	}
	return all[0], nil
}

func (k *kit) find(ctx context.Context, p *process, attribute, value string, attributes ...string) ([]*connectorv1.Object, error) {
	ctx, cancel := k.limit(ctx)
	defer cancel()
	r, err := p.Find(ctx, &connectorv1.FindRequest{Class: k.Class, Attribute: attribute, Values: []string{value}, ReturnAttributes: attributes})
	if err != nil {
		return nil, fmt.Errorf("find %s=%q: %w", attribute, value, err)
	}
	if r.GetOutcome() != sdk.OutcomeDone {
		return nil, fmt.Errorf("find %s=%q: %v: %s", attribute, value, r.GetOutcome(), r.GetFault().GetCause())
	}
	var all []*connectorv1.Object
	for _, record := range r.GetRecords() {
		o := &connectorv1.Object{}
		if err := proto.Unmarshal(record.GetObject(), o); err != nil || o.GetId() != record.GetId() {
			return nil, fmt.Errorf("find %s=%q: record %q holds object %q (%v)", attribute, value, record.GetId(), o.GetId(), err)
		}
		all = append(all, o)
	}
	return all, nil
}

// valuesOf returns the values of an attribute, whose name is compared without
// regard to case.
func valuesOf(o *connectorv1.Object, name string) []string {
	for _, a := range o.GetAttributes() {
		if strings.EqualFold(a.GetName(), name) {
			return a.GetValues()
		}
	}
	return nil
}

// sameValues compares as sets: most systems keep no order.
func sameValues(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// also is an error at the end of a sentence, or nothing.
func also(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
