// Package scim is the coordinator's SCIM 2.0 server (RFC 7643, 7644, 9865): HR
// systems push people by it, applications read them. What is pushed becomes
// records of a source and goes the way of every record, through intake; what
// becomes of people is not decided here. README.md is for those who connect
// something to it.
//
//	request ─► bearer token ─► tenant and view ─► Users, Groups ─► JSON
//
//	a token made with --source   sees and writes the records of that source, as they were pushed
//	every other token            reads the people and groups of the directory
//
// What may go wrong, and what is told: each refusal is a SCIM error whose
// detail says what to do; nothing of a refused request is stored. A request of
// many operations (Bulk) is one transaction, and each operation checks all
// before it writes anything, so that a refused one leaves no trace.
//
// Nothing is kept between requests but where walks by index have come to
// (bookmarks), which only saves work.
package scim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Base is the path below which the server answers.
const Base = "/scim/v2"

// Limits of what a request may hold.
const (
	maxBody       = 1 << 20
	maxBulkBody   = 4 << 20
	maxOperations = 1000
	maxPage       = 1000
	defaultPage   = 100
)

// systems gives the compiled document of a row.
type systems interface {
	Get(store.System) (*mapping.System, error)
}

// A Server answers SCIM requests. All fields must be set before Handler.
type Server struct {
	Store   *store.Store
	Intake  *intake.Intake
	Systems systems
	Log     *slog.Logger

	marks bookmarks
}

// A request is one of a known holder of a token.
type request struct {
	*http.Request
	who  access.Principal
	view func(kind) view
	base string // address of the server with Base
}

// An answer is what a handler gives.
type answer struct {
	status   int
	body     any // nil: none
	location string
	version  string
}

// Handler gives the server's handler. It takes requests with [Base] before their paths.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.holder(r)
		if err != nil {
			if p := s.told(r.Context(), err); p.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="drawbridge"`)
			}
			write(w, s.told(r.Context(), err).answer())
			return
		}
		q := &request{Request: r, who: who, base: baseOf(r)}
		q.view = func(k kind) view { return people{s, who.Tenant, q.base, k} }
		if who.SCIM && who.Source != "" {
			q.view = func(k kind) view { return records{s, who.Tenant, who.Source, q.base, k} }
		}
		a, err := s.serve(q)
		if err != nil {
			a = s.told(r.Context(), err).answer()
		}
		if a.version != "" && r.Method == http.MethodGet && matches(r.Header.Get("If-None-Match"), a.version) {
			a = answer{status: http.StatusNotModified, version: a.version}
		}
		write(w, a)
	})
}

func (s *Server) holder(r *http.Request) (access.Principal, error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return access.Principal{}, &problem{status: http.StatusUnauthorized, detail: "the request carries no token: give one as \"Authorization: Bearer …\""}
	}
	who, err := access.Check(r.Context(), s.Store, strings.TrimSpace(text))
	if errors.Is(err, store.ErrNone) {
		err = &problem{status: http.StatusUnauthorized,
			detail: "the token is not known here: make one with drawbridge token create --api NAME --source SYSTEM to push, or --api NAME --scim to read"}
	}
	return who, err
}

// serve routes a request.
func (s *Server) serve(q *request) (answer, error) {
	p, ok := strings.CutPrefix(q.URL.Path, Base)
	parts := strings.Split(strings.Trim(p, "/"), "/")
	if !ok || len(parts) > 2 {
		return answer{}, noSuchPath(q.URL.Path)
	}
	id := ""
	if len(parts) == 2 {
		id = parts[1]
	}
	switch name := parts[0]; {
	case kindAt(name) != "" && id == "":
		switch q.Method {
		case http.MethodGet:
			return s.list(q, kindAt(name), queryOf(q.URL.Query()))
		case http.MethodPost:
			return s.create(q, kindAt(name))
		}
		return answer{}, notAllowed(q, "GET, POST")
	case kindAt(name) != "" && id != ".search":
		return s.one(q, kindAt(name), id)
	case name == ".search" && id == "" || id == ".search":
		return s.search(q, name)
	case name == "Bulk" && id == "":
		return s.bulk(q)
	case name == "bulkUpload" && id == "":
		return s.upload(q)
	case name == "Me":
		return answer{}, &problem{status: http.StatusNotImplemented, detail: "a token is a program's, which is no User here: use /Users"}
	case name == "ServiceProviderConfig" && id == "", name == "Schemas", name == "ResourceTypes":
		if q.Method != http.MethodGet {
			return answer{}, notAllowed(q, "GET")
		}
		return s.describe(q, name, id)
	}
	return answer{}, noSuchPath(q.URL.Path)
}

// one answers requests about one resource.
func (s *Server) one(q *request, k kind, id string) (answer, error) {
	switch q.Method {
	case http.MethodGet:
		proj, err := projectionOf(q.URL.Query().Get("attributes"), q.URL.Query().Get("excludedAttributes"))
		if err != nil {
			return answer{}, err
		}
		var a answer
		err = s.Store.Read(q.Context(), func(tx *store.Tx) error {
			v := q.view(k)
			r, err := v.get(tx, id)
			if err == nil {
				err = v.fill(tx, []*resource{r}, proj.needs(k))
			}
			a = shown(r, proj, http.StatusOK)
			return err
		})
		return a, err
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return answer{}, notAllowed(q, "GET, PUT, PATCH, DELETE")
	}
	var data []byte
	if q.Method != http.MethodDelete {
		var err error
		if data, err = read(q, maxBody); err != nil {
			return answer{}, err
		}
	}
	return s.write(q, k, operation{method: q.Method, id: id, data: data, match: q.Header.Get("If-Match")})
}

func (s *Server) create(q *request, k kind) (answer, error) {
	data, err := read(q, maxBody)
	if err != nil {
		return answer{}, err
	}
	return s.write(q, k, operation{method: http.MethodPost, data: data})
}

// write carries out one operation in a transaction of its own. A patched group
// is not shown unless attributes are asked for: it may have very many members.
func (s *Server) write(q *request, k kind, op operation) (answer, error) {
	proj, err := projectionOf(q.URL.Query().Get("attributes"), q.URL.Query().Get("excludedAttributes"))
	if err != nil {
		return answer{}, err
	}
	var a answer
	err = s.Store.Write(q.Context(), func(tx *store.Tx) error {
		v := q.view(k)
		r, status, err := v.apply(tx, op)
		if a = (answer{status: status}); r == nil || err != nil {
			return err
		}
		if k == group && op.method == http.MethodPatch && len(proj.only) == 0 {
			a = answer{status: http.StatusNoContent, location: r.location, version: r.version}
			return nil
		}
		err = v.fill(tx, []*resource{r}, proj.needs(k))
		a = shown(r, proj, status)
		return err
	})
	return a, err
}

// shown is the answer that shows a resource.
func shown(r *resource, p projection, status int) answer {
	if r == nil {
		return answer{}
	}
	return answer{status: status, body: p.of(r), location: r.location, version: r.version}
}

// A resource is a User or Group as a view shows it.
type resource struct {
	id       string
	key      string // of a group of the directory
	body     object // with schemas, id and meta
	location string
	version  string // as in ETag
}

// finish adds what every resource has. beside is what its version tells besides its body.
func finish(k kind, body object, id, base, beside string, made, changed store.Instant) *resource {
	text, _ := json.Marshal(body) // texts, numbers, truths: always has a form
	r := &resource{id: id, body: body, location: base + k.endpoint() + "/" + id, version: versionOf(string(text) + beside)}
	body["schemas"] = schemasIn(k, body)
	body["id"] = id
	body["meta"] = object{"resourceType": string(k), "created": made.Time().UTC().Format(time.RFC3339Nano),
		"lastModified": changed.Time().UTC().Format(time.RFC3339Nano), "location": r.location, "version": r.version}
	return r
}

func versionOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return `W/"` + hex.EncodeToString(sum[:9]) + `"`
}

// matches tells whether a header of If-Match or If-None-Match names the version. Weak and strong are not told apart.
func matches(header, version string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag != "" && strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(version, "W/") {
			return true
		}
	}
	return false
}

// read gives the body of a request that must have one.
func read(q *request, limit int64) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || kind != "application/scim+json" && kind != "application/json" {
		return nil, &problem{status: http.StatusUnsupportedMediaType, detail: "the body must be JSON: send Content-Type: application/scim+json"}
	}
	data, err := io.ReadAll(io.LimitReader(q.Body, limit+1))
	if err != nil {
		return nil, &problem{status: http.StatusBadRequest, kind: "invalidSyntax", detail: "the body did not come whole: send it again"}
	}
	if int64(len(data)) > limit {
		return nil, &problem{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the body has more than %d bytes: send less at once", limit)}
	}
	return data, nil
}

func baseOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host + Base
}

func write(w http.ResponseWriter, a answer) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.version != "" {
		h.Set("ETag", a.version)
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", "application/scim+json; charset=utf-8")
	w.WriteHeader(a.status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(a.body) // whoever hung up gets nothing
}

func ptr[T any](v T) *T { return &v }

// told makes a refusal of an error. What is the coordinator's own trouble is logged, and the caller learns no more than that.
func (s *Server) told(ctx context.Context, err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	s.Log.ErrorContext(ctx, "SCIM request failed", "err", err)
	return &problem{status: http.StatusInternalServerError, detail: "the coordinator could not do it: try again; if it stays so, the coordinator's log says why"}
}
