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
	password = New(int(rule.GetLength()))
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
func New(length int) sealed.Secret {
	n := min(max(length, Shortest), longest)
	var random chance
	letters, others := random.draw(n-n/3, capitals, smalls), random.draw(n/3, digits, signs)
	chars := make([]byte, 0, n)
	for i := range n {
		from := &letters
		if i%3 == 2 {
			from = &others
		}
		chars = append(chars, (*from)[0])
		*from = (*from)[1:]
	}
	return sealed.New(string(chars))
}

// chance hands out bytes of the system's generator, which it asks for many at
// a time: a call to the system for each would be a tenth of an account's cost.
type chance struct {
	bytes [256]byte
	left  []byte
}

// draw returns n characters of both kinds, at least one of each, in any order.
func (c *chance) draw(n int, kind, other string) []byte {
	chars := make([]byte, n)
	for i := range chars {
		from := kind + other
		switch i {
		case 0:
			from = kind
		case 1:
			from = other
		}
		chars[i] = from[c.below(len(from))]
	}
	for i := n - 1; i > 0; i-- { // so that nobody knows where each kind stands
		j := c.below(i + 1)
		chars[i], chars[j] = chars[j], chars[i]
	}
	return chars
}

// below returns a number from 0 to n-1, n being at most 256, each as likely:
// bytes above the last whole multiple of n are passed over.
func (c *chance) below(n int) int {
	for {
		if len(c.left) == 0 {
			rand.Read(c.bytes[:]) // never fails: crypto/rand
			c.left = c.bytes[:]
		}
		b := int(c.left[0])
		c.left = c.left[1:]
		if b < 256-256%n {
			return b % n
		}
	}
}
