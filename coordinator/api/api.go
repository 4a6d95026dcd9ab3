// Package api serves the coordinator's HTTP API: what the command line and
// other programs of an admin need. It decides nothing itself: it checks who
// asks, reads the store, and hands decisions to enroll, intake, plan and
// schedule. The shapes of requests and answers are in api/client.
//
//	request ─► access: who, and may they ─► handler ─► JSON
//	              └─► 401 for every path, also those that do not exist; 403
//
// Everything a handler reads or changes is of the tenant of whoever asks. Refusals are
// problem+json (RFC 9457) with what to do next; the API describes itself in
// OpenAPI 3.1 at /openapi.json.
package api

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/retention"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A Server answers the API's requests. All fields must be set before Handler.
type Server struct {
	Store    *store.Store
	Enroll   *enroll.Service
	Schedule *schedule.Scheduler
	Cycles   cycles
	People   regrouper
	Plans    planner
	Version  string       // of the coordinator, SemVer
	Link     string       // address that agents dial, host:port; "" where it is not known
	Access   *access.Gate // who asks, and what they may do
	Health   *health.Checker
	Keep     retention.Rules     // for how long what happened is kept
	Releases []ed25519.PublicKey // Optional. One of them must have signed a release that is put in
	Log      *slog.Logger

	systems *plan.Systems

	totals   recent[totals]
	statuses recent[client.Status]
	homes    recent[client.Home]

	depart sync.Once
	mu     sync.Mutex
	gone   chan struct{} // closed when the server stops
}

// cycles carries out what a person decides about a held cycle; it is intake's.
type cycles interface {
	// Believe takes what the cycle found gone as gone.
	Believe(ctx context.Context, tenant string, cycle int64, who string) error
	// Discard forgets what the cycle found gone.
	Discard(ctx context.Context, tenant string, cycle int64, who string) error
}

// Handler gives the API's handler.
func (s *Server) Handler() http.Handler {
	handler, _ := s.build()
	return handler
}

// Description gives the API's OpenAPI document in JSON; it is the same for the same release.
func Description(version string) ([]byte, error) {
	s := &Server{Version: version, Access: &access.Gate{}}
	_, doc := s.build()
	return json.MarshalIndent(doc, "", "  ")
}

// Routes gives method and path of every operation, for tests that try them all.
func (s *Server) Routes() [][2]string {
	_, doc := s.build()
	var routes [][2]string
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete, "PATCH": item.Patch} {
			if op != nil {
				routes = append(routes, [2]string{method, path})
			}
		}
	}
	return routes
}

// LeastRoles gives the least role of every operation by its id, for tests.
func (s *Server) LeastRoles() map[string]access.Role {
	_, doc := s.build()
	return access.LeastRoles(doc)
}

func (s *Server) build() (http.Handler, *huma.OpenAPI) {
	s.systems = plan.NewSystems()
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Drawbridge", s.Version)
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.Transformers = append(config.Transformers, ours)
	config.Info.Description = "Operates a Drawbridge coordinator. Every request carries an API token, or the cookie of a session that began at /auth/sign-in. x-least-role is the role that an operation takes."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer"},
		"session": {Type: "apiKey", In: "cookie", Name: access.CookieName},
	}
	config.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	doc := humago.New(mux, config)
	s.Access.Guard(doc)
	s.Access.Register(doc)
	s.tokens(doc)
	s.agents(doc)
	s.releases(doc)
	s.systemRoutes(doc)
	s.configuration(doc)
	s.versions(doc)
	s.cycleRoutes(doc)
	s.replay(doc)
	s.held(doc)
	s.plans(doc)
	s.drift(doc)
	s.previews(doc)
	s.regroup(doc)
	s.people(doc)
	s.jobs(doc)
	s.log(doc)
	s.problems(doc)
	s.passwords(doc)
	s.status(doc)
	s.home(doc)
	s.series(doc)
	s.connectors(doc)
	s.schemas(doc)
	s.events(doc)
	s.exports(doc)
	s.health(doc)
	s.webhooks(doc)
	s.retention(doc)
	complete(doc.OpenAPI())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuseTo(w, problem(http.StatusNotFound, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path), "/openapi.json lists what there is"))
	})
	return s.Access.Authenticate(s.once(mux)), doc.OpenAPI()
}

// route registers an operation, which takes at least a role; id is its name in the description.
func route[I, O any](doc huma.API, method, path, id, summary string, least access.Role, handle func(context.Context, *I) (*O, error)) {
	huma.Register(doc, access.Operation(least, huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary}), handle)
}

// forget has what was found out lately for a tenant found out anew: somebody has changed something.
func (s *Server) forget(tenant string) {
	s.totals.forget(tenant)
	s.statuses.forget(tenant)
	s.homes.forget(tenant)
}

// caller is who asks.
type caller struct{ tenant, name string }

func callerOf(ctx context.Context) caller {
	who := access.Of(ctx)
	return caller{who.Tenant, who.Name}
}

// body wraps an answer, or a request without parameters, as huma wants it.
type body[T any] struct{ Body T }

// items is an answer that is a list.
type items[T any] struct{ Body client.Items[T] }

func listed[T any](list []T) *items[T] {
	if list == nil {
		list = []T{}
	}
	return &items[T]{client.Items[T]{Items: list}}
}

func answer[T any](v T) *body[T] { return &body[T]{v} }

// read and write run do in a transaction, for the tenant and the one who asks.
func (s *Server) read(ctx context.Context, do func(tx *store.Tx, who caller) error) error {
	return s.refuse(ctx, s.Store.Read(ctx, func(tx *store.Tx) error { return do(tx, callerOf(ctx)) }))
}

func (s *Server) write(ctx context.Context, do func(tx *store.Tx, who caller) error) error {
	defer s.forget(callerOf(ctx).tenant)
	return s.refuse(ctx, s.Store.Write(ctx, func(tx *store.Tx) error { return do(tx, callerOf(ctx)) }))
}
