package scim

import "reflect"

// A Dialect says where a server deviates from RFC 7643 and 7644. What is empty
// is as the standard and the server's own description have it.
type Dialect struct {
	Discovery   string `json:"discovery" doc:"standard: the server does not describe itself; it is taken to have the schemas of RFC 7643" enum:"server,standard"`
	Update      string `json:"update" doc:"put: the server has no PATCH, objects are read and replaced; put_users: only groups have" enum:"patch,put,put_users"`
	Activation  string `json:"activation" doc:"patch: active is set by a PATCH without a path although users are replaced" enum:"as_update,patch"`
	Form        string `json:"form" doc:"values: what is replaced goes into one PATCH operation without a path, the paths being names in its value" enum:"paths,values"`
	Op          string `json:"op" doc:"title: PATCH operations are called Add, Replace, Remove" enum:"lower,title"`
	Boolean     string `json:"boolean" doc:"text: truths are sent as True and False in quotes" enum:"json,text"`
	Members     string `json:"members" doc:"how members are removed: by a filter in the path, or listed as value" enum:"filter,value"`
	MemberBatch int    `json:"member_batch" doc:"members that one PATCH may name, at most"`
	Filter      string `json:"filter" doc:"eq: only eq and and are understood; none: the server cannot filter" enum:"full,eq,none"`
	Projection  string `json:"projection" doc:"off: the server cannot return some attributes alone" enum:"on,off"`
	Sort        string `json:"sort" doc:"off: the server cannot sort, whatever it says" enum:"auto,off"`
	Paging      string `json:"paging" doc:"index (RFC 7644), cursor (RFC 9865) or none: everything comes at once" enum:"auto,index,cursor,none"`
	PageLimit   int    `json:"page_limit" doc:"objects a page, at most"`
	Total       string `json:"total" doc:"unreliable: totalResults is not the number of objects; pages are read until one is empty" enum:"exact,unreliable"`
	ETag        string `json:"etag" doc:"off: versions are not to be relied on" enum:"auto,off"`
	Bulk        string `json:"bulk" doc:"off: several groups are changed one by one" enum:"auto,off"`
	NoMatch     string `json:"no_match" doc:"404: a filter that matches nothing is answered with 404" enum:"list,404"`
	Taken       string `json:"taken" doc:"400: a name that is taken is answered with 400 instead of 409" enum:"409,400"`
	Names       string `json:"names" doc:"loose: the server makes two users of one name; who is to be made is looked for first" enum:"kept,loose"`
	Changes     string `json:"changes" doc:"off: objects cannot be filtered by meta.lastModified; every read is a full one" enum:"auto,off"`
	Memberships string `json:"memberships" doc:"where memberOf is read: groups, always right; users, quicker where users show all their groups" enum:"groups,users"`
	MediaType   string `json:"media_type" doc:"json: bodies are sent as application/json" enum:"scim,json"`
}

// dialects are the named ones; see the table in README.md.
func dialects() map[string]Dialect {
	return map[string]Dialect{
		"rfc": {},
		// Servers made for the provisioning service of Microsoft Entra ID and tried with nothing else.
		"entra": {Discovery: "standard", Op: "title", Boolean: "text", Members: "value", Filter: "eq", Sort: "off", Bulk: "off", ETag: "off"},
		// The same with its flag aadOptscim062020.
		"entra-2020": {Discovery: "standard", Form: "values", Filter: "eq", Sort: "off", Bulk: "off", ETag: "off"},
		// Servers made for Okta: users are replaced, but switched off by PATCH.
		"okta": {Discovery: "standard", Update: "put_users", Activation: "patch", Filter: "eq", Projection: "off", Sort: "off", Bulk: "off", ETag: "off"},
		// AWS IAM Identity Center.
		"aws": {Filter: "eq", Projection: "off", Sort: "off", Bulk: "off", ETag: "off", Changes: "off", MemberBatch: 100, PageLimit: 50, Total: "unreliable"},
		// Servers of a few lines.
		"minimal": {Discovery: "standard", Update: "put", Filter: "eq", Projection: "off", Sort: "off", Bulk: "off", ETag: "off", Changes: "off",
			NoMatch: "404", Total: "unreliable", MediaType: "json"},
	}
}

// with is d with what o gives in its place.
func (d Dialect) with(o Dialect) Dialect {
	to, from := reflect.ValueOf(&d).Elem(), reflect.ValueOf(o)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return d
}
