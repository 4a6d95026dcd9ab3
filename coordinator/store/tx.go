package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxStatements bounds the prepared statements kept for a connection.
const maxStatements = 400

// A conn is one connection and what is prepared on it.
type conn struct {
	sql   *sql.Conn
	stmts map[string]*sql.Stmt
}

func (c *conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := c.stmts[query]; ok {
		return stmt, nil
	}
	if len(c.stmts) >= maxStatements {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	stmt, err := c.sql.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, query)
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

func (c *conn) close() error { return errors.Join(c.forget(), c.sql.Close()) }

// A Tx is a transaction under way. It is for one goroutine, until the function
// it was given to returns.
type Tx struct {
	Now Instant // when it began: the one timestamp of everything in it

	store  *Store
	ctx    context.Context // of the transaction, which outlives no call
	conn   *conn
	raised []*Signal
	nextID int64 // of jobs; 0 until asked for
}

// raise has sig raised once the transaction is committed.
func (tx *Tx) raise(sig *Signal) {
	if !slices.Contains(tx.raised, sig) {
		tx.raised = append(tx.raised, sig)
	}
}

// exec runs a statement and returns the number of rows it changed.
func (tx *Tx) exec(query string, args ...any) (int, error) {
	stmt, err := tx.conn.prepare(tx.ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, fmt.Errorf("%w in %s", err, brief(query))
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// A row is a struct of a table whose fields are in the order of the columns asked for.
type row[T any] interface {
	*T
	fields() []any // pointers
}

// query returns the rows that a statement gives.
func query[T any, P row[T]](tx *Tx, query string, args ...any) ([]T, error) {
	return queryAny(tx, func(rows *sql.Rows, t *T) error { return rows.Scan(P(t).fields()...) }, query, args...)
}

// queryAny is query for results that are not rows of a table.
func queryAny[T any](tx *Tx, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	stmt, err := tx.conn.prepare(tx.ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(tx.ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, brief(query))
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, fmt.Errorf("%w in %s", err, brief(query))
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// one returns the only row that a statement gives, or [ErrNone].
func one[T any, P row[T]](tx *Tx, q string, args ...any) (T, error) {
	all, err := query[T, P](tx, q, args...)
	if err == nil && len(all) == 0 {
		err = ErrNone
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// column returns the first column of the rows that a statement gives.
func column[T any](tx *Tx, query string, args ...any) ([]T, error) {
	return queryAny(tx, func(rows *sql.Rows, t *T) error { return rows.Scan(t) }, query, args...)
}

// value returns the first column of the only row that a statement gives, or the zero value.
func value[T any](tx *Tx, query string, args ...any) (T, error) {
	all, err := column[T](tx, query, args...)
	if err != nil || len(all) == 0 {
		var none T
		return none, err
	}
	return all[0], nil
}

// insert writes rows with as few statements as it can: "INSERT INTO table
// (columns) VALUES …" with tail behind it. A constant set of sizes keeps the
// number of statements to prepare small.
func insert[T any, P row[T]](tx *Tx, table, columns, tail string, rows []T) error {
	width := strings.Count(columns, ",") + 1
	args := make([]any, 0, min(len(rows), 64)*width)
	for len(rows) > 0 {
		n := 1
		for _, size := range []int{64, 16, 4} {
			if len(rows) >= size {
				n = size
				break
			}
		}
		args = args[:0]
		for i := range rows[:n] {
			for _, f := range P(&rows[i]).fields() {
				args = append(args, plain(f))
			}
		}
		if _, err := tx.exec(insertSQL(table, columns, tail, width, n), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// plain gives what a field points at, as the driver takes it: by itself it finds
// that out by reflection, for each value again.
func plain(field any) any {
	switch p := field.(type) {
	case *string:
		return *p
	case *int64:
		return *p
	case *Instant:
		return int64(*p)
	case *[]byte:
		return *p
	}
	return field
}

func insertSQL(table, columns, tail string, width, rows int) string {
	one := "(?" + strings.Repeat(",?", width-1) + ")"
	return "INSERT INTO " + table + " (" + columns + ") VALUES " + one + strings.Repeat(","+one, rows-1) + " " + tail
}

// list makes values into the argument of "IN (SELECT value FROM json_each(?))":
// one prepared statement whatever their number.
func list[T string | int64](values []T) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings and numbers always have a form
	}
	return string(text)
}

func brief(s string) string {
	if len(s) > 160 {
		return s[:160] + "…"
	}
	return s
}
