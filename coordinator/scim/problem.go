package scim

import (
	"fmt"
	"net/http"
	"strconv"
)

const errorSchema = "urn:ietf:params:scim:api:messages:2.0:Error"

// A problem is a refusal (RFC 7644, 3.12). Its detail says what to do.
type problem struct {
	status int
	kind   string // scimType
	detail string
}

// Error gives the detail.
func (p *problem) Error() string { return p.detail }

func (p *problem) body() object {
	o := object{"schemas": []string{errorSchema}, "status": strconv.Itoa(p.status), "detail": p.detail}
	if p.kind != "" {
		o["scimType"] = p.kind
	}
	return o
}

func (p *problem) answer() answer { return answer{status: p.status, body: p.body()} }

func badf(kind, format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

func noSuchPath(path string) *problem {
	return &problem{status: http.StatusNotFound, detail: fmt.Sprintf("there is nothing at %s: see %s/ResourceTypes", path, Base)}
}

func notAllowed(q *request, allowed string) *problem {
	return &problem{status: http.StatusMethodNotAllowed, detail: fmt.Sprintf("%s does not take %s: it takes %s", q.URL.Path, q.Method, allowed)}
}
