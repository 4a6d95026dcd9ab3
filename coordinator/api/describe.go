package api

import (
	"cmp"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// complete completes the description of all operations: each is named for what
// its path begins with, refuses with a problem, and gives lists that are never null.
func complete(doc *huma.OpenAPI) {
	problem := doc.Components.Schemas.Schema(reflect.TypeFor[client.Problem](), true, "Problem")
	for path, item := range doc.Paths {
		name, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			op.Tags = []string{name}
			op.Responses["default"] = &huma.Response{Description: "Refused: the problem says what to do", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: problem}}}
			for status := range op.Responses {
				if status >= "400" && status <= "599" {
					delete(op.Responses, status)
				}
			}
		}
	}
	for _, schema := range doc.Components.Schemas.Map() {
		neverNull(schema)
	}
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
}

func neverNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	neverNull(s.Items)
	for _, p := range s.Properties {
		neverNull(p)
	}
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		neverNull(more)
	}
}

// ours makes a refusal of huma, such as that of a parameter out of bounds, one
// of ours that says what to do.
func ours(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &client.Problem{Title: model.Title, Status: model.Status, Detail: model.Detail, NextStep: "correct the request; /openapi.json says what it may be"}
	for _, e := range model.Errors {
		p.Errors = append(p.Errors, client.Fault{Field: e.Location, Message: e.Message})
	}
	if len(p.Errors) == 1 {
		p.Detail = cmp.Or(strings.TrimPrefix(p.Errors[0].Field, "body."), "the request") + ": " + p.Errors[0].Message
	}
	return p, nil
}
