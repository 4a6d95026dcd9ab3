package connkit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func creates(ctx context.Context, k *kit) error {
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	o, err := k.one(ctx, i, slices.Collect(maps.Keys(k.Create.Attributes))...)
	if err != nil {
		return err
	}
	var faults []error
	for _, a := range i.create.GetAttributes() {
		if got := valuesOf(o, a.GetName()); !sameValues(got, a.GetValues()) {
			faults = append(faults, fmt.Errorf("created with %s=%q, it has %q", a.GetName(), a.GetValues(), got))
		}
	}
	return errors.Join(faults...)
}

func createsOnce(ctx context.Context, k *kit) error {
	op, anchor := k.create()
	i, done, err := k.makeFrom(ctx, op, anchor)
	if err != nil {
		return err
	}
	defer done()
	again, err := k.want(ctx, op, "the same create again", sdk.OutcomeDone, true)
	if err != nil {
		return err
	}
	if id := again.GetObject().GetId(); id != i.id {
		return fmt.Errorf("created %q; the same create again returns %q", i.id, id)
	}
	var faults []error
	if all, err := k.with(ctx, k.p, anchor); err != nil || len(all) != 1 {
		faults = append(faults, fmt.Errorf("after the same create twice there are %d objects with %s=%q%s", len(all), k.Create.Anchor, anchor, also(err)))
	}
	// Two at a time: one may be told that it cannot be known or that another is
	// in the way, but there must not be two objects.
	op, anchor = k.create()
	answers := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := k.apply(ctx, k.p, op)
			answers <- err
		}()
	}
	faults = append(faults, <-answers, <-answers)
	all, err := k.with(ctx, k.p, anchor)
	for _, o := range all {
		defer k.remove(ctx, o.GetId())
	}
	if err != nil || len(all) != 1 {
		faults = append(faults, fmt.Errorf("after the same create twice at a time there are %d objects with %s=%q%s", len(all), k.Create.Anchor, anchor, also(err)))
	}
	return errors.Join(faults...)
}

// sample returns an attribute that takes a text, and two values for it: one of
// test.yaml, or else the first of the schema.
func (k *kit) sample() (name string, values [2]Values, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(k.Samples)) {
		if k.attribute(name).GetType() == connectorv1.Type_TYPE_STRING {
			return name, k.Samples[name], true
		}
	}
	for _, a := range k.class.GetAttributes() {
		if k.mayWrite(a) && a.GetType() == connectorv1.Type_TYPE_STRING {
			return a.GetName(), k.values(a), true
		}
	}
	return "", values, false
}

func (k *kit) mayWrite(a *connectorv1.AttributeType) bool {
	fixed := func(name string) bool { return strings.EqualFold(name, a.GetName()) }
	return !a.GetReadOnly() && !slices.ContainsFunc(k.Leave, fixed) && !(k.Create != nil && fixed(k.Create.Anchor)) && !fixed(k.Attributes[0])
}

// values returns two that the attribute should take.
func (k *kit) values(a *connectorv1.AttributeType) [2]Values {
	for name, values := range k.Samples {
		if strings.EqualFold(name, a.GetName()) {
			return values
		}
	}
	one := func(x, y string) [2]Values { return [2]Values{{x}, {y}} }
	switch a.GetType() {
	case connectorv1.Type_TYPE_INTEGER:
		return one("41", "42")
	case connectorv1.Type_TYPE_BOOLEAN:
		return one("true", "false")
	case connectorv1.Type_TYPE_TIMESTAMP:
		return one("2024-02-29T12:30:00Z", "2031-12-31T23:59:59Z")
	case connectorv1.Type_TYPE_BINARY:
		return one("AAEC/w==", "Zm9vYmFy")
	}
	x, y := "Zoë "+k.number(), "O'Hara "+k.number()
	if limit := int(a.GetMaxLength()); limit > 0 {
		x, y = x[:min(limit, len(x))], y[:min(limit, len(y))]
		if !utf8.ValidString(x) {
			x = strings.Repeat("x", limit)
		}
	}
	if a.GetMulti() {
		return [2]Values{{x, "second"}, {y}}
	}
	return one(x, y)
}

// unasked attributes are tried up to this number; a directory has hundreds.
const unasked = 60

func keepsSchema(ctx context.Context, k *kit) error {
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	var faults []error
	var refused []string
	taken, tried := 0, 0
	for _, a := range k.class.GetAttributes() {
		values, given := k.sampleOf(a)
		if !k.mayWrite(a) || !given && (a.GetType() == connectorv1.Type_TYPE_REFERENCE || tried >= unasked) {
			continue
		}
		if !given {
			tried++
		}
		took, err := k.writes(ctx, i, a, values, given)
		if took {
			taken++
		} else if err == nil {
			refused = append(refused, a.GetName())
		}
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return few(slices.DeleteFunc(faults, func(err error) bool { return err == nil }))
	}
	if len(refused) > 0 {
		k.notef("the system refused the kit's own values of %s, by name, as it may: to have them tried, give two values that it takes in samples of test.yaml", strings.Join(refused, ", "))
	}
	if taken == 0 {
		return errors.New("not one attribute could be written: give some in samples of test.yaml")
	}
	return nil
}

func (k *kit) sampleOf(a *connectorv1.AttributeType) (values [2]Values, given bool) {
	given = slices.ContainsFunc(slices.Collect(maps.Keys(k.Samples)), func(name string) bool { return strings.EqualFold(name, a.GetName()) })
	return k.values(a), given
}

// writes writes two values and none, and reads each back. What test.yaml gives
// must be taken; what the kit made up may be refused by name.
func (k *kit) writes(ctx context.Context, i item, a *connectorv1.AttributeType, values [2]Values, given bool) (took bool, err error) {
	name := a.GetName()
	for _, want := range []Values{values[0], values[1], nil} {
		before, err := k.one(ctx, i, name)
		if err != nil {
			return took, err
		}
		has := valuesOf(before, name)
		op := modification(k.Class, i.id, &connectorv1.Change{Name: name, Expect: has, Want: want})
		op.ReturnAttributes = []string{name}
		r, err := k.apply(ctx, k.p, op)
		if err != nil {
			return took, fmt.Errorf("modify %s: %w", name, err)
		}
		after, err := k.one(ctx, i, name)
		if err != nil {
			return took, err
		}
		now := valuesOf(after, name)
		switch done := r.GetOutcome() == sdk.OutcomeDone; {
		case done && !sameValues(now, want):
			return took, fmt.Errorf("%s: written %q, and DONE, it reads %q", name, []string(want), now)
		case done && !shows(r, name, want):
			return took, fmt.Errorf("%s: written %q, the answer shows %.200s", name, []string(want), shown(r))
		case !done && !sameValues(now, has):
			return took, fmt.Errorf("%s: refused (%s), and yet it changed from %q to %q", name, said(r), has, now)
		case !done && want != nil && given:
			return took, fmt.Errorf("%s: the value %q of test.yaml is refused: %s", name, []string(want), said(r))
		case !done && r.GetOutcome() == sdk.OutcomeInvalid && want != nil && r.GetFault().GetAttribute() == "":
			return took, fmt.Errorf("%s: the value %q is refused (%s) without naming the attribute", name, []string(want), said(r))
		case !done && want != nil:
			return took, nil
		}
		took = took || want != nil
	}
	return took, nil
}

// shows tells whether the answer's object, if it has one, shows the values.
func shows(r *connectorv1.ApplyResponse, name string, want []string) bool {
	o := shown(r)
	return o == nil || sameValues(valuesOf(o, name), want)
}

func shown(r *connectorv1.ApplyResponse) *connectorv1.Object {
	o := &connectorv1.Object{}
	if r.GetObject() == nil || proto.Unmarshal(r.GetObject().GetObject(), o) != nil {
		return nil
	}
	return o
}

func comparesAndSwaps(ctx context.Context, k *kit) error {
	name, values, ok := k.sample()
	if !ok {
		return errors.New("no attribute can be written: give one in samples of test.yaml")
	}
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	o, err := k.one(ctx, i, name)
	if err != nil {
		return err
	}
	has := valuesOf(o, name)
	set := func(expect, want []string) *connectorv1.Operation {
		return modification(k.Class, i.id, &connectorv1.Change{Name: name, Expect: expect, Want: want})
	}
	if sameValues(has, values[0]) {
		values[0], values[1] = values[1], values[0]
	}
	if _, err := k.want(ctx, set(has, values[0]), "a change of what is expected", sdk.OutcomeDone, false); err != nil {
		return err
	}
	if _, err := k.want(ctx, set(has, values[0]), "the same change again", sdk.OutcomeDone, true); err != nil {
		return err
	}
	var faults []error
	still := func(what string, name string, want []string) {
		if o, err := k.one(ctx, i, name); err != nil || !sameValues(valuesOf(o, name), want) {
			faults = append(faults, fmt.Errorf("after %s, %s is %q%s; want %q as before", what, name, valuesOf(o, name), also(err), want))
		}
	}
	if _, err := k.want(ctx, set([]string{"never there"}, values[1]), "a change of what is not there", sdk.OutcomeConflict, false); err != nil {
		faults = append(faults, err)
	}
	still("a conflict", name, values[0])
	if !sameValues(has, values[0]) {
		if _, err := k.want(ctx, set(nil, values[1]), "a change of what was expected to be empty", sdk.OutcomeConflict, false); err != nil {
			faults = append(faults, err)
		}
		still("a conflict", name, values[0])
	}
	if other := k.another(name); other != nil {
		o, err := k.one(ctx, i, other.GetName())
		if err != nil {
			return err
		}
		was, want := valuesOf(o, other.GetName()), k.values(other)[0]
		op := modification(k.Class, i.id, &connectorv1.Change{Name: other.GetName(), Expect: was, Want: want},
			&connectorv1.Change{Name: name, Expect: []string{"never there"}, Want: values[1]})
		if _, err := k.want(ctx, op, "two changes of which the second is of what is not there", sdk.OutcomeConflict, false); err != nil {
			faults = append(faults, err)
		}
		still("two changes of which one was in conflict", other.GetName(), was)
	}
	return errors.Join(faults...)
}

// another returns a second text attribute that can be written, or nil.
func (k *kit) another(than string) *connectorv1.AttributeType {
	for _, a := range k.class.GetAttributes() {
		_, given := k.sampleOf(a)
		if k.mayWrite(a) && a.GetName() != than && a.GetType() == connectorv1.Type_TYPE_STRING && (given || len(k.Samples) == 0) {
			return a
		}
	}
	return nil
}

func oneWins(ctx context.Context, k *kit) error {
	name, values, ok := k.sample()
	if !ok {
		return errors.New("no attribute can be written: give one in samples of test.yaml")
	}
	other, err := k.open(ctx, nil) // another agent
	if err != nil {
		return err
	}
	defer other.kill()
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	for range 10 {
		o, err := k.one(ctx, i, name)
		if err != nil {
			return err
		}
		has := valuesOf(o, name)
		if has != nil && !sameValues(has, values[0]) && !sameValues(has, values[1]) || has == nil {
			if _, err := k.want(ctx, modification(k.Class, i.id, &connectorv1.Change{Name: name, Expect: has, Want: values[0]}), "modify "+name, sdk.OutcomeDone, false); err != nil {
				return err
			}
			has = values[0]
		}
		type answer struct {
			r   *connectorv1.ApplyResponse
			err error
		}
		// Clearing it and giving it the other value cannot both be made.
		wants := [2][]string{values[1], nil}
		if sameValues(has, values[1]) {
			wants[0] = values[0]
		}
		answers := make(chan answer, 2)
		for n, p := range []*process{k.p, other} {
			go func() {
				r, err := k.apply(ctx, p, modification(k.Class, i.id, &connectorv1.Change{Name: name, Expect: has, Want: wants[n]}))
				answers <- answer{r, err}
			}()
		}
		won := 0
		for range 2 {
			a := <-answers
			if a.err != nil {
				return a.err
			}
			if a.r.GetOutcome() == sdk.OutcomeDone && !a.r.GetUnchanged() {
				won++
			}
		}
		if won > 1 {
			return fmt.Errorf("two changes of %s from %q, to %q and to nothing, were both made", name, has, wants[0])
		}
	}
	return nil
}

func missesObject(ctx context.Context, k *kit) error {
	name, values, ok := k.sample()
	if !ok {
		return errors.New("no attribute can be written: give one in samples of test.yaml")
	}
	i, _, err := k.make(ctx)
	if err != nil {
		return err
	}
	if !k.can(sdk.CanDelete) {
		k.notef("it cannot delete, so an id that never was is tried")
		i.id += "9"
	} else if _, err := k.want(ctx, deletion(k.Class, i.id), "delete", sdk.OutcomeDone, false); err != nil {
		return err
	}
	_, err = k.want(ctx, modification(k.Class, i.id, &connectorv1.Change{Name: name, Want: values[0]}), "a change to an object that is gone", sdk.OutcomeNotFound, false)
	return err
}
