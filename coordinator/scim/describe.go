package scim

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// describe answers what the server is (RFC 7643, 5 to 7; RFC 9865, 4).
func (s *Server) describe(q *request, what, id string) (answer, error) {
	if what == "ServiceProviderConfig" {
		return answer{status: http.StatusOK, body: provider(q.base)}, nil
	}
	groups, err := s.hasGroups(q)
	if err != nil {
		return answer{}, err
	}
	all := resourceTypes(q.base, groups)
	if what == "Schemas" {
		if all = schemas(q.base, q.who.Source != ""); groups {
			all = append(all, groupSchema(q.base, q.who.Source != ""))
		}
	}
	if q.URL.Query().Get("filter") != "" {
		return answer{}, &problem{status: http.StatusForbidden, detail: "descriptions are not filtered (RFC 7644, 4): read all of them"}
	}
	if id == "" {
		list := make([]any, len(all))
		for i, o := range all {
			list[i] = o
		}
		return answer{status: http.StatusOK, body: listing(list, ptr(len(list)), 1)}, nil
	}
	for _, o := range all {
		if strings.EqualFold(o["id"].(string), id) {
			return answer{status: http.StatusOK, body: o}, nil
		}
	}
	return answer{}, noSuchPath(q.URL.Path)
}

// hasGroups tells whether there are groups for the holder of the token: in the
// directory always, in a source where its document says so.
func (s *Server) hasGroups(q *request) (has bool, err error) {
	if q.who.Source == "" {
		return true, nil
	}
	err = s.Store.Read(q.Context(), func(tx *store.Tx) error {
		row, err := tx.System(q.who.Tenant, q.who.Source)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		system, err := s.Systems.Get(row)
		has = err == nil && system.GroupSource != nil
		return nil // a document that cannot be used has none
	})
	return has, err
}

func provider(base string) object {
	is := func(supported bool) object { return object{"supported": supported} }
	return object{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":   is(true), "sort": is(false), "etag": is(true), "changePassword": is(false),
		"bulk":       object{"supported": true, "maxOperations": maxOperations, "maxPayloadSize": maxBulkBody},
		"filter":     object{"supported": true, "maxResults": maxPage},
		"pagination": object{"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": defaultPage, "maxPageSize": maxPage},
		"authenticationSchemes": []object{{"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
			"description": "A token of drawbridge token create --api NAME, with --source SYSTEM to push or --scim to read"}},
		"meta": object{"resourceType": "ServiceProviderConfig", "location": base + "/ServiceProviderConfig"},
	}
}

func resourceTypes(base string, groups bool) []object {
	all := []object{{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		"id":      "User", "name": "User", "endpoint": "/Users", "description": "A person", "schema": coreUser,
		"schemaExtensions": []object{{"schema": enterprise, "required": false}, {"schema": extension, "required": false}},
		"meta":             object{"resourceType": "ResourceType", "location": base + "/ResourceTypes/User"},
	}}
	if groups {
		all = append(all, object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
			"id": "Group", "name": "Group", "endpoint": "/Groups", "description": "A group", "schema": coreGroup, "schemaExtensions": []object{},
			"meta": object{"resourceType": "ResourceType", "location": base + "/ResourceTypes/Group"}})
	}
	return all
}

// attributeOf describes an attribute (RFC 7643, 7).
func attributeOf(name, kind, mutability string, multi bool, parts ...object) object {
	o := object{"name": name, "type": kind, "multiValued": multi, "required": false, "mutability": mutability, "returned": "default",
		"description": "", "uniqueness": "none", "caseExact": false}
	if len(parts) > 0 {
		o["subAttributes"] = parts
	}
	return o
}

// references are the parts of an attribute whose values are ids of resources of the kinds.
func references(mutability string, kinds ...string) []object {
	value, kind, ref := attributeOf("value", "string", mutability, false), attributeOf("type", "string", mutability, false), attributeOf("$ref", "reference", "readOnly", false)
	value["caseExact"], ref["referenceTypes"] = true, kinds
	return []object{value, kind, ref}
}

// groupSchema gives the schema of a Group.
func groupSchema(base string, writable bool) object {
	mutability, once := "readOnly", "readOnly"
	if writable {
		mutability, once = "readWrite", "immutable"
	}
	name, id := attributeOf("displayName", "string", mutability, false), attributeOf("externalId", "string", mutability, false)
	name["required"], id["caseExact"], id["uniqueness"] = true, writable, "server"
	parts := references(once, "User", "Group")
	parts[1]["canonicalValues"] = []string{"User", "Group"}
	return schema(base, coreGroup, "Group", "A group", []object{name, id, attributeOf(members, "complex", mutability, true, parts...)})
}

func schema(base, urn, name, about string, attributes []object) object {
	return object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": urn, "name": name, "description": about,
		"attributes": attributes, "meta": object{"resourceType": "Schema", "location": base + "/Schemas/" + urn}}
}

// schemas gives the schemas of a User, made of what the directory has.
func schemas(base string, writable bool) []object {
	mutability := "readOnly"
	if writable {
		mutability = "readWrite"
	}
	attribute := func(name, kind string, multi bool, parts ...object) object {
		return attributeOf(name, kind, mutability, multi, parts...)
	}
	var core, more, own []object
	name, parts, kinds := []object{}, map[string][]object{}, map[string][]string{}
	for _, at := range directory.Paths() {
		kind := map[directory.Kind]string{directory.Boolean: "boolean", directory.Integer: "integer", directory.Instant: "dateTime"}[directory.KindAt(at)]
		if kind == "" {
			kind = "string"
		}
		list := directory.KindAt(at) == directory.List
		split := strings.Split(at, ".")
		switch {
		case at == "manager":
			more = append(more, attribute(at, "complex", false, attribute("value", "string", false), attribute("displayName", "string", false)))
		case schemaOf(at) == enterprise:
			more = append(more, attribute(at, kind, list))
		case schemaOf(at) == extension:
			own = append(own, attribute(at, kind, list))
		case split[0] == "name":
			name = append(name, attribute(split[1], kind, false))
		case len(split) > 1:
			if !slices.Contains(kinds[split[0]], split[1]) {
				kinds[split[0]] = append(kinds[split[0]], split[1])
			}
			part := "value"
			if len(split) == 3 {
				part = split[2]
			}
			if !slices.ContainsFunc(parts[split[0]], func(o object) bool { return o["name"] == part }) {
				parts[split[0]] = append(parts[split[0]], attribute(part, kind, false))
			}
		case list:
			core = append(core, attribute(at, "complex", true, attribute("value", "string", false)))
		default:
			o := attribute(at, kind, false)
			if at == "userName" {
				o["required"], o["uniqueness"] = true, "server"
			}
			if at == "externalId" {
				o["caseExact"], o["uniqueness"] = writable, "server"
			}
			core = append(core, o)
		}
	}
	core = append(core, attribute("name", "complex", false, name...),
		attributeOf("groups", "complex", "readOnly", true, append(references("readOnly", "Group"), attributeOf("display", "string", "readOnly", false))...))
	for _, top := range typed {
		kind := attribute("type", "string", false)
		kind["canonicalValues"] = kinds[top]
		core = append(core, attribute(top, "complex", true, append(parts[top], kind, attribute("primary", "boolean", false))...))
	}
	var all []object
	for _, o := range []struct {
		urn, name, about string
		attributes       []object
	}{{coreUser, "User", "A person", core}, {enterprise, "EnterpriseUser", "A person in an enterprise", more}, {extension, "DrawbridgeUser", "What the directory knows besides", own}} {
		all = append(all, schema(base, o.urn, o.name, o.about, o.attributes))
	}
	return all
}
