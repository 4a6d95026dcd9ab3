package activedirectory

import (
	"context"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Probe tries each controller up to the bind, then what the account may do on
// one of them.
func (s *System) Probe(ctx context.Context, classes []string, steps *sdk.Steps) {
	c := s.Reach(ctx, &s.options, s.base, `"List contents" and "Read all properties"`, steps)
	if c == nil {
		return
	}
	defer c.Close()
	base := s.base(c.Root)
	if c.Root.ActiveDirectory {
		steps.Try("changes by DirSync", func() (string, error) { return s.probeChanges(ctx, c) })
		for _, name := range classes {
			class := classOf(name)
			steps.Try("rights over "+class.name+" objects", func() (string, error) { return s.probeRights(ctx, c, base, class) })
		}
	}
}

func (s *System) probeChanges(ctx context.Context, c *dc.Conn) (string, error) {
	if !c.Root.Supports(dirSync) {
		return "the server does not offer it; every read is a full one", nil
	}
	p, err := s.mayFollow(ctx, c)
	switch {
	case err != nil:
		return "", err
	case p == nil:
		return `refused; every read is a full one until "Replicating Directory Changes" is granted on ` + c.Root.Base, nil
	case p.Flags&objectSecurity != 0:
		return `by what the account may read, for it lacks "Replicating Directory Changes"`, nil
	}
	return `with "Replicating Directory Changes"`, nil
}

// probeRights asks the server what the account may do (MS-ADTS 3.1.1.4.5.13).
func (s *System) probeRights(ctx context.Context, c *dc.Conn, base string, class class) (string, error) {
	e, _, err := s.ReadOne(ctx, base, []string{"allowedChildClassesEffective", "allowedAttributesEffective"})
	if err != nil {
		return "", err
	}
	if e == nil {
		return "", sdk.NotFound("the base is not in the directory", "Correct \"base\".").On(base)
	}
	if len(e.Values("allowedChildClassesEffective")) == 0 {
		return "the server names nothing that may be created directly below " + base + "; the rights in each container that a mapping names are compared by themselves", nil
	}
	may := slices.ContainsFunc(e.Values("allowedChildClassesEffective"), func(name string) bool { return strings.EqualFold(name, class.name) })
	if may {
		return "may create them directly below " + base, nil
	}
	return "may not create them directly below " + base + "; the rights in each container that a mapping names are compared by themselves", nil
}
