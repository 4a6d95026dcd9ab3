package access

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Outcomes of what is audited.
const (
	Done    = "done"
	Refused = "refused"
)

// maxReason is how long a reason may be, in bytes.
const maxReason = 1000

// An action is what a request does, as it will stand in the audit.
type action struct {
	line   store.Audited
	looked bool // nothing was done: it was only asked what would come of it
}

type actionKey struct{}

// About says what the request under way acts on, and what it does to it, for
// the audit. It may be called until the handler's transaction ends; without it
// the audit has what stands in the path.
func About(ctx context.Context, object, detail string) {
	if a, ok := ctx.Value(actionKey{}).(*action); ok {
		a.line.Object, a.line.Detail = cut(object, 1000), cut(detail, 1000)
	}
}

// audited tells whether an operation is an action: it changes something, or
// shows somebody what not everybody may see.
func audited(op *huma.Operation) bool {
	always, _ := op.Extensions[alwaysAudited].(bool)
	reads, _ := op.Extensions[changesNothing].(bool)
	return always || op.Method != http.MethodGet && LeastRole(op) != Viewer && !reads
}

// Reading marks an operation that changes nothing though its method is not GET:
// it is not audited, and takes no reason.
func Reading(op huma.Operation) huma.Operation {
	op.Extensions = maps.Clone(op.Extensions)
	if op.Extensions == nil {
		op.Extensions = map[string]any{}
	}
	op.Extensions[changesNothing] = true
	return op
}

const changesNothing = "x-changes-nothing"

// rehearsed tells whether a request only asks what would come of it, of an operation that knows dry_run.
func rehearsed(ctx huma.Context) bool {
	return ctx.Query("dry_run") == "true" && slices.ContainsFunc(ctx.Operation().Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == "dry_run" })
}

// alwaysAudited marks an operation that is audited though it changes nothing.
const alwaysAudited = "x-audited"

// OnlyLooked says that the request under way asks only what would come of its action: that is none, and is not audited.
func OnlyLooked(ctx context.Context) {
	if a, ok := ctx.Value(actionKey{}).(*action); ok {
		a.looked = true
	}
}

// Because says why the action of a request is done, where what it carries says so and the request itself does not.
func Because(ctx context.Context, reason string) {
	if a, ok := ctx.Value(actionKey{}).(*action); ok && a.line.Reason == "" {
		a.line.Reason = cut(strings.TrimSpace(reason), maxReason)
	}
}

// audit has next's action written to the audit: in the transaction that does
// it, or, where it does none, after it was refused or had nothing to do.
func (g *Gate) audit(ctx huma.Context, next func(huma.Context)) {
	op, who := ctx.Operation(), Of(ctx.Context())
	reason, err := reasonOf(ctx)
	if err != nil {
		refuseIn(ctx, problem(http.StatusUnprocessableEntity, err.Error(), "give a shorter one"))
		return
	}
	a := &action{line: lineOf(who, op.OperationID)}
	a.line.Object, a.line.Reason, a.line.Outcome = objectOf(ctx), reason, Done
	if reason == "" && g.wantsReason(op.OperationID) && who.May(LeastRole(op)) {
		refuseIn(ctx, problem(http.StatusUnprocessableEntity, "this takes a reason here", "say why in the header X-Reason, or in the query as reason=…; the command line has --reason",
			client.Fault{Field: "header.X-Reason", Message: "it is empty"}))
		return
	}
	under, done := store.WithClosing(context.WithValue(ctx.Context(), actionKey{}, a), func(tx *store.Tx) error { return tx.AddAudit(a.line) })
	defer func() {
		if !done() && !a.looked {
			g.afterwards(ctx, a.line)
		}
	}()
	next(huma.WithContext(ctx, under))
}

// afterwards writes the line of what was refused, or had nothing to write.
func (g *Gate) afterwards(ctx huma.Context, line store.Audited) {
	if status := ctx.Status(); status >= 400 {
		line.Outcome, line.Detail = Refused, strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status), " ", line.Detail))
	}
	if err := g.note(context.WithoutCancel(ctx.Context()), line); err != nil {
		g.log.ErrorContext(ctx.Context(), "Action not audited", "action", line.Action, "outcome", line.Outcome, "err", err)
	}
}

// note writes a line to the audit by itself.
func (g *Gate) note(ctx context.Context, line store.Audited) error {
	return g.store.WriteTenant(ctx, line.Tenant, func(tx *store.Tx) error { return tx.AddAudit(line) })
}

func lineOf(who Principal, does string) store.Audited {
	return store.Audited{Tenant: who.Tenant, Who: who.Name, Subject: who.Subject, Means: who.Means, Credential: who.ID,
		Address: who.Address, Browser: cut(who.Browser, 300), Action: does}
}

// objectOf gives what the path names.
func objectOf(ctx huma.Context) string {
	var names []string
	for _, part := range strings.Split(ctx.Operation().Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, ctx.Param(strings.TrimSuffix(name, "}")))
		}
	}
	return cut(strings.Join(names, " "), 1000)
}

// reasonOf gives why something is done, as who asks says it: in a header, whose
// UTF-8 may be percent-encoded, because headers hold no other, or in the query.
func reasonOf(ctx huma.Context) (string, error) {
	text := ctx.Header("X-Reason")
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	if text == "" {
		text = ctx.Query("reason")
	}
	if len(text) > maxReason {
		return "", fmt.Errorf("the reason has %d bytes; %d are taken", len(text), maxReason)
	}
	return strings.TrimSpace(text), nil
}

func (g *Gate) wantsReason(operation string) bool {
	return slices.Contains(g.config.RequireReason, operation) || slices.Contains(g.config.RequireReason, "all")
}
