package activedirectory

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math/big"
	"strings"
	"unicode/utf16"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// What passwords are made of: no character that is mistaken for another, that
// a keyboard hides, or that a quoting rule knows.
const (
	capitals = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	smalls   = "abcdefghijkmnopqrstuvwxyz"
	digits   = "23456789"
	signs    = "!#%*+-.:=?@_"
)

// shortestPassword that is generated, whatever a rule says.
const shortestPassword = 12

// newPassword returns one of at least length characters, with all four kinds.
// Never do more than two letters follow each other: a domain refuses a password
// that holds three letters of the person's name (MS-ADTS 3.1.1.7 and the
// password filter's rule of complexity), and by chance one in thousands would.
func newPassword(length uint32) (sealed.Secret, error) {
	n := min(max(int(length), shortestPassword), 127)
	letters, err := draw(n-n/3, capitals, smalls)
	if err != nil {
		return sealed.Secret{}, err
	}
	others, err := draw(n/3, digits, signs)
	if err != nil {
		return sealed.Secret{}, err
	}
	chars := make([]byte, 0, n)
	for i := range n {
		from := &letters
		if i%3 == 2 {
			from = &others
		}
		chars = append(chars, (*from)[0])
		*from = (*from)[1:]
	}
	return sealed.New(string(chars)), nil
}

// draw returns n characters of both kinds, at least one of each, in any order.
func draw(n int, kind, other string) ([]byte, error) {
	chars := make([]byte, n)
	for i := range chars {
		from := kind + other
		switch i {
		case 0:
			from = kind
		case 1:
			from = other
		}
		at, err := below(len(from))
		if err != nil {
			return nil, err
		}
		chars[i] = from[at]
	}
	for i := n - 1; i > 0; i-- { // so that nobody knows where each kind stands
		j, err := below(i + 1)
		if err != nil {
			return nil, err
		}
		chars[i], chars[j] = chars[j], chars[i]
	}
	return chars, nil
}

func below(n int) (int, error) {
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		return 0, err
	}
	return int(v.Int64()), nil
}

// unicodePwd is how Active Directory takes a password: quoted, in UTF-16
// (MS-ADTS 3.1.1.3.1.5).
func unicodePwd(password sealed.Secret) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password.Reveal() + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// generate makes a password by the rule and seals it, before anything is
// written: one that cannot be sealed would be lost.
func generate(rule *connectorv1.PasswordRule) (password sealed.Secret, box []byte, err error) {
	if password, err = newPassword(rule.GetLength()); err != nil {
		return password, nil, sdk.Unavailable("no password could be generated: "+err.Error(), "It is tried again; look at the host's random number generator.")
	}
	if len(rule.GetRecipients()) == 0 {
		return password, nil, nil
	}
	if box, err = sealed.Seal(password, rule.GetRecipients()); err != nil {
		return password, nil, sdk.Invalid("the password cannot be sealed: "+err.Error(), "Correct the recipients of the password rule in the mapping.")
	}
	return password, box, nil
}

// SetPassword gives the object a new password, which nobody learns but the
// recipients of the rule.
func (s *System) SetPassword(ctx context.Context, t sdk.Target, rule *connectorv1.PasswordRule) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	password, box, err := generate(rule)
	if err != nil {
		return sdk.Result{}, err
	}
	result, c, err := s.write(ctx, wire.Modify{DN: target, Changes: passwordChanges(password, rule)})
	if err != nil {
		return sdk.Result{}, err
	}
	if err := result.Err(); err != nil {
		return sdk.Result{Server: c.Root.Name}, s.fault(err, about{
			server: c.Root.Server, doing: "set the password", object: target, right: `"Reset password"`, attribute: "unicodePwd",
		})
	}
	return s.after(ctx, t, target, sdk.Result{Server: c.Root.Name, SealedPassword: box}), nil
}

func passwordChanges(password sealed.Secret, rule *connectorv1.PasswordRule) []wire.Change {
	changes := []wire.Change{{Kind: wire.ChangeReplace, Attribute: wire.Attribute{Name: "unicodePwd", Values: []string{unicodePwd(password)}}}}
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
