package sql

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Create makes the row, unless one has the anchor already: then it is of an
// attempt whose answer was lost. Two attempts at a time wait for each other
// within this process; between processes a unique column keeps them apart.
func (s *System) Create(ctx context.Context, t sdk.Target, create *connectorv1.Create) (sdk.Result, error) {
	c, err := s.writing(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	n, err := c.creation(create)
	if err != nil {
		return sdk.Result{}, s.fault(err, deed{class: c})
	}
	slot := &s.making[maphash.String(s.seed, c.name+"\x00"+n.value)%uint64(len(s.making))]
	slot.Lock()
	defer slot.Unlock()
	r, err := s.transact(ctx, c, t, func(w *write) (sdk.Result, error) { return n.make(ctx, w) })
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Taken {
		// Another process may have made the very row meanwhile.
		earlier, other := s.transact(ctx, c, t, func(w *write) (sdk.Result, error) { return n.earlier(ctx, w) })
		if other == nil && earlier.Unchanged {
			return earlier, nil
		}
	}
	return r, err
}

// A creation is a Create that has been checked.
type creation struct {
	class   *class
	changes []change // what the row starts with
	anchor  *column
	value   string
	id      string // "" where the database gives the key
}

func (c *class) creation(create *connectorv1.Create) (*creation, error) {
	if !c.Create {
		return nil, sdk.Invalid(fmt.Sprintf("the settings do not let rows of %s be made", c.name), "Set `create: true` for the class, or let the mapping not create.").On(c.place())
	}
	if create.GetPassword() != nil {
		return nil, sdk.Invalid("the sql connector writes no passwords", "Take `password` out of the mapping.").On(c.place())
	}
	n := &creation{class: c}
	for _, a := range create.GetAttributes() {
		col, err := c.toWrite(a.GetName(), true)
		if err != nil {
			return nil, err
		}
		if _, err := col.argument(a.GetValues()); err != nil {
			return nil, err
		}
		if col == c.key && len(a.GetValues()) == 1 {
			n.id = a.GetValues()[0]
		}
		n.changes = append(n.changes, change{column: col, want: a.GetValues()})
	}
	if state := c.column(enabledName); state != nil && state.held != nil {
		n.changes = slices.DeleteFunc(n.changes, func(ch change) bool { return ch.column == state.held })
		n.changes = append(n.changes, change{column: state, want: []string{strconv.FormatBool(create.GetEnabled())}})
	}
	name := create.GetAnchor().GetName()
	n.anchor = c.column(name)
	if n.anchor == nil && strings.EqualFold(name, "id") {
		n.anchor = c.key
	}
	if n.anchor == nil || n.anchor.list != nil || len(create.GetAnchor().GetValues()) != 1 {
		return nil, sdk.Invalid(fmt.Sprintf("class %s has no column %q to recognise the row by", c.name, name), "Match by a column of the table.").On(c.place()).At(name)
	}
	n.value = create.GetAnchor().GetValues()[0]
	_, err := n.anchor.argument([]string{n.value})
	return n, err
}

// earlier finds the row of an attempt whose answer was lost.
func (n *creation) earlier(ctx context.Context, w *write) (sdk.Result, error) {
	ids, err := n.find(ctx, w)
	if err != nil || len(ids) == 0 {
		return sdk.Result{}, err
	}
	if len(ids) > 1 {
		return sdk.Result{}, sdk.Conflict(fmt.Sprintf("%d rows have the value that column %s shall recognise one by", len(ids), n.anchor.name), "Remove what is too much, and make the column unique.").On(w.class.place()).At(n.anchor.name)
	}
	w.of(ids[0])
	o, err := w.read(ctx, w.wanted(), false)
	return sdk.Result{Object: o, Unchanged: true}, err
}

// find returns the keys of the rows that have the anchor.
func (n *creation) find(ctx context.Context, w *write) ([]string, error) {
	c := w.class
	st := w.statement("SELECT ", w.dialect.quote(c.key.name), " FROM ", c.table(), " WHERE ")
	arg, err := n.anchor.argument([]string{n.value})
	if err != nil {
		return nil, err
	}
	st.add(w.dialect.quote(n.anchor.stored()), " = ").param(arg)
	rows, err := w.tx.QueryContext(ctx, st.text.String(), st.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		id, err := scanKey(c, rows)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func scanKey(c *class, row interface{ Scan(...any) error }) (string, error) {
	var v any
	if err := row.Scan(&v); err != nil || v == nil {
		return "", err
	}
	id, err := c.key.appendText(nil, v)
	return string(id), err
}

func (n *creation) make(ctx context.Context, w *write) (sdk.Result, error) {
	if r, err := n.earlier(ctx, w); err != nil || r.Unchanged {
		return r, err
	}
	w.about(n.changes)
	w.deed.right = "INSERT"
	var err error
	if p, calls := w.class.Procedures["create"]; calls {
		given := map[string][]string{}
		for _, ch := range n.changes {
			given[strings.ToLower(ch.column.name)] = ch.want
		}
		err = w.call(ctx, p, nil, given)
	} else {
		err = n.insert(ctx, w)
	}
	if err != nil {
		return sdk.Result{}, err
	}
	if n.id == "" {
		ids, err := n.find(ctx, w)
		if err != nil {
			return sdk.Result{}, err
		}
		if len(ids) != 1 {
			return sdk.Result{}, sdk.Invalid(fmt.Sprintf("after the row was made %d rows have the value that column %s shall recognise it by", len(ids), n.anchor.name),
				"Let the mapping write the column that it matches by.").On(w.class.place()).At(n.anchor.name)
		}
		n.id = ids[0]
	}
	w.of(n.id)
	o, err := w.kept(ctx, n.changes)
	return sdk.Result{Object: o}, err
}

// insert makes the row with an INSERT, and learns the key where the database
// gives it and says so.
func (n *creation) insert(ctx context.Context, w *write) error {
	c, d := w.class, w.dialect
	key := d.quote(c.key.name)
	st := w.statement("INSERT INTO ", c.table(), " (")
	for i, ch := range n.changes {
		if i > 0 {
			st.add(", ")
		}
		st.add(d.quote(ch.column.stored()))
	}
	st.add(")")
	if n.id == "" && d.key == output {
		st.add(" OUTPUT INSERTED.", key)
	}
	st.add(" VALUES (")
	for i, ch := range n.changes {
		if i > 0 {
			st.add(", ")
		}
		arg, err := ch.column.argument(ch.want)
		if err != nil {
			return err
		}
		if arg == nil {
			st.add("NULL")
		} else {
			st.param(arg)
		}
	}
	st.add(")")
	if n.id == "" && d.key == returning {
		st.add(" RETURNING ", key)
	}
	var err error
	if n.id == "" && (d.key == returning || d.key == output) {
		n.id, err = scanKey(c, w.tx.QueryRowContext(ctx, st.text.String(), st.args...))
		return err
	}
	r, err := w.tx.ExecContext(ctx, st.text.String(), st.args...)
	if err != nil || n.id != "" || d.key != last {
		return err
	}
	if id, err := r.LastInsertId(); err == nil && id > 0 {
		n.id = strconv.FormatInt(id, 10)
	}
	return nil
}
