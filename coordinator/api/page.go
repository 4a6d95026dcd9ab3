package api

import (
	"net/http"
	"strconv"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// Page says which part of a list is wanted. It is exported because huma sees no
// fields of an embedded type that is not.
type Page struct {
	Cursor string `query:"cursor" maxLength:"1000" doc:"Go on here: next of the answer before"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"How many at most"`
}

// paged gives a page of a list; where there may be more, place tells where its last one stands.
func paged[T any](list []T, limit int, place func() string) *items[T] {
	out := listed(list)
	if len(list) > 0 && len(list) >= limit {
		out.Body.Next = place()
	}
	return out
}

// numbered gives a page of a list, and where the next one begins; 0 at the end.
func numbered[T any](list []T, next int64) *items[T] {
	out := listed(list)
	if next > 0 {
		out.Body.Next = strconv.FormatInt(next, 10)
	}
	return out
}

// number reads a cursor that is a number; 0 where there is none.
func (p Page) number() (int64, error) {
	if p.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(p.Cursor, 10, 64)
	if err != nil || n < 0 {
		return 0, badCursor()
	}
	return n, nil
}

func badCursor() error {
	return problem(http.StatusUnprocessableEntity, "the cursor is not one of this list", "give next of an answer of this list, or leave it out to begin anew",
		client.Fault{Field: "query.cursor", Message: "not understood"})
}
