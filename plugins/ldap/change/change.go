// Package change works out what a modify sends: of each attribute the values
// that were seen are deleted and the new ones added, so that the server refuses
// it as a whole if somebody changed them meanwhile. That is compare and swap in
// one round trip, on every LDAP server. Of an attribute with many values it is
// not enough, since others may have been added: such are read first and
// compared by [Left], and so is one whose values the server cannot compare,
// of which all are replaced.
//
// It decides and sends nothing.
package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A Change of one attribute, checked and ready for the wire. Of an attribute
// that is Unmatched, Add is all that it shall hold.
type Change struct {
	*schema.Attribute
	Expect, Want []string // text
	Remove, Add  []string // on the wire
}

// Of makes the change from expect to want. Raw turns texts into what the wire
// carries; its error says what is wrong with one.
func Of(a *schema.Attribute, expect, want []string, raw func(texts []string, old bool) ([]string, error)) (c Change, err error) {
	c = Change{Attribute: a, Expect: expect, Want: want}
	add := Without(want, expect)
	if a.Unmatched && len(add)+len(Without(expect, want)) > 0 {
		add = want // all of them, in the place of all
	}
	if c.Add, err = raw(add, false); err != nil {
		return c, err
	}
	if len(want) > 1 && !a.Multi {
		return c, tooMany(a, want)
	}
	c.Remove, err = raw(Without(expect, want), true)
	return c, err
}

// OnWire returns what a modify carries.
func OnWire(todo []Change) []wire.Change {
	var changes []wire.Change
	for _, c := range todo {
		if c.Unmatched {
			changes = append(changes, wire.Change{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: c.Name, Values: c.Add}})
			continue
		}
		if len(c.Remove) > 0 {
			changes = append(changes, wire.Change{Kind: wire.ChangeDelete, Attribute: wire.Attribute{Name: c.Name, Values: c.Remove}})
		}
		if len(c.Add) > 0 {
			changes = append(changes, wire.Change{Kind: wire.ChangeAdd, Attribute: wire.Attribute{Name: c.Name, Values: c.Add}})
		}
	}
	return changes
}

// Left returns the changes that are still to be made, where the object is now
// so. It is a conflict if an attribute holds neither what is expected nor what
// is wanted.
func Left(now *sdk.Object, todo []Change) (left []Change, err error) {
	exact := func(a, b string) bool { return a == b }
	for _, c := range todo {
		switch has := Values(now, c.Name); {
		case SameSet(has, c.Want, exact):
		case SameSet(has, c.Expect, c.Same):
			if len(c.Add)+len(c.Remove) > 0 {
				left = append(left, c)
			}
		default:
			return nil, sdk.Conflict(fmt.Sprintf("%s is now %s, expected %s", c.Name, Show(has), Show(c.Expect)),
				"Nothing: it is planned again from what is there.").On(now.Address).At(c.Name)
		}
	}
	return left, nil
}

// Wanted returns the values that todo adds.
func Wanted(todo []Change) (attributes []wire.Attribute) {
	for _, c := range todo {
		if len(c.Add) > 0 {
			attributes = append(attributes, wire.Attribute{Name: c.Name, Values: c.Add})
		}
	}
	return attributes
}

// Names lists the attributes of todo for a person.
func Names(todo []Change) string {
	names := make([]string, len(todo))
	for i, c := range todo {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// Check says what is wrong with values that an attribute shall hold: too long,
// empty or too many.
func Check(a *schema.Attribute, values []string) error {
	for _, v := range values {
		if n := a.TooLong(v); n > 0 {
			return TooLong(a.Name, n, a.Max)
		}
		if v == "" {
			return sdk.Invalid(a.Name+" has an empty value, which the directory refuses", "Let the mapping leave the attribute out.").At(a.Name)
		}
	}
	if len(values) > 1 && !a.Multi {
		return tooMany(a, values)
	}
	return nil
}

func tooMany(a *schema.Attribute, values []string) error {
	return sdk.Invalid(fmt.Sprintf("%s has %d values, the directory takes one", a.Name, len(values)), "Correct the mapping.").At(a.Name)
}

// TooLong says that a value is longer than its attribute takes.
func TooLong(name string, has, takes int) *sdk.Error {
	return sdk.Invalid(fmt.Sprintf("%s has %d characters, the directory takes %d", name, has, takes),
		"Shorten it in the source, or with left() in the mapping.").At(name)
}

// Values returns the values of an attribute of o.
func Values(o *sdk.Object, name string) []string {
	for _, a := range o.Attributes {
		if strings.EqualFold(a.Name, name) {
			return a.Values
		}
	}
	return nil
}

// SameSet tells whether two sets of values are the same by eq.
func SameSet(x, y []string, eq func(a, b string) bool) bool {
	if len(x) != len(y) {
		return false
	}
	return !slices.ContainsFunc(x, func(a string) bool {
		return !slices.ContainsFunc(y, func(b string) bool { return eq(a, b) })
	})
}

// Without returns those of x that are not exactly in y.
func Without(x, y []string) (rest []string) {
	for _, v := range x {
		if !slices.Contains(y, v) {
			rest = append(rest, v)
		}
	}
	return rest
}

// Show writes values for a person.
func Show(values []string) string {
	switch len(values) {
	case 0:
		return "empty"
	case 1:
		return fmt.Sprintf("%q", values[0])
	}
	return fmt.Sprintf("%q", values)
}
