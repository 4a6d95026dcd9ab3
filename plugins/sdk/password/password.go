// Package password makes the passwords that connectors give to accounts. A
// password is made in the connector and sealed to its recipients before
// anything is written; nobody else ever sees it.
//
//	rule ─► New ─► the system, in its own form
//	          └──► sealed box ─► result of the operation
//
// It does not know how a system takes a password; that is the connector's.
package password

import (
	"crypto/rand"
	"math/big"

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

// Shortest is the length that a password has at least, whatever a rule says.
const Shortest = 12

// longest is what every system takes.
const longest = 127

// Generate makes a password by the rule and seals it to the rule's recipients,
// before anything is written: one that cannot be sealed would be lost. Box is
// nil where the rule names nobody.
func Generate(rule *connectorv1.PasswordRule) (password sealed.Secret, box []byte, err error) {
	if password, err = New(int(rule.GetLength())); err != nil {
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

// New returns one of at least length characters, with all four kinds: capitals,
// small letters, digits and signs. Never do more than two letters follow each
// other: a domain refuses a password that holds three letters of the person's
// name (MS-ADTS 3.1.1.7 and the password filter's rule of complexity), and by
// chance one in thousands would.
func New(length int) (sealed.Secret, error) {
	n := min(max(length, Shortest), longest)
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
