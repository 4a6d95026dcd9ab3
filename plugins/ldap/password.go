package ldap

import (
	"context"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/password"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// modifyPassword is the operation of RFC 3062; pwdReset the attribute by which
// a person must choose another at first use (draft-behera-ldap-password-policy
// 5.3.7).
const (
	modifyPassword = "1.3.6.1.4.1.4203.1.11.1"
	pwdReset       = "pwdReset"
)

// A newPassword is one that was made and not yet given.
type newPassword struct {
	secret sealed.Secret
	box    []byte
	reset  bool
}

// newPassword makes a password by the rule, after looking whether the server
// would take it; nil without a rule.
func (s *System) newPassword(ctx context.Context, rule *connectorv1.PasswordRule) (*newPassword, error) {
	if rule == nil {
		return nil, nil
	}
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if s.options.Clear(c.Root.Server) {
		return nil, sdk.Invalid("a password is not sent to "+c.Root.Server.URL+" without encryption",
			"Use ldaps://, or StartTLS by taking \"plain\" out of the settings.").At("userPassword")
	}
	if !c.Root.Extends(modifyPassword) {
		return nil, sdk.Invalid(c.Root.Server.URL+" does not offer the operation that sets passwords (RFC 3062)",
			"Enable it on the server, or take the password rule out of the mapping.").At("userPassword")
	}
	d, err := s.known(ctx, c)
	if err != nil {
		return nil, err
	}
	n := &newPassword{reset: rule.GetChangeAtSignIn()}
	if n.reset && d.Attribute(pwdReset) == nil {
		n.reset = false
		s.log.WarnContext(ctx, "Directory has no password policy, so nobody is made to change the first password", "server", c.Root.Server.URL)
	}
	n.secret, n.box, err = password.Generate(rule)
	return n, err
}

// SetPassword gives the object a new password, which nobody learns but the
// recipients of the rule.
func (s *System) SetPassword(ctx context.Context, t sdk.Target, rule *connectorv1.PasswordRule) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	n, err := s.newPassword(ctx, rule)
	if err != nil {
		return sdk.Result{}, err
	}
	locked, err := s.isLocked(ctx, target.dn)
	if err != nil {
		return sdk.Result{}, err
	}
	if err := s.give(ctx, target.dn, n, locked); err != nil {
		return sdk.Result{}, err
	}
	return s.after(ctx, t, target.dn, sdk.Result{SealedPassword: n.box}), nil
}

// isLocked tells whether the account at name is locked, as the settings say.
func (s *System) isLocked(ctx context.Context, name string) (bool, error) {
	lock := s.settings.Enabled
	if lock.Attribute == "" {
		return false, nil
	}
	e, _, err := s.ReadOne(ctx, name, []string{lock.Attribute})
	return err == nil && e != nil && lock.locks(valuesOf(e, lock.Attribute)), err
}

// give sets the password of the object at name. A password policy unlocks an
// account that gets one; one that is to be locked is locked again.
func (s *System) give(ctx context.Context, name string, n *newPassword, locked bool) error {
	b, at := ber.Open(nil, ber.Sequence)
	b = ber.Text(b, 0x80, name)
	b = ber.Text(b, 0x82, n.secret.Reveal())
	if err := s.set(ctx, name, wire.Extended{OID: modifyPassword, Value: ber.Shut(b, at)}); err != nil {
		return err
	}
	var more []wire.Change
	if n.reset {
		more = append(more, wire.Change{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: pwdReset, Values: []string{"TRUE"}}})
	}
	if lock := s.settings.Enabled; locked && lock.Attribute != "" {
		still, err := s.isLocked(ctx, name)
		if err != nil {
			return err
		}
		if !still {
			more = append(more, wire.Change{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: lock.Attribute, Values: []string{lock.disabledValue()}}})
		}
	}
	if len(more) == 0 {
		return nil
	}
	return s.set(ctx, name, wire.Modify{DN: name, Changes: more})
}

func (s *System) set(ctx context.Context, name string, request wire.Request) error {
	result, c, err := s.Write(ctx, request)
	if err == nil && result.Code != wire.Success {
		err = s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "set the password", Object: name, Right: "write access to userPassword, pwdReset and what locks the account,", Attribute: "userPassword",
		})
	}
	return err
}
