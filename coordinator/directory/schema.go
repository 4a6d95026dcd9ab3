package directory

import (
	"maps"
	"slices"
	"time"
)

// Kind is the type of an attribute's value.
type Kind uint8

const (
	// Text is a string.
	Text Kind = iota + 1
	// Boolean is a bool.
	Boolean
	// Integer is an int64.
	Integer
	// Instant is a time.Time in UTC, with the precision of a nanosecond.
	Instant
	// List is a []string.
	List
)

// String gives the kind's name as documents spell it.
func (k Kind) String() string {
	switch k {
	case Text:
		return "text"
	case Boolean:
		return "boolean"
	case Integer:
		return "integer"
	case Instant:
		return "instant"
	case List:
		return "list"
	}
	return "unknown"
}

// KindOf gives the kind that a document names, and whether there is such.
func KindOf(name string) (Kind, bool) {
	for k := Text; k <= List; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// Zero gives the value that stands for an absent or empty attribute in an
// expression.
func (k Kind) Zero() any {
	switch k {
	case Boolean:
		return false
	case Integer:
		return int64(0)
	case Instant:
		return time.Time{}
	case List:
		return []string(nil)
	}
	return ""
}

// schema is every attribute that a person has without a document declaring it.
// A path such as emails.work stands for emails[type eq "work"].value.
var schema = map[string]Kind{
	// core User
	"userName": Text, "externalId": Text, "displayName": Text, "nickName": Text, "profileUrl": Text,
	"title": Text, "userType": Text, "preferredLanguage": Text, "locale": Text, "timezone": Text,
	"active":         Boolean,
	"name.formatted": Text, "name.familyName": Text, "name.givenName": Text, "name.middleName": Text,
	"name.honorificPrefix": Text, "name.honorificSuffix": Text,
	"emails.work": Text, "emails.home": Text, "emails.other": Text,
	"phoneNumbers.work": Text, "phoneNumbers.home": Text, "phoneNumbers.mobile": Text,
	"phoneNumbers.fax": Text, "phoneNumbers.pager": Text, "phoneNumbers.other": Text,
	"addresses.work.formatted": Text, "addresses.work.streetAddress": Text, "addresses.work.locality": Text,
	"addresses.work.region": Text, "addresses.work.postalCode": Text, "addresses.work.country": Text,
	"addresses.home.formatted": Text, "addresses.home.streetAddress": Text, "addresses.home.locality": Text,
	"addresses.home.region": Text, "addresses.home.postalCode": Text, "addresses.home.country": Text,
	"entitlements": List, "roles": List,
	// enterprise extension
	"employeeNumber": Text, "costCenter": Text, "organization": Text, "division": Text, "department": Text,
	"manager": Text, // key of the person who is the manager
	// our extension
	"startDate": Instant, "endDate": Instant,
	"company": Text, "location": Text, "office": Text, "jobCode": Text, "emailAliases": List,
	"employments": List, // of several records: start/end
	"description": Text,
	"memberOf":    List, // keys of the directory's groups that the person, or group, is in
}

// KindAt gives the kind of the attribute at path, or 0 where no standard
// attribute has that path.
func KindAt(path string) Kind { return schema[path] }

// Paths gives the paths of all standard attributes in ascending order.
func Paths() []string { return slices.Sorted(maps.Keys(schema)) }
