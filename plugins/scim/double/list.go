package double

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

const listSchema = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

// list answers a query: filtered, in order, one page of it.
func (s *Server) list(w http.ResponseWriter, r *http.Request, k *kind) {
	query := r.URL.Query()
	attributes, ok := s.projection(w, r)
	if !ok {
		return
	}
	ids, ok := s.matching(w, query.Get("filter"), k)
	if !ok {
		return
	}
	if len(ids) == 0 && s.opt.NoMatch404 && query.Has("filter") {
		fail(w, 404, "", "nothing matches")
		return
	}
	if query.Get("sortBy") == "id" && s.opt.Sort {
		sort.Strings(ids)
	}
	total := len(ids)
	if k.name == "User" && s.opt.Made > 0 {
		total = s.opt.Made
	}
	count := s.opt.PageLimit
	if n, err := strconv.Atoi(query.Get("count")); err == nil {
		count = min(max(n, 0), count)
	}
	start := 1
	if n, err := strconv.Atoi(query.Get("startIndex")); err == nil && !s.opt.IgnoresIndex {
		start = max(n, 1)
	}
	cursor := ""
	if query.Has("cursor") {
		if !s.opt.Cursor {
			fail(w, 400, "invalidCursor", "there are no cursors here")
			return
		}
		start = 1
		if given := query.Get("cursor"); given != "" {
			if start, ok = s.Cursors[given]; !ok {
				fail(w, 400, "expiredCursor", "the cursor is not known any more")
				return
			}
		}
	}
	from, to := min(start-1, total), min(start-1+count, total)
	if s.opt.Cursor && to < total {
		cursor = fmt.Sprintf("c%d-%d", to+1, len(s.Cursors))
		s.Cursors[cursor] = to + 1
	}
	if s.opt.WrongTotal {
		total = to - from
	}
	fmt.Fprintf(w, `{"schemas":["%s"],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,`, listSchema, total, start, to-from)
	if cursor != "" {
		fmt.Fprintf(w, `"nextCursor":%q,`, cursor)
	}
	fmt.Fprint(w, `"Resources":[`)
	for i := from; i < to; i++ {
		if i > from {
			fmt.Fprint(w, ",")
		}
		if k.name == "User" && s.opt.Made > 0 {
			fmt.Fprint(w, Made(i))
			continue
		}
		b, _ := json.Marshal(s.shown(k, k.objects[ids[i]], attributes))
		_, _ = w.Write(b)
	}
	fmt.Fprint(w, "]}")
}

// Made is the user with this number that a server makes up.
func Made(i int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"made-%07d","externalId":"%d","userName":"user%07d@corp.example",`+
		`"active":true,"name":{"givenName":"Given%d","familyName":"Family%d"},"title":"Clerk","emails":[{"type":"work","value":"user%07d@corp.example"}],`+
		`"meta":{"resourceType":"User","created":"2026-01-01T00:00:00Z","lastModified":"2026-01-%02dT00:00:00Z"}}`, i, i, i, i%1000, i, i, 1+i%28)
}

// matching gives the ids of what a filter lets through.
func (s *Server) matching(w http.ResponseWriter, text string, k *kind) ([]string, bool) {
	if text == "" || s.opt.DeafFilter {
		return append([]string{}, k.order...), true
	}
	f, err := path.ParseFilter(text)
	switch {
	case s.opt.NoFilter:
		fail(w, 400, "invalidFilter", "filters are not supported")
		return nil, false
	case err != nil:
		fail(w, 400, "invalidFilter", err.Error())
		return nil, false
	case s.opt.EqOnly && !eqOnly(f):
		fail(w, 400, "invalidFilter", "only eq and and are supported")
		return nil, false
	}
	exact := func(p path.Path) bool { return p.Attr == "id" || p.Attr == "externalId" || p.Attr == "members" }
	if name, ok := f.Value.(string); ok && f.Op == "eq" && f.Path.String() == k.naming && !s.opt.LooseNames && k.name == "User" {
		if id := k.names[strings.ToLower(name)]; id != "" {
			return []string{id}, true
		}
		return nil, true
	}
	var ids []string
	for _, id := range k.order {
		if f.Match(k.objects[id], exact) {
			ids = append(ids, id)
		}
	}
	return ids, true
}

func eqOnly(f *path.Filter) bool {
	for _, t := range f.Terms {
		if !eqOnly(t) {
			return false
		}
	}
	return f.Op == "and" || f.Op == "eq" && f.Path.Filter == nil
}

// describe answers discovery.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, at string) bool {
	if at != "ServiceProviderConfig" && at != "ResourceTypes" && at != "Schemas" {
		return false
	}
	supported := func(is bool) object { return object{"supported": is} }
	switch {
	case s.opt.Undescribed || r.Method != "GET":
		fail(w, 404, "", "there is no such endpoint")
	case at == "ServiceProviderConfig":
		config := object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"}, "patch": supported(!s.opt.NoPatch),
			"bulk": object{"supported": s.opt.Bulk, "maxOperations": 10, "maxPayloadSize": 1 << 20}, "filter": object{"supported": !s.opt.NoFilter, "maxResults": s.opt.PageLimit},
			"changePassword": supported(true), "sort": supported(s.opt.Sort), "etag": supported(s.opt.ETag), "authenticationSchemes": []any{}}
		if s.opt.Cursor {
			config["pagination"] = object{"cursor": true, "index": false, "defaultPaginationMethod": "cursor", "maxPageSize": s.opt.PageLimit, "cursorTimeout": 600}
		}
		_ = json.NewEncoder(w).Encode(config)
	case at == "ResourceTypes":
		_ = json.NewEncoder(w).Encode(object{"schemas": []string{listSchema}, "totalResults": 2, "Resources": []object{
			{"id": "User", "name": "User", "endpoint": "/Users", "schema": s.kinds["Users"].schema,
				"schemaExtensions": []object{{"schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "required": false}}},
			{"id": "Group", "name": "Group", "endpoint": "/Groups", "schema": s.kinds["Groups"].schema},
		}})
	default: // the client knows those of the RFC
		_ = json.NewEncoder(w).Encode(object{"schemas": []string{listSchema}, "totalResults": 0, "Resources": []any{}})
	}
	return true
}
