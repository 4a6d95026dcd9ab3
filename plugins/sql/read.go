package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A selection is one SELECT: the key, then the columns. Which of dated rows it
// shows is in dated.go.
type selection struct {
	class   *class
	columns []*column // wanted, without lists
	lists   []*column
	where   string // "" or a condition; its parameters are args
	args    []any
	today   string // of dated rows
}

// pick picks what a query asks for.
func (c *class) pick(attributes []string, today string) selection {
	p := selection{class: c, today: today}
	for _, col := range c.columns {
		wanted := slices.ContainsFunc(attributes, func(a string) bool { return strings.EqualFold(a, col.name) })
		switch {
		case wanted && col.list != nil:
			p.lists = append(p.lists, col)
		case wanted:
			p.columns = append(p.columns, col)
		}
	}
	return p
}

// absent returns an error for an attribute that the database does not have:
// to go on would empty it for everybody.
func (c *class) absent(attributes []string) error {
	for _, name := range attributes {
		if c.column(name) == nil && !strings.EqualFold(name, enabledName) && !strings.EqualFold(name, "memberOf") { // which targets always ask for
			return c.missing(name, "the mapping")
		}
	}
	return nil
}

func (p selection) sql() (string, []any) {
	c, d := p.class, p.class.dialect
	list := d.quote(c.key.name)
	for _, col := range p.columns {
		list += ", " + d.quote(col.stored())
	}
	from, conditions := c.source(), c.conditions()
	if c.Effective.From != "" {
		from, conditions = c.inForce(p.today), []string{"drawbridge_n = 1"}
		if !c.Effective.Ended {
			conditions = append(conditions, "drawbridge_state < 2")
		}
	}
	if p.where != "" {
		conditions = append(conditions, p.where)
	}
	return "SELECT " + list + " FROM " + from + where(conditions) + " ORDER BY " + d.quote(c.key.name), slices.Clone(p.args)
}

// conditions are those that the settings demand of a row.
func (c *class) conditions() []string {
	if c.Where == "" {
		return nil
	}
	return []string{"(" + c.Where + ")"}
}

func where(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
}

// Read gives every row of the classes, each class in a snapshot. There is a
// cookie where each of them can tell changes; else the agent finds what changed
// by its fingerprints.
func (s *System) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	next := s.newCookie(q)
	err := s.eachClass(ctx, q, next.Day, func(p selection) error {
		if !p.tellsChanges() {
			next = nil
		}
		return s.snapshot(ctx, p.class, func(conn driver.Conn) error { return s.all(ctx, conn, p, next, out) })
	})
	if err != nil {
		return nil, err
	}
	return next.encode()
}

// eachClass describes the classes that a query asks for and has do read what
// is wanted of each. Classes of other systems are not asked about.
func (s *System) eachClass(ctx context.Context, q sdk.Query, today string, do func(p selection) error) error {
	for _, name := range q.Classes {
		if _, known := s.settings.Classes[name]; !known {
			continue
		}
		c, err := s.describe(ctx, name)
		if err != nil {
			return err
		}
		if err := c.absent(q.Attributes); len(q.Classes) == 1 && err != nil {
			return err
		}
		if err := do(c.pick(q.Attributes, today)); err != nil {
			return err
		}
	}
	return nil
}

// today is the day by the zone of the settings.
func (s *System) today() string {
	if s.zone == nil {
		return ""
	}
	return time.Now().In(s.zone).Format("2006-01-02")
}

// Find gives the rows whose column equals one of the values, as the database
// compares.
func (s *System) Find(ctx context.Context, l sdk.Lookup, out *sdk.Sink) error {
	c, err := s.describe(ctx, l.Class)
	if err != nil {
		return err
	}
	col := c.column(l.Attribute)
	if col == nil || col.list != nil {
		return c.missing(l.Attribute, "the mapping")
	}
	for values := range slices.Chunk(l.Values, 200) {
		if p := c.pick(l.Attributes, s.today()).whose(col, values); len(p.args) > 0 {
			if err := s.stream(ctx, p, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// whose is the selection of the rows whose column has one of the values, less
// those that it cannot hold.
func (p selection) whose(col *column, values []string) selection {
	d := p.class.dialect
	var marks []string
	for _, v := range values {
		if arg, err := col.arg(v); err == nil {
			p.args = append(p.args, arg)
			marks = append(marks, d.param(len(p.args)))
		}
	}
	p.where = d.quote(col.stored()) + " IN (" + strings.Join(marks, ", ") + ")"
	return p
}

// stream gives the rows of a selection in a snapshot of their own.
func (s *System) stream(ctx context.Context, p selection, out taker) error {
	return s.snapshot(ctx, p.class, func(conn driver.Conn) error { return s.rows(ctx, conn, p, out) })
}

// rows gives the rows of a selection.
func (s *System) rows(ctx context.Context, conn driver.Conn, p selection, out taker) error {
	text, args := p.sql()
	rows, err := s.query(ctx, conn, text, args)
	if err != nil {
		return err
	}
	return errors.Join(s.pass(ctx, p, rows, out), rows.Close())
}

// snapshot lets do read on a connection of its own, where the database has
// such in one snapshot. A connection on which a read did not end well is
// closed: rows may be on the way.
func (s *System) snapshot(ctx context.Context, c *class, do func(conn driver.Conn) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return s.fault(err, deed{reading: true})
	}
	defer conn.Close()
	for _, statement := range s.dialect.begin {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return errors.Join(s.fault(err, deed{class: c, reading: true}), drop(conn))
		}
	}
	err = conn.Raw(func(raw any) error { return do(raw.(driver.Conn)) })
	if err == nil && s.dialect.end != "" {
		_, err = conn.ExecContext(ctx, s.dialect.end)
	}
	if err != nil {
		_ = drop(conn) // the error that led to it says more
	}
	if errors.Is(err, sdk.ErrResync) {
		return err
	}
	return s.fault(err, deed{class: c, reading: true})
}

// drop closes a connection for good.
func drop(conn *sql.Conn) error {
	if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		return err
	}
	return nil
}

// query asks the driver itself: what database/sql does for each value of each
// row costs more than the rest of a read.
func (s *System) query(ctx context.Context, conn driver.Conn, text string, args []any) (driver.Rows, error) {
	args = append(slices.Clone(s.dialect.anew), args...)
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	if q, ok := conn.(driver.QueryerContext); ok {
		rows, err := q.QueryContext(ctx, text, named)
		if !errors.Is(err, driver.ErrSkip) {
			return rows, err
		}
	}
	var stmt driver.Stmt
	var err error
	if p, ok := conn.(driver.ConnPrepareContext); ok {
		stmt, err = p.PrepareContext(ctx, text)
	} else {
		stmt, err = conn.Prepare(text)
	}
	if err != nil {
		return nil, err
	}
	q, ok := stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver cannot query within a context"), stmt.Close())
	}
	rows, err := q.QueryContext(ctx, named)
	if err != nil {
		return nil, errors.Join(err, stmt.Close())
	}
	return &prepared{rows, stmt}, nil
}

// prepared are rows whose statement ends with them.
type prepared struct {
	driver.Rows
	stmt driver.Stmt
}

func (p *prepared) Close() error { return errors.Join(p.Rows.Close(), p.stmt.Close()) }
