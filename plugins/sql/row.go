package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// writable tells whether a mapping may write the column.
func (c *class) writable(col *column) bool {
	switch {
	case col.list != nil, col.kind == state, col.ahead != nil:
		return false // by SetEnabled and ChangeMembership alone
	case col == c.key:
		return c.Create
	}
	named := func(name string) bool { return name == "*" || strings.EqualFold(name, col.name) }
	return slices.ContainsFunc(c.Writable, named)
}

// toWrite returns the column of an attribute that shall be written, or why it may not be.
func (c *class) toWrite(name string, making bool) (*column, error) {
	col := c.column(name)
	switch {
	case col == nil:
		return nil, c.missing(name, "the mapping")
	case col == c.key && !making:
		return nil, sdk.Invalid("the key names the row for ever, it is not changed", "Write it only when the row is made (apply: create).").On(c.place()).At(col.name)
	case !c.writable(col):
		return nil, sdk.Invalid(fmt.Sprintf("column %s is not among those that may be written", col.name),
			fmt.Sprintf("Take it out of the mapping, or put it into `writable` of class %s in the settings.", c.name)).On(c.place()).At(col.name)
	case c.inTable(col) == nil:
		return nil, sdk.Invalid(fmt.Sprintf("table %s has no column %s", c.Into, col.name), "Take it out of the mapping and of `writable`.").On(c.Into).At(col.name)
	}
	return col, nil
}

// argument is the parameter for the values of an attribute; none is NULL.
func (c *column) argument(values []string) (any, error) {
	if len(values) > 1 {
		return nil, sdk.Invalid(fmt.Sprintf("column %s takes one value, not %d", c.name, len(values)), "Correct the rule of the attribute in the mapping.").At(c.name)
	}
	if len(values) == 0 || values[0] == "" {
		return nil, nil
	}
	if n := utf8.RuneCountInString(values[0]); c.length > 0 && n > int(c.length) && c.dialect == "postgresql" {
		return nil, sdk.Invalid(fmt.Sprintf("the value has %d characters, column %s takes %d", n, c.name, c.length), "Shorten the value in the mapping, or widen the column.").At(c.name)
	}
	arg, err := c.arg(values[0])
	if err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the rule of the attribute in the mapping, or `types` of the settings.").At(c.name)
	}
	return arg, nil
}

// holds tells whether two lists of values are the same to the column.
func (c *column) holds(a, b []string) bool {
	trim := func(v []string) []string {
		if len(v) == 1 && v[0] == "" {
			return nil
		}
		return v
	}
	if a, b = trim(a), trim(b); len(a) != 1 || len(b) != 1 {
		return slices.Equal(a, b)
	}
	if a[0] == b[0] {
		return true
	}
	switch c.kind {
	case instant, wall:
		x, err := time.Parse(time.RFC3339Nano, a[0])
		y, err2 := time.Parse(time.RFC3339Nano, b[0])
		return err == nil && err2 == nil && x.Equal(y)
	case boolean, switched, bit, state:
		x, err := strconv.ParseBool(a[0])
		y, err2 := strconv.ParseBool(b[0])
		return err == nil && err2 == nil && x == y
	case integer:
		x, ok := new(big.Int).SetString(a[0], 10)
		y, ok2 := new(big.Int).SetString(b[0], 10)
		return ok && ok2 && x.Cmp(y) == 0
	}
	return false
}

// read returns the object as the transaction sees it; nil if it is not there.
// It takes the row from others until the end if lock is set; what is read then
// is the table that is written, not the query.
func (w *write) read(ctx context.Context, columns []*column, lock bool) (*sdk.Object, error) {
	c, d := w.class, w.dialect
	p := selection{class: c, columns: columns, today: w.today()}
	arg, err := c.key.arg(w.key)
	if err != nil {
		return nil, nil
	}
	var st *statement
	if lock {
		st = w.statement("SELECT ", d.quote(c.key.name))
		for _, col := range columns {
			st.add(", ", d.quote(col.stored()))
		}
		if st, err = w.row(st.add(" FROM ", c.table(), d.lockTable)); err != nil {
			return nil, err
		}
		st.add(d.lock)
	} else {
		p.args, p.where = []any{arg}, d.quote(c.key.name)+" = "+d.param(1)
		text, args := p.sql()
		st = w.statement(text)
		st.args = args
	}
	rows, err := w.tx.QueryContext(ctx, st.text.String(), st.args...)
	if err != nil {
		return nil, err
	}
	o, n, err := w.take(p, rows)
	if err == nil {
		err = w.one(n)
	}
	return o, err
}

// take makes the object of the only row there should be.
func (w *write) take(p selection, rows *sql.Rows) (*sdk.Object, int64, error) {
	defer rows.Close()
	b := newBuilder(p)
	values, into := make([]driver.Value, 1+len(p.columns)), make([]any, 1+len(p.columns))
	for i := range values {
		into[i] = (*any)(&values[i])
	}
	var n int64
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return nil, n, err
		}
		id, err := b.key(values[0])
		if err != nil || id == nil {
			return nil, n, errors.Join(err, rows.Err())
		}
		b.take(id, values[1:])
		if b.bad != "" {
			return nil, n, sdk.Invalid(b.bad, "Correct the row in the database.").On(b.place())
		}
	}
	if n == 0 || rows.Err() != nil {
		return nil, n, rows.Err()
	}
	return b.object(), n, nil
}

// values of a column of an object.
func of(o *sdk.Object, c *column) []string {
	for _, a := range o.Attributes {
		if a.Name == c.name {
			return a.Values
		}
	}
	return nil
}

// wanted are the columns that a target asks for, and more, without lists.
func (w *write) wanted(more ...*column) []*column {
	list := w.class.pick(w.target.Attributes, "").columns
	for _, col := range more {
		if !slices.Contains(list, col) {
			list = append(list, col)
		}
	}
	return list
}

// kept returns the object after a write, and refuses one that the database
// keeps in another form than it was given: it would be written again for ever.
func (w *write) kept(ctx context.Context, changes []change) (*sdk.Object, error) {
	columns := make([]*column, len(changes))
	for i, ch := range changes {
		columns[i] = ch.column
	}
	o, err := w.read(ctx, w.wanted(columns...), false)
	if o == nil || err != nil {
		return nil, err
	}
	for _, ch := range changes {
		if has := of(o, ch.column); !ch.column.holds(has, ch.want) {
			return nil, sdk.Invalid(fmt.Sprintf("the database would keep another value in column %s than it was given, such as a rounded, cut or padded one, and nothing was written", ch.column.name),
				"Let the mapping give the value as the database keeps it, or look for a trigger or the type of the column.").On(w.class.place() + " " + w.key).At(ch.column.name)
		}
	}
	return o, nil
}

// withLists adds to the object of a result what the target asks for of lists.
func (s *System) withLists(ctx context.Context, c *class, r *sdk.Result, attributes []string) error {
	if r.Object == nil {
		return nil
	}
	p := c.pick(attributes, "")
	p.columns = nil
	if len(p.lists) == 0 {
		return nil
	}
	lists := &sdk.Object{ID: r.Object.ID}
	for _, col := range p.lists {
		lists.Attributes = append(lists.Attributes, sdk.Attribute{Name: col.name})
	}
	if err := s.fill(ctx, p, []*sdk.Object{lists}); err != nil {
		s.log.DebugContext(ctx, "The object cannot be read after it was written", "class", c.name, "err", err)
		r.Object = nil // it was written: it is read the next time
		return nil
	}
	r.Object.Attributes = append(r.Object.Attributes, lists.Attributes...)
	return nil
}

// A change is one of a column, checked.
type change struct {
	column       *column
	expect, want []string
}

// changes checks what a Modify asks for.
func (c *class) changes(list []*connectorv1.Change) ([]change, error) {
	changes := make([]change, len(list))
	for i, ch := range list {
		col, err := c.toWrite(ch.GetName(), false)
		if err != nil {
			return nil, err
		}
		changes[i] = change{col, ch.GetExpect(), ch.GetWant()}
	}
	return changes, nil
}
