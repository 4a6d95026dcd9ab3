package session

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Reach takes the steps to each server of o and looks, on the last, whether the
// account may see the base. It returns that connection, which is the caller's to
// close; nil if a step failed.
func (s *Session) Reach(ctx context.Context, o *dc.Options, base func(*dc.Root) string, right string, steps *sdk.Steps) *dc.Conn {
	var c *dc.Conn
	for _, server := range o.Servers {
		if c != nil {
			c.Close()
		}
		if c = s.reach(ctx, o, server, steps); c == nil {
			return nil
		}
	}
	top := base(c.Root)
	if !steps.Try("read "+top, func() (string, error) { return "", s.readBase(ctx, c, top, right) }) {
		c.Close()
		return nil
	}
	return c
}

// reach takes the steps to a connection with server one by one, and returns it;
// nil if one failed.
func (s *Session) reach(ctx context.Context, o *dc.Options, server dc.Server, steps *sdk.Steps) *dc.Conn {
	ctx, cancel := context.WithTimeout(ctx, o.Dial)
	defer cancel()
	var nc net.Conn
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
	}) && step("TLS with "+server.Host, func() (string, error) {
		if o.Clear(server) {
			return "none, as the settings say: everything can be read on the way, passwords too", nil
		}
		t, err := o.Encrypt(ctx, server, nc)
		if err != nil {
			return "", err
		}
		nc = t
		state := t.ConnectionState()
		leaf := state.PeerCertificates[0]
		return fmt.Sprintf("%s, certificate of %s issued by %s, valid until %s", tls.VersionName(state.Version), leaf.Subject, leaf.Issuer,
			leaf.NotAfter.UTC().Format(time.DateOnly)), nil
	}) && step("bind as "+o.Bind, func() (_ string, err error) {
		c, err = o.Ready(ctx, server, nc)
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

// readBase looks whether the account may see base.
func (s *Session) readBase(ctx context.Context, c *dc.Conn, base, right string) error {
	seen := 0
	result, err := c.Search(ctx, wire.Search{Base: base, Scope: wire.ScopeBase, Filter: Any.Bytes(), Attributes: []string{"1.1"}},
		func(*wire.Entry) error { seen++; return nil })
	if err == nil && result.Code != wire.NoSuchObject {
		err = result.Err()
	}
	if err != nil {
		return s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read the base", Object: base, Right: right})
	}
	if seen == 0 {
		return sdk.NotFound("the base is not in the directory, or the service account may not see it", "Correct \"base\", or grant the right to read.").On(base)
	}
	return nil
}
