package store

import (
	"context"
	"sync/atomic"
)

// An Audited is a line of the audit: who did what, from where and why. The
// database itself refuses to change or remove one.
type Audited struct {
	Seq        int64 // given by the store
	Tenant     string
	At         Instant
	Who        string // as shown
	Subject    string // for good
	Means      string // token, session, …
	Credential string // id of the token or session
	Address    string
	Browser    string // User-Agent
	Action     string // operation id, sign-in, sign-out
	Object     string
	Detail     string
	Outcome    string // done, refused
	Reason     string
}

const auditColumns = "tenant, at, who, subject, means, credential, address, browser, action, object, detail, outcome, reason"

func (a *Audited) unnumbered() []any { return a.fields()[1:] }

func (a *Audited) fields() []any {
	return []any{&a.Seq, &a.Tenant, &a.At, &a.Who, &a.Subject, &a.Means, &a.Credential, &a.Address, &a.Browser, &a.Action, &a.Object, &a.Detail, &a.Outcome, &a.Reason}
}

// AddAudit appends a line to the audit; At is set to now where it is none.
func (tx *Tx) AddAudit(a Audited) error {
	if a.At == 0 {
		a.At = tx.Now
	}
	return insertFields(tx, "audit", auditColumns, "", []Audited{a}, (*Audited).unnumbered)
}

// AuditFilter says which lines are wanted: those that match every field set.
type AuditFilter struct {
	Who     string // part of name or subject, in whatever case
	Action  string
	Object  string // part of it
	Outcome string
	Since   Instant // at it or later
	Until   Instant // before it
	Before  int64   // numbers below it
}

// ListAudit returns up to limit lines, the newest first.
func (tx *Tx) ListAudit(tenant string, f AuditFilter, limit int) ([]Audited, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	if f.Who != "" {
		w.text += " AND (instr(lower(who), lower(?)) > 0 OR instr(lower(subject), lower(?)) > 0)"
		w.args = append(w.args, f.Who, f.Who)
	}
	w.and("action = ?", f.Action)
	w.and("instr(lower(object), lower(?)) > 0", f.Object)
	w.and("outcome = ?", f.Outcome)
	for _, bound := range []struct {
		condition string
		value     int64
	}{{"at >= ?", int64(f.Since)}, {"at < ?", int64(f.Until)}, {"seq < ?", f.Before}} {
		if bound.value > 0 {
			w.text += " AND " + bound.condition
			w.args = append(w.args, bound.value)
		}
	}
	return query[Audited](tx, "SELECT seq, "+auditColumns+" FROM audit WHERE "+w.text+" ORDER BY seq DESC LIMIT ?", append(w.args, limit)...)
}

// A closing is what the next transaction that writes does last.
type closing struct {
	do    func(*Tx) error
	done  atomic.Bool
	outer *closing // nil where there is none
}

// run does what is to be done yet, the innermost first.
func (c *closing) run(tx *Tx) error {
	for ; c != nil; c = c.outer {
		if !c.done.Load() {
			if err := c.do(tx); err != nil {
				return err
			}
		}
	}
	return nil
}

// committed notes that it is done.
func (c *closing) committed() {
	for ; c != nil; c = c.outer {
		c.done.Store(true)
	}
}

type closingKey struct{}

// WithClosing gives a context under which the first transaction that writes
// calls do just before it commits, whoever runs it. So what a request does is
// audited in the transaction that does it, and neither is there without the
// other. Done tells whether that has happened. Contexts may be made so of one another.
func WithClosing(ctx context.Context, do func(*Tx) error) (_ context.Context, done func() bool) {
	outer, _ := ctx.Value(closingKey{}).(*closing)
	c := &closing{do: do, outer: outer}
	return context.WithValue(ctx, closingKey{}, c), c.done.Load
}

// closingOf gives what is to be done yet under the context, nil where there is nothing.
func closingOf(ctx context.Context, l lock) *closing {
	c, _ := ctx.Value(closingKey{}).(*closing)
	if l == snapshot || c == nil || c.done.Load() {
		return nil
	}
	return c
}
