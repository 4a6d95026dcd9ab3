package activedirectory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Probe tries each controller up to the bind, then what the account may do on
// one of them.
func (s *System) Probe(ctx context.Context, classes []string, steps *sdk.Steps) {
	var c *dc.Conn
	for _, server := range s.options.Servers {
		if c != nil {
			c.Close()
		}
		if c = s.probeServer(ctx, server, steps); c == nil {
			return
		}
	}
	defer c.Close()
	base := s.base(c.Root)
	if !steps.Try("read "+base, func() (string, error) { return s.probeBase(ctx, c, base) }) {
		return
	}
	if c.Root.ActiveDirectory {
		steps.Try("changes by DirSync", func() (string, error) { return s.probeChanges(ctx, c) })
		for _, name := range classes {
			class := classOf(name)
			steps.Try("rights over "+class.name+" objects", func() (string, error) { return s.probeRights(ctx, c, base, class) })
		}
	}
}

// probeServer takes the steps to a connection one by one; nil if one failed.
func (s *System) probeServer(ctx context.Context, server dc.Server, steps *sdk.Steps) *dc.Conn {
	ctx, cancel := context.WithTimeout(ctx, s.options.Dial)
	defer cancel()
	var nc net.Conn
	var t *tls.Conn
	var c *dc.Conn
	step := func(name string, do func() (string, error)) bool {
		return steps.Try(name, func() (string, error) {
			detail, err := do()
			if err != nil {
				err = s.Fault(err, fault.About{Server: server, Doing: name})
			}
			return detail, err
		})
	}
	ok := step("resolve "+server.Host, func() (string, error) {
		addresses, err := net.DefaultResolver.LookupHost(ctx, server.Host)
		if err != nil {
			return "", &dc.StepError{Server: server, Step: "resolve", Err: err}
		}
		return strings.Join(addresses, ", "), nil
	}) && step("connect to "+server.Address, func() (_ string, err error) {
		nc, err = dc.Connect(ctx, server)
		return "", err
	}) && step("TLS with "+server.Host, func() (_ string, err error) {
		if t, err = s.options.Encrypt(ctx, server, nc); err != nil {
			return "", err
		}
		state := t.ConnectionState()
		leaf := state.PeerCertificates[0]
		return fmt.Sprintf("%s, certificate of %s issued by %s, valid until %s", tls.VersionName(state.Version), leaf.Subject, leaf.Issuer,
			leaf.NotAfter.UTC().Format(time.DateOnly)), nil
	}) && step("bind as "+s.settings.Bind, func() (_ string, err error) {
		c, err = s.options.Ready(ctx, server, t)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, domain %s", c.Root.Name, c.Root.Base), nil
	})
	if !ok && c == nil && nc != nil {
		_ = nc.Close()
	}
	return c
}

func (s *System) probeBase(ctx context.Context, c *dc.Conn, base string) (string, error) {
	seen := 0
	result, err := c.Search(ctx, wire.Search{Base: base, Scope: wire.ScopeBase, Filter: session.Any.Bytes(), Attributes: []string{"1.1"}},
		func(*wire.Entry) error { seen++; return nil })
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return "", s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read the base", Object: base, Right: `"List contents" and "Read all properties"`})
	}
	if seen == 0 {
		return "", sdk.NotFound("the base is not in the directory, or the service account may not see it", "Correct \"base\", or grant the right to read.").On(base)
	}
	return "", nil
}

func (s *System) probeChanges(ctx context.Context, c *dc.Conn) (string, error) {
	if !c.Root.Supports(dirSync) {
		return "the server does not offer it; every read is a full one", nil
	}
	for _, flags := range []int64{incrementalValues, incrementalValues | objectSecurity} {
		p := position{Flags: flags}
		err := s.sync(ctx, c, &p, nothing, []string{"objectGUID"}, func(*wire.Entry) error { return nil })
		if refused, ok := errors.AsType[*wire.ResultError](err); ok && denies(refused) {
			continue
		}
		if err != nil {
			return "", s.Fault(err, fault.About{Server: c.Root.Server, Doing: "ask for changes by DirSync", Object: c.Root.Base})
		}
		if flags&objectSecurity != 0 {
			return `by what the account may read, for it lacks "Replicating Directory Changes"`, nil
		}
		return `with "Replicating Directory Changes"`, nil
	}
	return `refused; every read is a full one until "Replicating Directory Changes" is granted on ` + c.Root.Base, nil
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
		return "the server names nothing that may be created directly below " + base + "; rights on an OU below it are seen when it is used", nil
	}
	may := slices.ContainsFunc(e.Values("allowedChildClassesEffective"), func(name string) bool { return strings.EqualFold(name, class.name) })
	if may {
		return "may create them directly below " + base, nil
	}
	return "may not create them directly below " + base + "; rights on an OU below it are seen when it is used", nil
}
