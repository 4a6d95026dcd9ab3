package connkit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// hostile values; what a system refuses by name is well.
func hostile() []string {
	return []string{
		"O'Brien, Jr. #1 (Zoë) *", `back\slash "quoted" <tag> & ; = +`, " leading and trailing ", "two  blanks",
		"名前 ישראל محمد", "\u202Eright to left\u202C", "👩‍👩‍👧 family", "line\nbreak", "carriage\r\nreturn", "tab\there",
		"NUL\x00inside", "e\u0301 decomposed", "%s %n {{.}} ${HOME}", "'; DROP TABLE people; --", "*)(uid=*", "=1+1", "NULL", "true", "-", "0",
		strings.Repeat("long ", 60), strings.Repeat("x", 70000),
	}
}

func keepsHostileValues(ctx context.Context, k *kit) error {
	var faults []error
	var refused []string
	judge := func(what, value string, r *connectorv1.ApplyResponse, err error) (take bool) {
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("%s %.30q: %w", what, value, err))
		case r.GetOutcome() == sdk.OutcomeDone:
			return true
		case r.GetOutcome() == sdk.OutcomeInvalid:
			refused = append(refused, fmt.Sprintf("%.12q", value))
		default:
			faults = append(faults, fmt.Errorf("%s %.30q: answered %s; want DONE or INVALID", what, value, said(r)))
		}
		return false
	}
	if _, _, writes := k.sample(); writes && k.can(sdk.CanModify) {
		i, done, err := k.make(ctx)
		if err != nil {
			return err
		}
		defer done()
		name, err := k.freeText(ctx, i)
		if err != nil {
			return err
		}
		for _, value := range hostile() {
			before, err := k.one(ctx, i, name)
			if err != nil {
				return err
			}
			has := valuesOf(before, name)
			r, err := k.apply(ctx, k.p, modification(k.Class, i.id, &connectorv1.Change{Name: name, Expect: has, Want: []string{value}}))
			if k.lost(ctx) {
				return errors.Join(append(faults, fmt.Errorf("at %s=%.30q the connector broke: %w", name, value, err))...)
			}
			want := has
			if judge(name, value, r, err) {
				want = []string{value}
			}
			after, err := k.one(ctx, i, name)
			if err != nil {
				faults = append(faults, fmt.Errorf("after %s=%.30q: %w", name, value, err))
			} else if now := valuesOf(after, name); !sameValues(now, want) {
				faults = append(faults, fmt.Errorf("%s=%.30q reads %.60q; want %.60q", name, value, now, want))
			}
		}
	}
	// In the name, which becomes part of a DN, a path or a URL.
	for _, value := range hostile()[:10] {
		op, anchor := k.create()
		c := op.GetCreate()
		c.Name += " " + value
		r, err := k.apply(ctx, k.p, op)
		if k.lost(ctx) {
			return errors.Join(append(faults, fmt.Errorf("at the name %.30q the connector broke: %w", value, err))...)
		}
		taken := judge("name", value, r, err)
		all, err := k.with(ctx, k.p, anchor)
		if err != nil {
			return err
		}
		for _, o := range all {
			k.remove(ctx, o.GetId())
		}
		if taken != (len(all) == 1) {
			faults = append(faults, fmt.Errorf("a create of the name %.30q was answered %s, and there are %d objects", value, said(r), len(all)))
		}
	}
	if len(refused) > 0 {
		k.notef("refused with INVALID, as it may: %s", strings.Join(slices.Compact(refused), ", "))
	}
	return few(faults)
}

// freeText returns a text attribute that takes any plain text, so that the hard
// ones are not tried on one that holds only dates or codes; where there is none
// the first one.
func (k *kit) freeText(ctx context.Context, i item) (string, error) {
	name, _, _ := k.sample()
	candidates := []string{name}
	for _, a := range k.class.GetAttributes() {
		if k.mayWrite(a) && a.GetType() == connectorv1.Type_TYPE_STRING && a.GetName() != name {
			candidates = append(candidates, a.GetName())
		}
	}
	for _, candidate := range candidates {
		before, err := k.one(ctx, i, candidate)
		if err != nil {
			return "", err
		}
		r, err := k.apply(ctx, k.p, modification(k.Class, i.id, &connectorv1.Change{Name: candidate, Expect: valuesOf(before, candidate), Want: []string{"Plain text"}}))
		if err != nil {
			return "", fmt.Errorf("modify %s: %w", candidate, err)
		}
		if r.GetOutcome() == sdk.OutcomeDone {
			return candidate, nil
		}
	}
	k.notef("no attribute takes any text: the values are tried on %s", name)
	return name, nil
}

// lost tells whether the process broke; it is let go then.
func (k *kit) lost(ctx context.Context) bool { return k.alive(ctx) != nil }
