package activedirectory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Bits of userAccountControl (MS-ADTS 2.2.16).
const (
	accountDisabled     = 0x2
	passwordNotRequired = 0x20
	normalAccount       = 0x200
)

// writable returns an attribute that an operation may write, or says why it
// may not.
func (s *System) writable(ctx context.Context, c *dc.Conn, name string) (*schema.Attribute, error) {
	a, err := s.attribute(ctx, c, name)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(a.Name) {
	case schema.Enabled:
		return nil, sdk.Invalid("enabled is not written as an attribute", "Let the lifecycle of the mapping enable and disable.").At(a.Name)
	case schema.Container, schema.RDN, "cn", "ou", "distinguishedname":
		return nil, sdk.Invalid(a.Name+" follows from where the object is", "Use name and container of the mapping.").At(a.Name)
	case "unicodepwd", "userpassword", "dbcspwd":
		return nil, sdk.Invalid("a password is not written as an attribute", "Use the password rule of the mapping.").At(a.Name)
	case "memberof":
		return nil, sdk.Invalid("memberOf is worked out by the server", "Use the groups of the mapping.").At(a.Name)
	}
	if a.ReadOnly {
		return nil, sdk.Invalid(a.Name+" is written by the server only", "Take it out of the mapping.").At(a.Name)
	}
	return a, nil
}

// raw turns values into what the wire carries, after checking their form and
// length against the schema.
func raw(a *schema.Attribute, values []string) ([]string, error) {
	raws := make([]string, len(values))
	for i, v := range values {
		if n := a.TooLong(v); n > 0 {
			return nil, tooLong(a.Name, n, a.Max)
		}
		if v == "" {
			return nil, sdk.Invalid(a.Name+" has an empty value, which Active Directory refuses", "Let the mapping leave the attribute out.").At(a.Name)
		}
		var err error
		if raws[i], err = a.Raw(v); err != nil {
			return nil, sdk.Invalid(err.Error(), "Correct the value in the source or the mapping.").At(a.Name)
		}
	}
	if len(values) > 1 && !a.Multi {
		return nil, sdk.Invalid(fmt.Sprintf("%s has %d values, Active Directory takes one", a.Name, len(values)), "Correct the mapping.").At(a.Name)
	}
	return raws, nil
}

func tooLong(name string, has, takes int) *sdk.Error {
	return sdk.Invalid(fmt.Sprintf("%s has %d characters, Active Directory takes %d", name, has, takes),
		"Shorten it in the source, or with left() in the mapping.").At(name)
}

// valuesOf returns the values of an attribute of o.
func valuesOf(o *sdk.Object, name string) []string {
	for _, a := range o.Attributes {
		if strings.EqualFold(a.Name, name) {
			return a.Values
		}
	}
	return nil
}

// sameSet tells whether two sets of values are the same by eq.
func sameSet(x, y []string, eq func(a, b string) bool) bool {
	if len(x) != len(y) {
		return false
	}
	return !slices.ContainsFunc(x, func(a string) bool {
		return !slices.ContainsFunc(y, func(b string) bool { return eq(a, b) })
	})
}

// without returns those of x that are not exactly in y.
func without(x, y []string) (rest []string) {
	for _, v := range x {
		if !slices.Contains(y, v) {
			rest = append(rest, v)
		}
	}
	return rest
}

// show writes values for a person.
func show(values []string) string {
	switch len(values) {
	case 0:
		return "empty"
	case 1:
		return fmt.Sprintf("%q", values[0])
	}
	return fmt.Sprintf("%q", values)
}
