package scim

import "strings"

// URNs of RFC 7643.
const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// standardTypes are those of RFC 7643, for servers that do not describe
// themselves.
func standardTypes(types map[string][]string) []*resourceType {
	schemas := map[string][]definition{}
	for urn, attributes := range standardSchemas() {
		schemas[strings.ToLower(urn)] = attributes
	}
	return []*resourceType{
		newType("User", "/Users", userSchema, []string{enterpriseSchema}, schemas, types),
		newType("Group", "/Groups", groupSchema, nil, schemas, types),
	}
}

// standardSchemas are those of RFC 7643, 8.7.1.
func standardSchemas() map[string][]definition {
	text := func(names ...string) (list []definition) {
		for _, name := range names {
			list = append(list, definition{Name: name, Type: "string"})
		}
		return list
	}
	truth := func(name string) definition { return definition{Name: name, Type: "boolean"} }
	ref := func(types ...string) definition {
		return definition{Name: "$ref", Type: "reference", ReferenceTypes: types}
	}
	many := func(name string, types ...any) definition {
		return definition{Name: name, Type: "complex", MultiValued: true, SubAttributes: append(text("value", "display"),
			definition{Name: "type", Type: "string", CanonicalValues: types}, truth("primary"))}
	}
	user := append([]definition{
		{Name: "userName", Type: "string", Uniqueness: "server"},
		{Name: "name", Type: "complex", SubAttributes: text("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")},
		truth(activeName),
		{Name: "password", Type: "string", Mutability: "writeOnly", Returned: "never"},
		many("emails", "work", "home", "other"),
		many("phoneNumbers", "work", "home", "mobile", "fax", "pager", "other"),
		many("ims"), many("photos", "photo", "thumbnail"), many("entitlements"), many("roles"),
		{Name: "addresses", Type: "complex", MultiValued: true, SubAttributes: append(text("formatted", "streetAddress", "locality", "region", "postalCode", "country"),
			definition{Name: "type", Type: "string", CanonicalValues: []any{"work", "home", "other"}}, truth("primary"))},
		{Name: "groups", Type: "complex", MultiValued: true, Mutability: "readOnly",
			SubAttributes: append(text("value", "display", "type"), ref("User", "Group"))},
		{Name: "x509Certificates", Type: "complex", MultiValued: true, SubAttributes: append([]definition{{Name: "value", Type: "binary"}}, text("display", "type")...)},
	}, text("displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone")...)
	group := append(text("displayName"), definition{Name: "members", Type: "complex", MultiValued: true,
		SubAttributes: append(text("value", "display", "type"), ref("User", "Group"))})
	enterprise := append(text("employeeNumber", "costCenter", "organization", "division", "department"),
		definition{Name: "manager", Type: "complex", SubAttributes: append(text("value"), ref("User"),
			definition{Name: "displayName", Type: "string", Mutability: "readOnly"})})
	return map[string][]definition{userSchema: user, groupSchema: group, enterpriseSchema: enterprise}
}
