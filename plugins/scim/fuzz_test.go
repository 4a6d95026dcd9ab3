package scim

import (
	"bytes"
	"testing"
)

// Whatever a server sends as a list or a resource, reading it ends, and what is given on is JSON.
func FuzzPage(f *testing.F) {
	for _, text := range []string{
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":2,"startIndex":1,"itemsPerPage":2,"Resources":[{"id":"1","userName":"ann"},{"id":"2","emails":[{"value":"b@x","primary":true}]}]}`,
		`{"totalResults":0}`, `{"Resources":null,"nextCursor":"abc"}`, `{"Resources":[1,[],{}],"totalResults":"x"}`, `[]`, `{"resources":[{"id":"1"}`,
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}`, "\xff\xfe{}", `<html>`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = decodePage(bytes.NewReader(text), func(raw []byte) error {
			if len(raw) == 0 {
				t.Error("a resource without a byte")
			}
			if values, fault := decode(raw); fault == "" {
				isError(values)
			}
			return nil
		})
	})
}
