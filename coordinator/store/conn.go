package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxStatements bounds the prepared statements kept for a connection.
const maxStatements = 400

// A conn is one connection and what is prepared on it. It speaks to the
// database's driver without database/sql, which finds out by reflection, for
// each value again, what the rows of this package say by their types.
type conn struct {
	driver driver.Conn
	stmts  map[string]statement
	args   []driver.NamedValue // room for the next statement's
	values []driver.Value      // room for the next row's
}

// statement is what every driver's prepared statements can do.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func newConn(ctx context.Context, to driver.Connector) (*conn, error) {
	c, err := to.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{driver: c, stmts: map[string]statement{}}, nil
}

func (c *conn) prepare(query string) (statement, error) {
	if stmt, ok := c.stmts[query]; ok {
		return stmt, nil
	}
	if len(c.stmts) >= maxStatements {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	prepared, err := c.driver.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, query)
	}
	stmt, ok := prepared.(statement)
	if !ok {
		return nil, fmt.Errorf("the driver's statements are %T, which take no context", prepared)
	}
	c.stmts[query] = stmt
	return stmt, nil
}

func (c *conn) forget() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	clear(c.stmts)
	return errors.Join(errs...)
}

func (c *conn) begin(ctx context.Context, l lock, _ string) error {
	text := "BEGIN IMMEDIATE"
	if l == snapshot {
		text = "BEGIN"
	}
	_, err := c.exec(ctx, text, nil)
	return err
}

func (c *conn) commit(ctx context.Context) error {
	_, err := c.exec(ctx, "COMMIT", nil)
	return err
}

func (c *conn) rollback(ctx context.Context) error {
	_, err := c.exec(ctx, "ROLLBACK", nil)
	return err
}

func (c *conn) close() error { return errors.Join(c.forget(), c.driver.Close()) }

// exec runs a statement and returns the number of rows it changed.
func (c *conn) exec(ctx context.Context, query string, args []any) (int, error) {
	stmt, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, fmt.Errorf("%w in %s", err, brief(query))
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// later is exec: a file answers at once.
func (c *conn) later(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

// query calls each for every row that a statement gives, with a function that
// sets what fields point at to the columns.
func (c *conn) query(ctx context.Context, query string, args []any, each func(scan scan) error) error {
	stmt, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, c.bind(args))
	if err != nil {
		return fmt.Errorf("%w in %s", err, brief(query))
	}
	columns := len(rows.Columns())
	if cap(c.values) < columns {
		c.values = make([]driver.Value, columns)
	}
	values := c.values[:columns]
	set := func(fields ...any) error {
		if len(fields) != columns {
			return fmt.Errorf("%d columns for %d fields", columns, len(fields))
		}
		for i, f := range fields {
			if err := assign(f, values[i]); err != nil {
				return fmt.Errorf("column %s: %w", rows.Columns()[i], err)
			}
		}
		return nil
	}
	for err == nil {
		if err = rows.Next(values); err == nil {
			err = each(set)
		}
	}
	if err == io.EOF { // drivers return it as it is
		err = nil
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return fmt.Errorf("%w in %s", err, brief(query))
	}
	return nil
}

// scan sets what the fields point at to the columns of a row.
type scan func(fields ...any) error

// bind makes arguments into what the driver takes; it is valid until the next call.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: plain(a)})
	}
	return c.args
}

// plain gives a value, or what a row's field points at, as drivers take it.
func plain(v any) driver.Value {
	switch v := v.(type) {
	case int:
		return int64(v)
	case Instant:
		return int64(v)
	case texts:
		return asJSON(v)
	case numbers:
		return asJSON(v)
	case *string:
		return *v
	case *int64:
		return *v
	case *Instant:
		return int64(*v)
	case *[]byte:
		return *v
	case *bool:
		return *v
	case *packed:
		return v.pack()
	}
	return v
}

func asJSON(values any) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings and numbers always have a form
	}
	return string(text)
}

// assign sets what field points at to a column's value. Bytes become the field's own.
func assign(field any, v driver.Value) error {
	switch f := field.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*f = s
			return nil
		}
	case *[]byte:
		switch b := v.(type) {
		case []byte:
			*f = b
			return nil
		case nil:
			*f = nil
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*f = n
			return nil
		}
	case *int:
		if n, ok := v.(int64); ok {
			*f = int(n)
			return nil
		}
	case *Instant:
		if n, ok := v.(int64); ok {
			*f = Instant(n)
			return nil
		}
	case *bool:
		if n, ok := v.(int64); ok {
			*f = n != 0
			return nil
		}
	case *packed:
		return f.unpack(v)
	}
	return fmt.Errorf("a %T is no value for a %T", v, field)
}

func brief(s string) string {
	if len(s) > 160 {
		return s[:160] + "…"
	}
	return s
}
