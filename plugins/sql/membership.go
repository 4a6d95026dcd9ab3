package sql

import (
	"context"
	"errors"
	"slices"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// memberships is the list whose rows say which groups an object is in.
func (c *class) memberships() *column {
	for _, col := range c.columns {
		if col.list != nil && col.list.Writable {
			return col
		}
	}
	return nil
}

// ChangeMembership adds and removes rows of the table of memberships, all or
// none. The object's row is kept from others meanwhile: two who join the same
// group at a time make one row.
func (s *System) ChangeMembership(ctx context.Context, t sdk.Target, join, leave []string) (sdk.Result, error) {
	c, err := s.writing(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	m := c.memberships()
	if m == nil {
		return sdk.Result{}, sdk.Invalid("the settings do not say which table holds the members of groups",
			"Set `lists: {memberOf: {table: …, key: …, value: …, class: …, writable: true}}` for the class, or take the groups out of the mapping.").On(c.place()).At("memberOf")
	}
	return s.transact(ctx, c, t, func(w *write) (sdk.Result, error) {
		w.deed.right, w.deed.on, w.deed.columns = "SELECT, INSERT, DELETE", m.list.Table, []string{m.name}
		columns := append(w.parameterColumns("join"), w.parameterColumns("leave")...)
		now, err := w.read(ctx, columns, true)
		if err != nil {
			return sdk.Result{}, err
		}
		if now == nil {
			return sdk.Result{}, w.gone()
		}
		in, err := w.groups(ctx, m)
		if err != nil {
			return sdk.Result{}, err
		}
		unchanged := true
		for _, g := range join {
			if !slices.Contains(in, g) {
				in, unchanged = append(in, g), false
				if err := w.join(ctx, m, now, g); err != nil {
					return sdk.Result{}, err
				}
			}
		}
		for _, g := range leave {
			if slices.Contains(in, g) {
				unchanged = false
				if err := w.leave(ctx, m, now, g); err != nil {
					return sdk.Result{}, err
				}
			}
		}
		o, err := w.read(ctx, w.wanted(), false)
		return sdk.Result{Object: o, Unchanged: unchanged}, err
	})
}

// groups are those that the object is in.
func (w *write) groups(ctx context.Context, m *column) ([]string, error) {
	st, err := w.ofMember(m, "SELECT "+w.dialect.path(m.list.Value))
	if err != nil {
		return nil, err
	}
	rows, err := w.tx.QueryContext(ctx, st.text.String(), st.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var in []string
	for rows.Next() {
		var g *string
		if err := rows.Scan(&g); err != nil {
			return nil, err
		}
		if g != nil {
			in = append(in, idOf(m.refers, *g))
		}
	}
	return in, rows.Err()
}

// ofMember is a statement about the memberships of the object.
func (w *write) ofMember(m *column, begin string) (*statement, error) {
	arg, err := w.class.key.arg(w.key)
	if err != nil {
		return nil, w.gone()
	}
	return w.statement(begin, " FROM ", w.dialect.path(m.list.Table), " WHERE ", w.dialect.path(m.list.Key), " = ").param(arg), nil
}

func (w *write) leaveAll(ctx context.Context, m *column) error {
	st, err := w.ofMember(m, "DELETE")
	if err != nil {
		return err
	}
	_, err = w.run(ctx, st)
	return err
}

func (w *write) join(ctx context.Context, m *column, now *sdk.Object, group string) error {
	if p, calls := w.class.Procedures["join"]; calls {
		return w.call(ctx, p, now, map[string][]string{groupParameter: {group}})
	}
	arg, err := w.class.key.arg(w.key)
	if err != nil {
		return w.gone()
	}
	value, ok := keyOf(m.refers, group)
	if !ok {
		return noGroup(m, group)
	}
	d := w.dialect
	st := w.statement("INSERT INTO ", d.path(m.list.Table), " (", d.path(m.list.Key), ", ", d.path(m.list.Value), ") VALUES (").param(arg).add(", ").param(value).add(")")
	_, err = w.run(ctx, st)
	if err == nil {
		return nil
	}
	if f, _ := meaning(err); f == foreign || f == wrongType {
		return noGroup(m, group).From(err)
	}
	return err
}

func noGroup(m *column, group string) *sdk.Error {
	return sdk.NotFound("the group is no longer there", "Nothing: it is read and planned again.").On(m.list.Table + " " + group).At(m.name)
}

func (w *write) leave(ctx context.Context, m *column, now *sdk.Object, group string) error {
	if p, calls := w.class.Procedures["leave"]; calls {
		return w.call(ctx, p, now, map[string][]string{groupParameter: {group}})
	}
	value, _ := keyOf(m.refers, group)
	st, err := w.ofMember(m, "DELETE")
	if err != nil {
		return err
	}
	n, err := w.run(ctx, st.add(" AND ", w.dialect.path(m.list.Value), " = ").param(value))
	if err == nil && n == 0 {
		err = errors.New("the membership is there, and the database finds nothing to delete")
	}
	return err
}
