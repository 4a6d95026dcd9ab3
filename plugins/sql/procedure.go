package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// groupParameter is the group that is joined or left, among the parameters of
// a procedure.
const groupParameter = "group"

// parameterColumns are the columns that a procedure takes.
func (w *write) parameterColumns(procedure string) []*column {
	var list []*column
	for _, name := range w.class.Procedures[procedure].Parameters {
		if col := w.class.column(name); col != nil && col != w.class.key && col.list == nil && !slices.Contains(list, col) {
			list = append(list, col)
		}
	}
	return list
}

// change calls the procedure with the row as it shall be.
func (w *write) change(ctx context.Context, p ProcedureSettings, left []change) error {
	given := map[string][]string{}
	var columns []*column
	for _, ch := range left {
		if ch.column.kind != state && !slices.ContainsFunc(p.Parameters, func(name string) bool { return strings.EqualFold(name, ch.column.name) }) {
			return sdk.Invalid(fmt.Sprintf("procedure %s does not take column %s", p.Call, ch.column.name), "Name the column in `parameters`, or take it out of the mapping.").On(w.class.place()).At(ch.column.name)
		}
		given[strings.ToLower(ch.column.name)] = ch.want
	}
	for _, name := range p.Parameters {
		if col := w.class.column(name); col != nil && col != w.class.key && col.list == nil {
			columns = append(columns, col)
		}
	}
	now, err := w.read(ctx, columns, true)
	if err != nil {
		return err
	}
	if now == nil {
		return w.gone()
	}
	return w.call(ctx, p, now, given)
}

// call calls a procedure. A parameter is what is given, else what the row holds.
func (w *write) call(ctx context.Context, p ProcedureSettings, now *sdk.Object, given map[string][]string) error {
	w.deed.right, w.deed.on = "EXECUTE", "PROCEDURE "+p.Call
	list := w.statement()
	for i, name := range p.Parameters {
		if i > 0 {
			list.add(", ")
		}
		values, has := given[strings.ToLower(name)]
		col := w.class.column(name)
		switch {
		case strings.EqualFold(name, groupParameter) && has:
			group, _ := keyOf(w.class.memberships().refers, values[0])
			list.param(group)
			continue
		case col == nil || col.list != nil:
			return w.class.missing(name, "parameters of procedure "+p.Call)
		case has:
		case col == w.class.key && w.key != "":
			values = []string{w.key}
		case now != nil:
			values = of(now, col)
		}
		arg, err := col.argument(values)
		if err != nil {
			return err
		}
		list.param(arg)
	}
	w.called = true
	_, err := w.tx.ExecContext(ctx, fmt.Sprintf(w.dialect.call, w.dialect.path(p.Call), list.text.String()), list.args...)
	return err
}
