package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// leastRole is where an operation says its least role; it is shown in OpenAPI under the same name.
const leastRole = "x-least-role"

// Operation gives the operation with the least role that may use it. Every
// operation must be registered so; one that is not is refused to everybody.
func Operation(least Role, op huma.Operation) huma.Operation {
	op.Extensions = maps.Clone(op.Extensions)
	if op.Extensions == nil {
		op.Extensions = map[string]any{}
	}
	op.Extensions[leastRole] = string(least)
	return op
}

// LeastRole gives the least role that may use the operation, "" where it names none.
func LeastRole(op *huma.Operation) Role {
	name, _ := op.Extensions[leastRole].(string)
	return Role(name)
}

// Guard has every operation of doc that is registered afterwards ask for its
// role, and write what it does to the audit.
func (g *Gate) Guard(doc huma.API) {
	doc.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		if audited(ctx.Operation()) && !rehearsed(ctx) {
			g.audit(ctx, func(ctx huma.Context) { guarded(ctx, next) })
			return
		}
		guarded(ctx, next)
	})
}

func guarded(ctx huma.Context, next func(huma.Context)) {
	least := LeastRole(ctx.Operation())
	if who := Of(ctx.Context()); !who.May(least) {
		refuseIn(ctx, forbidden(who, least))
		return
	}
	next(ctx)
}

// Require tells who asks that it takes more than their roles, where that
// depends on what they ask for: an operator acts on many, the help desk on one.
func (p Principal) Require(least Role, what string) error {
	if p.May(least) {
		return nil
	}
	return problem(http.StatusForbidden, fmt.Sprintf("%s takes the role %s; you have %s", what, least, joined(p.Roles)), "ask somebody who has it")
}

func forbidden(who Principal, least Role) *client.Problem {
	return problem(http.StatusForbidden, fmt.Sprintf("this takes the role %s; you have %s", least, joined(who.Roles)), "ask somebody who has it")
}

// problem makes a refusal that says what to do next.
func problem(status int, detail, next string, faults ...client.Fault) *client.Problem {
	return &client.Problem{Title: http.StatusText(status), Status: status, Detail: detail, NextStep: next, Errors: faults}
}

func refuseIn(ctx huma.Context, p *client.Problem) {
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetStatus(p.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(p) // whoever hung up gets nothing
}

func refuse(w http.ResponseWriter, p *client.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
