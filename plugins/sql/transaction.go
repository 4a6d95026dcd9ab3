package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A write is one operation on one row, in one transaction.
//
//	begun      connection lost: nothing has happened, UNAVAILABLE
//	written    statements with parameters; refused: rolled back, and fault.go says why
//	compared   what was written is read again: what the database would keep in another form is rolled back
//	committed  connection lost: UNKNOWN, the row is read before anything else is done
type write struct {
	*System
	class  *class
	target sdk.Target
	key    string // of the row
	tx     *sql.Tx
	deed   deed
	called bool // a procedure, which may have committed of itself
}

// freshFor is how long the columns of a class are taken as known by writes.
const freshFor = time.Minute

// A described class is kept for writes, which would else ask for it each time.
type described struct {
	class *class
	at    time.Time
}

// writing describes a class that is written to.
func (s *System) writing(ctx context.Context, name string) (*class, error) {
	if known, ok := s.known.Load(name); ok {
		if d := known.(described); time.Since(d.at) < freshFor {
			return d.class, nil
		}
	}
	c, err := s.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	c.written = c.columns
	if c.Into != "" {
		if c.written, err = s.columns(ctx, &class{ClassSettings: ClassSettings{Table: c.Into}, name: name, dialect: s.dialect}, s.dialect.path(c.Into)); err != nil {
			return nil, err
		}
		if c.inTable(c.key) == nil {
			return nil, sdk.Invalid(fmt.Sprintf("table %s has no column %q, the key", c.Into, c.key.name), `Correct "into" or "key".`).On(c.Into).At(c.key.name)
		}
	}
	s.known.Store(name, described{c, time.Now()})
	return c, nil
}

// table is what is written to, as SQL writes it.
func (c *class) table() string {
	if c.Into != "" {
		return c.dialect.path(c.Into)
	}
	return c.dialect.path(c.Table)
}

// inTable is the column of the table that is written, nil if it has none.
func (c *class) inTable(col *column) *column {
	for _, have := range c.written {
		if strings.EqualFold(have.stored(), col.stored()) {
			return have
		}
	}
	return nil
}

// transact runs what do does in one transaction.
func (s *System) transact(ctx context.Context, c *class, t sdk.Target, do func(w *write) (sdk.Result, error)) (sdk.Result, error) {
	w := &write{System: s, class: c, target: t, deed: deed{class: c, id: c.shown(t.ID)}}
	if t.ID != "" {
		var ours bool
		if w.key, ours = keyOf(c.name, t.ID); !ours {
			return sdk.Result{}, w.gone()
		}
	}
	if c.Into != "" {
		w.deed.on = c.Into
	}
	var err error
	if w.tx, err = s.db.BeginTx(ctx, nil); err != nil {
		return sdk.Result{}, s.fault(err, w.deed)
	}
	r, err := do(w)
	if err != nil {
		_ = w.tx.Rollback() // the error that led to it says more
		if f, _ := meaning(err); f == noTable || f == noColumn || f == wrongType || f == stale || f == other {
			s.known.Delete(c.name) // its columns may be others by now
		}
		if w.called && broken(err) {
			return sdk.Result{}, w.unknown(err)
		}
		return r, s.fault(err, w.deed)
	}
	if r.Unchanged {
		_ = w.tx.Rollback() // nothing was written
	} else if err := w.tx.Commit(); err != nil {
		if f, _ := meaning(err); f == other {
			return sdk.Result{}, w.unknown(err)
		}
		return sdk.Result{}, s.fault(err, w.deed)
	}
	r.Server = s.settings.Server
	return r, s.withLists(ctx, c, &r, t.Attributes)
}

// of says which row it is, when that is known.
func (w *write) of(key string) { w.key, w.target.ID = key, w.class.id(key) }

// unknown is the outcome where the answer to a commit was lost.
func (w *write) unknown(err error) error {
	return sdk.Unknown("the connection was lost while the change was committed", "Nothing: the row is read again before anything else is done to it.").
		On(strings.TrimSpace(w.class.place() + " " + w.key)).From(err)
}

// A statement is text with its parameters.
type statement struct {
	d    dialect
	text strings.Builder
	args []any
}

func (w *write) statement(parts ...string) *statement {
	st := &statement{d: w.dialect}
	return st.add(parts...)
}

func (st *statement) add(parts ...string) *statement {
	for _, p := range parts {
		st.text.WriteString(p)
	}
	return st
}

// param adds a parameter.
func (st *statement) param(value any) *statement {
	st.args = append(st.args, value)
	return st.add(st.d.param(len(st.args)))
}

// columnHolds adds the condition that a column holds a value, exactly.
func (st *statement) columnHolds(c *column, values []string) error {
	name := st.d.quote(c.stored())
	kind := c.kind
	if kind == state {
		kind = c.held.kind
	}
	textual := kind == text || kind == padded || kind == reference || kind == number || kind == day
	if len(values) == 0 {
		st.add("(", name, " IS NULL")
		if kind == text || kind == padded || kind == reference {
			st.add(" OR ", fmt.Sprintf(st.d.exact, name), " = ").param("")
		}
		st.add(")")
		return nil
	}
	arg, err := c.argument(values)
	if err != nil {
		return err
	}
	if textual {
		name = fmt.Sprintf(st.d.exact, name)
	}
	st.add(name, " = ").param(arg)
	return nil
}

// row adds the condition that it is the row of the object.
func (w *write) row(st *statement) (*statement, error) {
	arg, err := w.class.key.arg(w.key)
	if err != nil {
		return nil, w.gone()
	}
	st.add(" WHERE ", w.dialect.quote(w.class.key.name), " = ").param(arg)
	if w.class.Where != "" && w.class.Into == "" {
		st.add(" AND (", w.class.Where, ")")
	}
	return st, nil
}

// run executes a statement and returns how many rows it concerned.
func (w *write) run(ctx context.Context, st *statement) (int64, error) {
	r, err := w.tx.ExecContext(ctx, st.text.String(), st.args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// one refuses what concerned more rows than one.
func (w *write) one(n int64) error {
	if n > 1 {
		return sdk.Invalid(fmt.Sprintf("%d rows have the same key: which of them is right nobody knows", n), fmt.Sprintf("Make column %s unique in the database.", w.class.key.name)).
			On(w.class.place() + " " + w.key).At(w.class.key.name)
	}
	return nil
}

func (w *write) gone() error {
	return sdk.NotFound("the row is no longer there", "Nothing: it is read and planned again.").On(w.class.place() + " " + w.key)
}

// broken tells whether an error is of the connection and not of the server.
func broken(err error) bool {
	if _, ours := errors.AsType[*sdk.Error](err); ours {
		return false
	}
	f, _ := meaning(err)
	return f == other
}
