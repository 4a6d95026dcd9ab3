package sql

import (
	"context"
	"fmt"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Modify changes columns in one UPDATE whose WHERE holds what is expected.
// Where that meets no row, the row is taken from others and looked at: it may
// be as wanted already, hold something else, be gone, or be equal only as we
// compare and not as the database does, such as a float or a JSON text.
func (s *System) Modify(ctx context.Context, t sdk.Target, list []*connectorv1.Change) (sdk.Result, error) {
	c, err := s.writing(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	changes, err := c.changes(list)
	if err != nil {
		return sdk.Result{}, err
	}
	return s.transact(ctx, c, t, func(w *write) (sdk.Result, error) {
		w.about(changes)
		for _, ch := range changes { // what the column can never hold is refused before all else
			if _, err := ch.column.argument(ch.want); err != nil {
				return sdk.Result{}, err
			}
		}
		if _, calls := c.Procedures["modify"]; !calls {
			switch swapped, err := w.swap(ctx, changes); {
			case err != nil:
				return sdk.Result{}, err
			case swapped:
				o, err := w.kept(ctx, changes)
				return sdk.Result{Object: o}, err
			}
		}
		return w.settle(ctx, changes, "modify")
	})
}

// about remembers what is written, for the fault.
func (w *write) about(changes []change) {
	w.deed.columns = nil
	for _, ch := range changes {
		w.deed.columns = append(w.deed.columns, ch.column.name)
	}
	w.deed.right = "UPDATE (" + strings.Join(w.deed.columns, ", ") + ")"
}

// swap writes if every column holds what is expected. It is skipped where all
// is expected to be as wanted.
func (w *write) swap(ctx context.Context, changes []change) (bool, error) {
	st, err := w.update(changes)
	if err != nil {
		return false, err
	}
	for _, ch := range changes {
		if ch.column.holds(ch.expect, ch.want) {
			return false, nil
		}
		st.add(" AND ")
		if err := st.columnHolds(ch.column, ch.expect); err != nil {
			return false, nil // the column cannot hold what is expected: settle says so
		}
	}
	n, err := w.run(ctx, st)
	if err != nil {
		return false, err
	}
	return n > 0, w.one(n)
}

// update is the UPDATE up to the condition that finds the row.
func (w *write) update(changes []change) (*statement, error) {
	st := w.statement("UPDATE ", w.class.table(), " SET ")
	for i, ch := range changes {
		if i > 0 {
			st.add(", ")
		}
		arg, err := ch.column.argument(ch.want)
		if err != nil {
			return nil, err
		}
		st.add(w.dialect.quote(ch.column.stored()), " = ")
		if arg == nil {
			st.add("NULL")
		} else {
			st.param(arg)
		}
	}
	return w.row(st)
}

// settle takes the row from others, and writes what is left to write.
func (w *write) settle(ctx context.Context, changes []change, procedure string) (sdk.Result, error) {
	columns := make([]*column, len(changes))
	for i, ch := range changes {
		columns[i] = ch.column
	}
	now, err := w.read(ctx, columns, true)
	if err != nil {
		return sdk.Result{}, err
	}
	if now == nil {
		return sdk.Result{}, w.gone()
	}
	var left []change
	for _, ch := range changes {
		switch has := of(now, ch.column); {
		case ch.column.holds(has, ch.want):
		case ch.column.holds(has, ch.expect):
			left = append(left, ch)
		default:
			o, err := w.read(ctx, w.wanted(), false)
			if err != nil {
				return sdk.Result{}, err
			}
			return sdk.Result{Object: o}, sdk.Conflict(fmt.Sprintf("column %s holds neither what was seen nor what is wanted", ch.column.name),
				"Nothing: it is planned again from what is there.").On(w.class.place() + " " + w.key).At(ch.column.name)
		}
	}
	if len(left) == 0 {
		o, err := w.read(ctx, w.wanted(), false)
		return sdk.Result{Object: o, Unchanged: true}, err
	}
	if p, calls := w.class.Procedures[procedure]; calls {
		err = w.change(ctx, p, left)
	} else {
		err = w.force(ctx, left)
	}
	if err != nil {
		return sdk.Result{}, err
	}
	o, err := w.kept(ctx, left)
	return sdk.Result{Object: o}, err
}

// force writes to a row that is kept from others.
func (w *write) force(ctx context.Context, left []change) error {
	st, err := w.update(left)
	if err != nil {
		return err
	}
	n, err := w.run(ctx, st)
	if err != nil {
		return err
	}
	return w.one(n)
}
