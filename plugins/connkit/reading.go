package connkit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// few keeps a list of faults readable.
func few(faults []error) error {
	if rest := len(faults) - 5; rest > 0 {
		faults = append(faults[:5:5], fmt.Errorf("and %d more", rest))
	}
	return errors.Join(faults...)
}

func readsValues(ctx context.Context, k *kit) error {
	r, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	if len(r.objects) == 0 {
		return fmt.Errorf("the read gives no object of class %q; the system of the test must hold some", k.Class)
	}
	var faults []error
	for _, id := range r.twice {
		faults = append(faults, fmt.Errorf("id %q came twice in one read", id))
	}
	for _, id := range slices.Sorted(maps.Keys(r.objects)) {
		faults = append(faults, k.form(r.objects[id])...)
	}
	if k.Group != nil && k.Group.Class != k.Class {
		q := k.query()
		q.Classes = append(q.Classes, k.Group.Class)
		both, err := k.readAll(ctx, k.p, q, nil)
		if err != nil {
			return err
		}
		for _, id := range both.twice {
			faults = append(faults, fmt.Errorf("id %q is that of an object of class %s and of one of %s", id, k.Class, k.Group.Class))
		}
	}
	unlike := map[string]int{}
	for _, o := range r.objects {
		for _, v := range valuesOf(o, k.Attributes[0]) {
			unlike[v]++
		}
	}
	if len(unlike) == 0 {
		faults = append(faults, fmt.Errorf("no object shows attribute %q, the first of those in test.yaml", k.Attributes[0]))
	}
	return few(faults)
}

var whole = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// form checks one object against the schema.
func (k *kit) form(o *connectorv1.Object) (faults []error) {
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("object %q: "+format, append([]any{o.GetId()}, args...)...))
	}
	if o.GetClass() != k.Class {
		bad("has class %q; asked was for %q", o.GetClass(), k.Class)
	}
	last := ""
	for _, a := range o.GetAttributes() {
		if a.GetName() <= last {
			bad("attribute %q comes after %q; want ascending names, each once", a.GetName(), last)
		}
		last = a.GetName()
		t := k.attribute(a.GetName())
		if t == nil {
			bad("attribute %q is not in the schema", a.GetName())
			continue
		}
		if !t.GetMulti() && len(a.GetValues()) > 1 {
			bad("attribute %q has %d values; the schema says one", a.GetName(), len(a.GetValues()))
		}
		for _, v := range a.GetValues() {
			if fault := misfit(t.GetType(), v); fault != "" {
				bad("value %.40q of attribute %q is %s", v, a.GetName(), fault)
			}
		}
	}
	return faults
}

// misfit says how a value is not as its type has it, or nothing.
func misfit(t connectorv1.Type, v string) string {
	switch t {
	case connectorv1.Type_TYPE_INTEGER:
		if !whole.MatchString(v) {
			return "no decimal integer"
		}
	case connectorv1.Type_TYPE_BOOLEAN:
		if v != "true" && v != "false" {
			return `neither "true" nor "false"`
		}
	case connectorv1.Type_TYPE_TIMESTAMP:
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil || !strings.HasSuffix(v, "Z") {
			return "no time of RFC 3339 in UTC (…Z)"
		}
	case connectorv1.Type_TYPE_BINARY:
		if _, err := base64.StdEncoding.Strict().DecodeString(v); err != nil {
			return "no standard base64 with padding"
		}
	case connectorv1.Type_TYPE_REFERENCE:
		if v == "" {
			return "no native id"
		}
	}
	return ""
}

func readsTheSame(ctx context.Context, k *kit) error {
	a, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	b, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	return differ(a, b)
}

func readsRows(ctx context.Context, k *kit) error {
	a, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	q := k.query()
	q.Rows = true
	b, err := k.readAll(ctx, k.p, q, nil)
	if err != nil {
		return err
	}
	return differ(a, b)
}

// differ tells how two reads differ.
func differ(a, b *page) error {
	var faults []error
	for id := range a.objects {
		switch {
		case b.objects[id] == nil:
			faults = append(faults, fmt.Errorf("object %q is in the first read and not in the second", id))
		case !bytes.Equal(a.encoded[id], b.encoded[id]):
			faults = append(faults, fmt.Errorf("object %q differs: first %.200s, then %.200s", id, a.objects[id], b.objects[id]))
		}
	}
	for id := range b.objects {
		if a.objects[id] == nil {
			faults = append(faults, fmt.Errorf("object %q is in the second read and not in the first", id))
		}
	}
	return few(faults)
}

func readsOnlyAsked(ctx context.Context, k *kit) error {
	asked := k.Attributes[0]
	r, err := k.readAll(ctx, k.p, k.query(strings.ToUpper(asked)), nil)
	if err != nil {
		return err
	}
	var faults []error
	some := false
	for id, o := range r.objects {
		for _, a := range o.GetAttributes() {
			if some = some || len(a.GetValues()) > 0; !strings.EqualFold(a.GetName(), asked) {
				faults = append(faults, fmt.Errorf("asked for %q alone, object %q shows %q", asked, id, a.GetName()))
			}
		}
	}
	if !some {
		faults = append(faults, fmt.Errorf("asked for %q, spelled %q, no object shows it; names are compared without regard to case", asked, strings.ToUpper(asked)))
	}
	strange := k.query()
	strange.Classes = []string{"no such class"}
	if r, err := k.read(ctx, k.p, strange, nil); err != nil {
		faults = append(faults, fmt.Errorf("a read of a class that is not there breaks: %w", err))
	} else if len(r.objects) > 0 {
		faults = append(faults, fmt.Errorf("a read of a class that is not there gives %d objects", len(r.objects)))
	}
	return few(faults)
}

// maxRecords in one response: "a few hundred", generously.
const maxRecords = 1000

func readsInBatches(ctx context.Context, k *kit) error {
	r, err := k.readAll(ctx, k.p, k.query(), nil)
	if err == nil && r.largest > maxRecords {
		err = fmt.Errorf("a response held %d records; want at most a few hundred", r.largest)
	}
	return err
}

// cancelWait is how long a read that was given up may go on.
const cancelWait = 10 * time.Second

func outlivesCancel(ctx context.Context, k *kit) error {
	for n := range 6 { // at once, and ever later
		callCtx, cancel := context.WithCancel(ctx)
		stream, err := k.p.Read(callCtx, k.query())
		if err == nil && n > 0 {
			_, err = stream.Recv()
		}
		if err := pause(ctx, time.Duration(n*n)*time.Millisecond); err != nil {
			cancel()
			return err
		}
		cancel()
		for err == nil {
			_, err = stream.Recv()
		}
	}
	began := time.Now()
	if _, err := k.readAll(ctx, k.p, k.query(), nil); err != nil {
		return fmt.Errorf("after a read that was given up, the next fails: %w", err)
	}
	if took := time.Since(began); took > cancelWait {
		return fmt.Errorf("after reads that were given up, the next took %v", took)
	}
	return nil
}

func finds(ctx context.Context, k *kit) error {
	r, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	name := k.Attributes[0]
	var faults []error
	tried := 0
	for _, id := range slices.Sorted(maps.Keys(r.objects)) {
		values := valuesOf(r.objects[id], name)
		if len(values) == 0 {
			continue
		}
		found, err := k.find(ctx, k.p, name, values[0], k.Attributes...)
		switch {
		case err != nil:
			return err
		case len(found) != 1 || found[0].GetId() != id:
			faults = append(faults, fmt.Errorf("%s=%q finds %d objects; a read shows %q to have it, and no other", name, values[0], len(found), id))
		case !sameObject(found[0], r.objects[id]):
			faults = append(faults, fmt.Errorf("object %q is %.200s as it is found, and %.200s as it is read", id, found[0], r.objects[id]))
		}
		if tried++; tried == 20 {
			break
		}
	}
	for _, value := range []string{"nobody has this value", `*)(x=*`, `\2a`, "*", "' OR '1'='1", "'; --", `" or true or "`, "%", "_"} {
		found, err := k.find(ctx, k.p, name, value, k.Attributes...)
		if err != nil {
			faults = append(faults, err)
		} else if len(found) > 0 {
			faults = append(faults, fmt.Errorf("%s=%q finds %d objects; want none", name, value, len(found)))
		}
	}
	return few(faults)
}

func sameObject(a, b *connectorv1.Object) bool {
	return slices.EqualFunc(a.GetAttributes(), b.GetAttributes(), func(a, b *connectorv1.Attribute) bool {
		return a.GetName() == b.GetName() && slices.Equal(a.GetValues(), b.GetValues())
	}) && a.GetId() == b.GetId() && a.GetClass() == b.GetClass()
}
