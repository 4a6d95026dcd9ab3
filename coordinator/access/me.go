package access

import (
	"context"
	"slices"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

type nothing struct{}

type body[T any] struct{ Body T }

type items[T any] struct{ Body client.Items[T] }

func listed[T any](list []T) *items[T] {
	if list == nil {
		list = []T{}
	}
	return &items[T]{client.Items[T]{Items: list}}
}

func get(path, id, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: "GET", Path: path, Summary: summary}
}

func post(path, id, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: "POST", Path: path, Summary: summary}
}

// Register adds the routes about whoever asks, and about who else may.
func (g *Gate) Register(doc huma.API) {
	g.tokens(doc)
	g.links(doc)
	g.sessions(doc)
	g.signOutSelf(doc)
	g.auditRoutes(doc)
	operations := sync.OnceValue(func() map[string]Role { return LeastRoles(doc.OpenAPI()) })
	huma.Register(doc, Operation(Viewer, get("/v1/me", "get-me", "Who asks, and what they may do")),
		func(ctx context.Context, _ *nothing) (*body[client.Me], error) {
			who := Of(ctx)
			me := client.Me{Tenant: who.Tenant, Subject: who.Subject, Name: who.Name, Email: who.Email, Roles: namesOf(who.Roles), Means: who.Means,
				Expires: who.Expires, Operations: []string{}}
			for id, least := range operations() {
				if who.May(least) {
					me.Operations = append(me.Operations, id)
				}
			}
			slices.Sort(me.Operations)
			return &body[client.Me]{me}, nil
		})
}

// LeastRoles gives the least role of each operation that is described.
func LeastRoles(described *huma.OpenAPI) map[string]Role {
	all := map[string]Role{}
	for _, item := range described.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				all[op.OperationID] = LeastRole(op)
			}
		}
	}
	return all
}
