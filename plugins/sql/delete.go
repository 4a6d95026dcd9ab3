package sql

import (
	"context"
	"fmt"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Delete removes the row, and before it its memberships.
func (s *System) Delete(ctx context.Context, t sdk.Target) (sdk.Result, error) {
	c, err := s.writing(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	if !c.Delete {
		return sdk.Result{}, sdk.Invalid(fmt.Sprintf("the settings do not let rows of %s be deleted", c.name), "Set `delete: true` for the class, or take the deletion out of the mapping.").On(c.place() + " " + c.shown(t.ID))
	}
	return s.transact(ctx, c, t, func(w *write) (sdk.Result, error) {
		w.deed.right = "DELETE"
		now, err := w.read(ctx, w.parameterColumns("delete"), true)
		if err != nil || now == nil {
			return sdk.Result{Unchanged: err == nil}, err
		}
		if p, calls := c.Procedures["delete"]; calls {
			return sdk.Result{}, w.call(ctx, p, now, nil)
		}
		if m := c.memberships(); m != nil {
			if err := w.leaveAll(ctx, m); err != nil {
				return sdk.Result{}, err
			}
		}
		st, err := w.row(w.statement("DELETE FROM ", c.table()))
		if err != nil {
			return sdk.Result{}, err
		}
		n, err := w.run(ctx, st)
		if err != nil {
			return sdk.Result{}, err
		}
		return sdk.Result{}, w.one(n)
	})
}
