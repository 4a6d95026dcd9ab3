package store

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Statements are written for SQLite, in what both databases understand as far as
// that goes: numbers are compared by CASE, CAST names the type of an argument
// that stands alone, and every upsert names its key. What is left to tell
// PostgreSQL in its own words is here.
var postgresWords = strings.NewReplacer(
	"NOT IN (SELECT value FROM json_each(?))", "<> ALL (?)",
	"IN (SELECT value FROM json_each(?))", "= ANY (?)",
	"FROM json_each(?) i", "FROM unnest(CAST(? AS TEXT[])) AS i(value)",
	"FROM json_each(?) k", "FROM unnest(CAST(? AS TEXT[])) AS k(value)",
	"JOIN job_work USING (id)", "JOIN job_work USING (tenant, id)",
	"x''", "CAST('' AS BYTEA)",
	"instr(", "strpos(",
)

var translated sync.Map // statement to statement

// forPostgres gives a statement in PostgreSQL's words.
func forPostgres(query string) string {
	if text, ok := translated.Load(query); ok {
		return text.(string)
	}
	var b strings.Builder
	n := 0
	for i, part := range strings.Split(postgresWords.Replace(query), "?") {
		if i > 0 {
			n++
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
	}
	translated.Store(query, b.String())
	return b.String()
}

// plainPG gives a value, or what a row's field points at, as pgx takes it.
func plainPG(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v)
	case *string:
		return clean(*v)
	case *packed:
		return clean(string(*v))
	case texts:
		out := []string(v)
		for i, s := range out {
			if c := clean(s); c != s {
				out = append([]string(nil), out...)
				out[i] = c
			}
		}
		if out == nil {
			out = []string{}
		}
		return out
	case numbers:
		if v == nil {
			return []int64{}
		}
		return []int64(v)
	case bool:
		return number(v)
	case *bool:
		return number(*v)
	}
	return plain(v)
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// clean replaces what PostgreSQL's texts cannot hold: NUL, and bytes that are not UTF-8.
func clean(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// insertArrays writes rows in one statement whose arguments are the columns.
// Rows that an upsert would meet twice go into a statement after the first,
// as they would one by one.
func insertArrays[T any](tx *Tx, table, columns, tail string, rows []T, fields func(*T) []any) error {
	key := keyOf(columns, tail)
	for len(rows) > 0 {
		var later []T
		var seen map[string]bool
		if key != nil && len(rows) > 1 {
			seen = make(map[string]bool, len(rows))
		}
		var arrays []any
		for i := range rows {
			values := fields(&rows[i])
			if seen != nil {
				k := ""
				for _, c := range key {
					k += fmt.Sprint(plainPG(values[c])) + "\x00"
				}
				if seen[k] {
					later = append(later, rows[i])
					continue
				}
				seen[k] = true
			}
			if err := appendRow(&arrays, values, len(rows)); err != nil {
				return fmt.Errorf("insert into %s: %w", table, err)
			}
		}
		if err := tx.conn.later(tx.ctx, arraysSQL(table, columns, tail, arrays), arrays); err != nil {
			return err
		}
		rows = later
	}
	return nil
}

// updateArrays sets the columns of rows that are there, in one statement whose
// arguments are the columns; the first ones are the key.
func updateArrays[T any](tx *Tx, table, columns string, key int, rows []T, fields func(*T) []any) error {
	if len(rows) == 0 {
		return nil
	}
	var arrays []any
	for i := range rows {
		if err := appendRow(&arrays, fields(&rows[i]), len(rows)); err != nil {
			return fmt.Errorf("update %s: %w", table, err)
		}
	}
	var set, where []string
	for i, c := range strings.Split(columns, ", ") {
		if i < key {
			where = append(where, table+"."+c+" = i."+c)
		} else {
			set = append(set, c+" = i."+c)
		}
	}
	return tx.later("UPDATE "+table+" SET "+strings.Join(set, ", ")+" FROM "+unnest(arrays)+" AS i ("+columns+") WHERE "+strings.Join(where, " AND "), arrays...)
}

// appendRow appends a row's values to the columns.
func appendRow(arrays *[]any, values []any, room int) error {
	if *arrays == nil {
		*arrays = make([]any, len(values))
	}
	for c, v := range values {
		to := &(*arrays)[c]
		switch v := plainPG(v).(type) {
		case string:
			*to = add(*to, v, room)
		case int64:
			*to = add(*to, v, room)
		case []byte:
			*to = add(*to, v, room)
		default:
			return fmt.Errorf("a %T is no value of a column", v)
		}
	}
	return nil
}

func add[T any](to any, v T, room int) any {
	if to == nil {
		to = make([]T, 0, room)
	}
	return append(to.([]T), v)
}

func arraysSQL(table, columns, tail string, arrays []any) string {
	return "INSERT INTO " + table + " (" + columns + ") SELECT * FROM " + unnest(arrays) + " " + tail
}

// unnest makes rows of columns.
func unnest(arrays []any) string {
	var b strings.Builder
	b.WriteString("unnest(")
	for i, a := range arrays {
		if i > 0 {
			b.WriteString(",")
		}
		switch a.(type) {
		case []string:
			b.WriteString("CAST(? AS TEXT[])")
		case []int64:
			b.WriteString("CAST(? AS BIGINT[])")
		default:
			b.WriteString("CAST(? AS BYTEA[])")
		}
	}
	b.WriteString(")")
	return b.String()
}

// keyOf gives the places of an upsert's key among the columns, nil where there is no upsert.
func keyOf(columns, tail string) []int {
	_, names, found := strings.Cut(tail, "ON CONFLICT (")
	names, _, closed := strings.Cut(names, ")")
	if !found || !closed {
		return nil
	}
	all := strings.Split(columns, ", ")
	var places []int
	for _, name := range strings.Split(names, ", ") {
		for i, c := range all {
			if c == name {
				places = append(places, i)
			}
		}
	}
	return places
}
