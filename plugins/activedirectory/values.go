package activedirectory

import (
	"context"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/change"
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
	if err := change.Check(a, values); err != nil {
		return nil, err
	}
	raws := make([]string, len(values))
	for i, v := range values {
		var err error
		if raws[i], err = a.Raw(v); err != nil {
			return nil, sdk.Invalid(err.Error(), "Correct the value in the source or the mapping.").At(a.Name)
		}
	}
	return raws, nil
}
