package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// tagged is an answer that says which version it shows.
type tagged[T any] struct {
	ETag string `header:"ETag" doc:"Version shown: give it as If-Match to change just this one"`
	Body T
}

// etag is the version of a system's document, as HTTP names it.
func etag(row store.System) string { return fmt.Sprintf(`"%s/%d"`, row.Name, row.Revision) }

// fits refuses to store a document where not that version is in force that whoever sends it has seen.
func (in *applyInput) fits(old store.System, known bool) error {
	if in.IfNone == "*" && known {
		return problem(http.StatusPreconditionFailed, fmt.Sprintf("system %s is there already, in revision %d", old.Name, old.Revision), "look at it, then send yours with its ETag as If-Match, or under another name")
	}
	if in.IfMatch == "" {
		return nil
	}
	for _, tag := range strings.Split(in.IfMatch, ",") {
		if tag = strings.TrimSpace(tag); known && (tag == "*" || strings.TrimPrefix(tag, "W/") == etag(old)) {
			return nil
		}
	}
	if !known {
		return problem(http.StatusPreconditionFailed, "the system is not there any more", "send it without If-Match to make it again")
	}
	return problem(http.StatusPreconditionFailed, fmt.Sprintf("somebody has changed system %s meanwhile: revision %d is in force", old.Name, old.Revision),
		"look at what they changed, add yours to it, and send it with the new ETag")
}
