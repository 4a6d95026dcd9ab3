package activedirectory

import (
	"context"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/password"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// unicodePwd is how Active Directory takes a password: quoted, in UTF-16
// (MS-ADTS 3.1.1.3.1.5).
func unicodePwd(secret sealed.Secret) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + secret.Reveal() + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// SetPassword gives the object a new password, which nobody learns but the
// recipients of the rule.
func (s *System) SetPassword(ctx context.Context, t sdk.Target, rule *connectorv1.PasswordRule) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	secret, box, err := password.Generate(rule)
	if err != nil {
		return sdk.Result{}, err
	}
	result, c, err := s.Write(ctx, wire.Modify{DN: target, Changes: passwordChanges(secret, rule)})
	if err != nil {
		return sdk.Result{}, err
	}
	if err := result.Err(); err != nil {
		return sdk.Result{Server: c.Root.Name}, s.Fault(err, fault.About{
			Server: c.Root.Server, Doing: "set the password", Object: target, Right: `"Reset password"`, Attribute: "unicodePwd",
		})
	}
	return s.after(ctx, t, target, sdk.Result{Server: c.Root.Name, SealedPassword: box}), nil
}

func passwordChanges(secret sealed.Secret, rule *connectorv1.PasswordRule) []wire.Change {
	changes := []wire.Change{{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: "unicodePwd", Values: []string{unicodePwd(secret)}}}}
	if rule.GetChangeAtSignIn() {
		changes = append(changes, wire.Change{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: "pwdLastSet", Values: []string{"0"}}})
	}
	return changes
}

// after adds to r the object as it is now, if any of it was asked for. That it
// cannot be read takes nothing from what was done.
func (s *System) after(ctx context.Context, t sdk.Target, base string, r sdk.Result) sdk.Result {
	if len(t.Attributes) == 0 {
		return r
	}
	o, err := s.object(ctx, classOf(t.Class).name, base, t.Attributes)
	if err != nil {
		s.log.WarnContext(ctx, "Object could not be read after the write", "object", strings.ToLower(base), "err", err)
	}
	r.Object = o
	return r
}
