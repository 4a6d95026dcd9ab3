package scim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
)

// A service is what a server says of itself (RFC 7643, 5; RFC 9865, 4), with
// what the dialect says of it.
type service struct {
	patch, bulk, filter, sort, etag bool
	cursor                          bool
	bulkOperations, pageLimit       int
	described                       bool // by the server itself
	types                           []*resourceType

	mu      sync.Mutex
	members *bool // whether groups are found by their members; nil until tried

	shows atomic.Bool // users were seen to show their groups
}

func (s *service) resourceType(class string) *resourceType {
	for _, t := range s.types {
		if strings.EqualFold(t.name, class) {
			return t
		}
	}
	return nil
}

func (s *service) names() string {
	names := make([]string, len(s.types))
	for i, t := range s.types {
		names[i] = t.name
	}
	return strings.Join(names, ", ")
}

// feature is how ServiceProviderConfig says that something is there.
type feature struct {
	Supported     bool
	MaxOperations int
	MaxResults    int
}

type providerConfig struct {
	Patch, Bulk, Filter, Sort, ETag feature
	Pagination                      struct {
		Cursor, Index bool
		MaxPageSize   int
	}
}

// discover asks the server what it is. What it does not answer is taken as
// RFC 7643 has it; what it answers wrongly is a fault.
func (s *System) discover(ctx context.Context) (*service, error) {
	known := &service{patch: true, filter: true}
	if s.dialect.Discovery == "standard" {
		known.types = standardTypes(s.settings.Types)
		return s.deviate(known), nil
	}
	var config providerConfig
	asked, err := s.describe(ctx, "/ServiceProviderConfig", func(text []byte) error { return json.Unmarshal(text, &config) })
	if err != nil {
		return nil, err
	}
	if asked {
		known.described = true
		known.patch, known.bulk, known.filter = config.Patch.Supported, config.Bulk.Supported, config.Filter.Supported
		known.sort, known.etag, known.cursor = config.Sort.Supported, config.ETag.Supported, config.Pagination.Cursor
		known.bulkOperations, known.pageLimit = config.Bulk.MaxOperations, config.Filter.MaxResults
		if m := config.Pagination.MaxPageSize; m > 0 && (known.pageLimit == 0 || m < known.pageLimit) {
			known.pageLimit = m
		}
	}
	schemas := map[string][]definition{}
	_, err = s.describe(ctx, "/Schemas", func(text []byte) error {
		var one struct {
			ID         string
			Attributes []definition
		}
		return eachOf(text, &one, func() { schemas[strings.ToLower(one.ID)] = one.Attributes; one.ID, one.Attributes = "", nil })
	})
	if err != nil {
		return nil, err
	}
	for urn, attributes := range standardSchemas() {
		if schemas[strings.ToLower(urn)] == nil {
			schemas[strings.ToLower(urn)] = attributes
		}
	}
	type extension struct{ Schema string }
	var one struct {
		ID, Name, Endpoint, Schema string
		SchemaExtensions           []extension
	}
	_, err = s.describe(ctx, "/ResourceTypes", func(text []byte) error {
		return eachOf(text, &one, func() {
			var extensions []string
			for _, e := range one.SchemaExtensions {
				extensions = append(extensions, e.Schema)
			}
			endpoint := one.Endpoint
			if i := strings.LastIndexByte(strings.TrimSuffix(endpoint, "/"), '/'); i >= 0 {
				endpoint = endpoint[i:] // some give it with the base before it
			}
			known.types = append(known.types, newType(orElse(one.Name, one.ID), endpoint, one.Schema, extensions, schemas, s.settings.Types))
			one.SchemaExtensions = nil
		})
	})
	if err != nil {
		return nil, err
	}
	if len(known.types) == 0 {
		known.types = standardTypes(s.settings.Types)
	}
	return s.deviate(known), nil
}

// deviate lets the dialect overrule what the server says.
func (s *System) deviate(known *service) *service {
	d := s.dialect
	switch d.Update {
	case "put":
		known.patch = false
	case "patch", "put_users":
		known.patch = true
	}
	known.filter = known.filter && d.Filter != "none" || d.Filter == "full" || d.Filter == "eq"
	known.sort = known.sort && d.Sort != "off"
	known.bulk = known.bulk && d.Bulk != "off"
	known.etag = d.ETag != "off" // a version that is there is used, whatever is said of it
	switch d.Paging {
	case "cursor":
		known.cursor = true
	case "index", "none":
		known.cursor = false
	}
	if d.PageLimit > 0 {
		known.pageLimit = d.PageLimit
	}
	return known
}

// describe reads one document of discovery; not asked is one that is not there.
func (s *System) describe(ctx context.Context, at string, read func([]byte) error) (asked bool, err error) {
	r := web.Request{Path: at, Doing: "ask what the server is: " + at}
	answer, err := s.client.Do(ctx, r)
	if err != nil {
		return false, err
	}
	switch answer.Status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusForbidden:
		answer.Close()
		return false, nil
	default:
		return false, s.refusal(answer, r)
	}
	text, err := answer.Bytes()
	if err != nil {
		return false, err
	}
	if values, fault := decode(text); fault == "" && isError(values) {
		return false, s.strange(r, "an error with the status of success", text)
	}
	if err := read(text); err != nil {
		return false, s.strange(r, "what cannot be read as "+strings.TrimPrefix(at, "/"), text)
	}
	return true, nil
}

// eachOf decodes every resource of a list, or of a bare array, into one.
func eachOf(text []byte, one any, found func()) error {
	var list struct{ Resources []json.RawMessage }
	if json.Unmarshal(text, &list) != nil {
		if err := json.Unmarshal(text, &list.Resources); err != nil {
			return err
		}
	}
	for _, raw := range list.Resources {
		if err := json.Unmarshal(raw, one); err != nil {
			return err
		}
		found()
	}
	return nil
}

// Probe tries each step from signing in to reading an object.
func (s *System) Probe(ctx context.Context, classes []string, steps *sdk.Steps) {
	steps.Try("sign in for "+s.client.Host(), func() (string, error) { return s.settings.Auth.Method, s.client.SignIn(ctx) })
	var known *service
	steps.Try("ask "+s.settings.URL+" what it is", func() (_ string, err error) {
		if known, err = s.discover(ctx); err != nil {
			return "", err
		}
		s.mu.Lock()
		s.service = known
		s.mu.Unlock()
		return known.summary(s.settings.Dialect), nil
	})
	if known == nil {
		return
	}
	if len(classes) == 0 {
		classes = []string{known.types[0].name}
	}
	for _, class := range classes {
		steps.Try("read one object of the class "+class, func() (string, error) {
			known, t, err := s.typeOf(ctx, class)
			if err != nil {
				return "", err
			}
			query := s.projection(t, nil)
			s.count(query, known, 1)
			return "", s.list(ctx, web.Request{Path: t.endpoint, Query: query, Doing: "read one " + t.name}, func(page) *web.Request { return nil }, func([]byte) error { return nil })
		})
	}
}

func (s *service) summary(dialect string) string {
	words := []string{"dialect " + dialect, "types " + s.names()}
	for _, one := range []struct {
		is   bool
		what string
	}{{s.described, "describes itself"}, {s.patch, "patch"}, {s.filter, "filter"}, {s.sort, "sort"}, {s.bulk, "bulk"}, {s.cursor, "cursor paging"}} {
		if one.is {
			words = append(words, one.what)
		}
	}
	return strings.Join(words, ", ")
}
