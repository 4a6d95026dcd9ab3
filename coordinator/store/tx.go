package store

import (
	"context"
	"slices"
	"strings"
)

// A Tx is a transaction under way. It is for one goroutine, until the function
// it was given to returns.
type Tx struct {
	Now Instant // when it began: the one timestamp of everything in it

	store   *Store
	ctx     context.Context // of the transaction, which outlives no call
	conn    session
	raised  []*Signal
	touched []subject
	nextID  int64 // of jobs; 0 until asked for
}

// Shared says whether other coordinators may have the store open, too.
func (tx *Tx) Shared() bool { return tx.store.Shared() }

// raise has sig raised once the transaction is committed.
func (tx *Tx) raise(sig *Signal) {
	if !slices.Contains(tx.raised, sig) {
		tx.raised = append(tx.raised, sig)
	}
}

// exec runs a statement and returns the number of rows it changed.
func (tx *Tx) exec(query string, args ...any) (int, error) { return tx.conn.exec(tx.ctx, query, args) }

// later runs a statement whose result nobody waits for, so that a server works
// on it while the transaction goes on: what follows is told a fault of it, at the latest the commit.
func (tx *Tx) later(query string, args ...any) error { return tx.conn.later(tx.ctx, query, args) }

// A row is a struct of a table whose fields are in the order of the columns asked for.
type row[T any] interface {
	*T
	fields() []any // pointers
}

// query returns the rows that a statement gives.
func query[T any, P row[T]](tx *Tx, query string, args ...any) ([]T, error) {
	return queryAny(tx, func(scan scan, t *T) error { return scan(P(t).fields()...) }, query, args...)
}

// queryMost is query where it is known how many rows there are at most, and that they mostly are: many wide rows are not moved as they come.
func queryMost[T any, P row[T]](tx *Tx, most int, query string, args ...any) ([]T, error) {
	return collect(tx, make([]T, 0, most), func(scan scan, t *T) error { return scan(P(t).fields()...) }, query, args)
}

// queryAny is query for results that are not rows of a table.
func queryAny[T any](tx *Tx, read func(scan, *T) error, query string, args ...any) ([]T, error) {
	return collect(tx, nil, read, query, args)
}

func collect[T any](tx *Tx, all []T, read func(scan, *T) error, query string, args []any) ([]T, error) {
	err := tx.conn.query(tx.ctx, query, args, func(scan scan) error {
		var none T
		all = append(all, none)
		return read(scan, &all[len(all)-1])
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all, nil
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
	return queryAny(tx, func(scan scan, t *T) error { return scan(t) }, query, args...)
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
	return insertFields(tx, table, columns, tail, rows, func(t *T) []any { return P(t).fields() })
}

// insertFields is insert for some of the fields of rows.
func insertFields[T any](tx *Tx, table, columns, tail string, rows []T, fields func(*T) []any) error {
	if tx.store.Shared() {
		return insertArrays(tx, table, columns, tail, rows, fields)
	}
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
			args = append(args, fields(&rows[i])...)
		}
		if _, err := tx.exec(insertSQL(table, columns, tail, width, n), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func insertSQL(table, columns, tail string, width, rows int) string {
	one := "(?" + strings.Repeat(",?", width-1) + ")"
	return "INSERT INTO " + table + " (" + columns + ") VALUES " + one + strings.Repeat(","+one, rows-1) + " " + tail
}

// list makes values into the argument of "IN (SELECT value FROM json_each(?))":
// one prepared statement whatever their number.
func list[T string | int64](values []T) any {
	switch v := any(values).(type) {
	case []string:
		return texts(v)
	case []int64:
		return numbers(v)
	}
	panic("no list")
}

// texts and numbers are arguments of json_each, as JSON in SQLite and as an array in PostgreSQL.
type (
	texts   []string
	numbers []int64
)
