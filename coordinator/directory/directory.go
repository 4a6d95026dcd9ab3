// Package directory holds what the hub knows of a person: attributes in SCIM
// 2.0 shape (RFC 7643: core User, enterprise extension, and our own extension
// for dates and the like), their stored form, and the person's life at an
// instant. It is pure; rows of people are in store, the rules that fill
// attributes in mapping.
//
// An attribute has one of three states, and they are kept apart everywhere:
//
//	absent  nothing is known of it: it flows nowhere
//	empty   known to hold nothing: what it fed may be cleared
//	value   text, true or false, a whole number, an instant, or a list of texts
package directory

import (
	"slices"
	"strings"
	"time"
)

// A Person is somebody the hub knows.
type Person struct {
	// ID is the coordinator's own, and never changes.
	ID string
	// Key is the folded value by which sources and accounts speak of the person.
	Key string
	// Attributes are the outcome of the source mappings.
	Attributes Attributes
	// HasSource tells that some source still has a record with the key.
	HasSource bool
	// Changed is when Attributes or HasSource last changed; it stands for the
	// day of leaving where no end date tells it.
	Changed time.Time
}

// Fold gives the form in which keys, names and match values are compared and
// stored: without outer space and regard to case.
func Fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Among tells whether a value is one of several, without regard to case.
func Among(values []string, value string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
}

// GroupKey gives the key by which a group is known among people and groups,
// given the key that its source gives it.
func GroupKey(key string) string { return groupPrefix + key }

// MadeGroupKey gives the key of a group that a rule of a system's target makes.
func MadeGroupKey(system, value string) string {
	return groupPrefix + system + ":" + strings.TrimSpace(value)
}

const groupPrefix = "group:"

// IsGroup tells whether a key is a group's.
func IsGroup(key string) bool {
	return len(key) > len(groupPrefix) && strings.EqualFold(key[:len(groupPrefix)], groupPrefix)
}

// Display gives the name to show for the person: displayName, else the name's
// parts, else the key.
func (p Person) Display() string {
	for _, path := range []string{"displayName", "name.formatted"} {
		if s := p.Attributes.Text(path); s != "" {
			return s
		}
	}
	full := strings.TrimSpace(p.Attributes.Text("name.givenName") + " " + p.Attributes.Text("name.familyName"))
	if full != "" {
		return full
	}
	return p.Key
}
