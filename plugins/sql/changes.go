package sql

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// How changes are noticed: by a column that each change sets to more than
// before. A read notes its greatest value and how many rows there are. The next
// one
//
//	counts   the rows: where some are missing, everything is read
//	asks     for the keys of the rows that are not below the note, less a stretch
//	looks up these keys, as a full read does; what it finds none of is gone
//	gives    what it did not give the last time
//
// The stretch is there because a transaction may commit later than it dates its
// rows, and because clocks without a zone go back in autumn.

// A cookie says up to where each class was read.
type cookie struct {
	Version int
	Query   uint64 // classes and attributes
	Day     string // by which dated rows were chosen
	Classes map[string]mark
}

// A mark is up to where a class was read. Values are in the contract's form.
type mark struct {
	Column  string   `json:",omitempty"` // greatest value; empty: there was none
	Created string   `json:",omitempty"`
	Rows    int64    //
	Recent  []uint64 `json:",omitempty"` // hashes of the objects given that the next read asks for again
}

const (
	cookieVersion = 1
	mostRecent    = 2000    // hashes in a cookie; what is beyond is given again
	mostChanged   = 100_000 // keys that are looked up; reading all is quicker then
	instants      = 5 * time.Minute
	wallClocks    = 70 * time.Minute
)

func (s *System) newCookie(q sdk.Query) *cookie {
	classes, attributes := slices.Sorted(slices.Values(q.Classes)), slices.Sorted(slices.Values(q.Attributes))
	h := fnv.New64a()
	io.WriteString(h, strings.ToLower(strings.Join(append(append(classes, ""), attributes...), "\x00")))
	return &cookie{Version: cookieVersion, Query: h.Sum64(), Day: s.today(), Classes: map[string]mark{}}
}

// encode returns none for no cookie.
func (c *cookie) encode() ([]byte, error) {
	if c == nil {
		return nil, nil
	}
	return json.Marshal(c)
}

// tellsChanges tells whether the class has the column, and nothing is asked for
// that changes without it.
func (p selection) tellsChanges() bool { return p.class.Changes.Column != "" && len(p.lists) == 0 }

// rises refuses columns that cannot say when a row was changed.
func (c *class) rises() error {
	for _, name := range []string{c.Changes.Column, c.Changes.Created} {
		if name == "" {
			continue
		}
		switch col := c.column(name); {
		case col.list != nil, col.kind == day, col.kind == boolean, col.kind == switched, col.kind == bit:
			return sdk.Invalid(fmt.Sprintf("column %s cannot say that a row was changed twice on a day", col.name), `Name a column with date and time, or with a version, in "changes".`).On(c.place()).At(col.name)
		case col.kind == wall && col.zone == nil:
			return sdk.Invalid(fmt.Sprintf("column %s has date and time without a zone, and no zone is set", col.name), `Set "time_zone".`).On(c.place()).At(col.name)
		}
	}
	return nil
}

// all gives every row, and puts into next up to where that is.
func (s *System) all(ctx context.Context, conn driver.Conn, p selection, next *cookie, out taker) error {
	if next == nil {
		return s.rows(ctx, conn, p, out)
	}
	now, err := s.position(ctx, conn, p.class) // first: where there is no snapshot, later changes are asked for again
	if err != nil {
		return err
	}
	if err := s.rows(ctx, conn, p, out); err != nil {
		return err
	}
	if len(s.dialect.begin) > 0 { // a snapshot: what is looked up is what was given
		keys, err := s.changed(ctx, conn, p.class, now)
		if err != nil && !errors.Is(err, sdk.ErrResync) {
			return err
		}
		news := &news{p: p}
		if err := s.lookUp(ctx, conn, p, keys, news); err != nil {
			return err
		}
		now.Recent = news.hashes()
	}
	next.Classes[p.class.name] = now
	return nil
}

// ReadChanges gives what has changed since the cookie.
func (s *System) ReadChanges(ctx context.Context, q sdk.Query, text []byte, out *sdk.Sink) ([]byte, error) {
	var since cookie
	next := s.newCookie(q)
	if json.Unmarshal(text, &since) != nil || since.Version != next.Version || since.Query != next.Query {
		return nil, fmt.Errorf("it is none of ours or belongs to other attributes: %w", sdk.ErrResync)
	}
	err := s.eachClass(ctx, q, next.Day, func(p selection) error {
		c := p.class
		had, read := since.Classes[c.name]
		switch {
		case !read || !p.tellsChanges():
			return fmt.Errorf("changes of %s cannot be told: %w", c.name, sdk.ErrResync)
		case c.Effective.From != "" && since.Day != next.Day:
			return fmt.Errorf("a new day, on which other rows are in force: %w", sdk.ErrResync)
		}
		return s.snapshot(ctx, c, func(conn driver.Conn) (err error) {
			next.Classes[c.name], err = s.since(ctx, conn, p, had, out)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return next.encode()
}

// since gives what has changed of a class, and returns up to where that is.
func (s *System) since(ctx context.Context, conn driver.Conn, p selection, had mark, out *sdk.Sink) (mark, error) {
	now, err := s.position(ctx, conn, p.class)
	if err != nil {
		return now, err
	}
	keys, err := s.changed(ctx, conn, p.class, had)
	if err != nil {
		return now, err
	}
	made, err := s.made(ctx, conn, p.class, had)
	if err != nil {
		return now, err
	}
	more := now.Rows - had.Rows
	if exact := p.class.Changes.Created != ""; more < 0 || exact && more != made || !exact && more > keys.rows {
		return now, fmt.Errorf("rows are missing or were added with an old date (%d were there, %d are): %w", had.Rows, now.Rows, sdk.ErrResync)
	}
	news := &news{p: p, out: out, had: setOf(had.Recent), missing: keys.ids}
	if err := s.lookUp(ctx, conn, p, keys, news); err != nil {
		return now, err
	}
	for id := range keys.ids {
		if err := out.Gone(id); err != nil {
			return now, err
		}
	}
	now.Recent = news.hashes()
	return now, nil
}

// position is how many rows there are now, and the greatest of their values.
func (s *System) position(ctx context.Context, conn driver.Conn, c *class) (mark, error) {
	d := s.dialect
	col, created := c.column(c.Changes.Column), c.column(c.Changes.Created)
	list := "COUNT(*), MAX(" + d.quote(col.name) + ")"
	if created != nil {
		list += ", MAX(" + d.quote(created.name) + ")"
	}
	row, err := s.first(ctx, conn, "SELECT "+list+" FROM "+c.source()+where(c.conditions()), nil, 2+min(1, len(c.Changes.Created)))
	if err != nil {
		return mark{}, err
	}
	var m mark
	if m.Rows, err = count(row[0]); err != nil {
		return m, err
	}
	if m.Column, err = col.greatest(row[1]); err == nil && created != nil {
		m.Created, err = created.greatest(row[2])
	}
	return m, err
}

// greatest is a MAX in the contract's form; a time of SQLite stays the text
// that it is there, for 12:00:00.5 and 12:00:00.500 are two.
func (c *column) greatest(v driver.Value) (string, error) {
	if v == nil {
		return "", nil
	}
	if s, ok := v.(string); ok && c.dialect == "sqlite" {
		return s, nil
	}
	text, err := c.appendText(nil, v)
	if err != nil {
		return "", sdk.Invalid(fmt.Sprintf("the greatest value of column %s cannot be taken: %v", c.name, err), `Correct "changes" of the class, or "types".`).At(c.name)
	}
	return string(text), nil
}

// made counts the rows that were made since; 0 where nothing says when.
func (s *System) made(ctx context.Context, conn driver.Conn, c *class, had mark) (int64, error) {
	col := c.column(c.Changes.Created)
	if col == nil {
		return 0, nil
	}
	conditions, args := c.conditions(), []any(nil)
	if had.Created != "" {
		arg, err := col.mark(had.Created)
		if err != nil {
			return 0, err
		}
		conditions, args = append(conditions, s.dialect.quote(col.name)+" > "+s.dialect.param(1)), []any{arg}
	}
	row, err := s.first(ctx, conn, "SELECT COUNT(*) FROM "+c.source()+where(conditions), args, 1)
	if err != nil {
		return 0, err
	}
	return count(row[0])
}

// A changedKeys is what keys have changed rows, and how many rows these are.
type changedKeys struct {
	ids  map[string]bool
	rows int64
}

// changed returns the keys of the rows that are not below the mark less the
// stretch, and of those that do not say when they were changed. Rows without a
// key are no objects.
func (s *System) changed(ctx context.Context, conn driver.Conn, c *class, m mark) (changedKeys, error) {
	keys := changedKeys{ids: map[string]bool{}}
	col, conditions, args := c.column(c.Changes.Column), c.conditions(), []any(nil)
	if m.Column != "" {
		arg, err := col.mark(col.before(m.Column))
		if err != nil {
			return keys, err
		}
		name := s.dialect.quote(col.name)
		conditions, args = append(conditions, "("+name+" >= "+s.dialect.param(1)+" OR "+name+" IS NULL)"), []any{arg}
	}
	rows, err := s.query(ctx, conn, "SELECT "+s.dialect.quote(c.key.name)+" FROM "+c.source()+where(conditions), args)
	if err != nil {
		return keys, err
	}
	for row := make([]driver.Value, 1); ; keys.rows++ {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return keys, rows.Close()
		} else if err != nil {
			return keys, errors.Join(err, rows.Close())
		}
		if id, err := c.key.appendText(nil, row[0]); row[0] != nil && err == nil && len(id) > 0 {
			keys.ids[c.id(string(id))] = true
		}
		if len(keys.ids) > mostChanged {
			return changedKeys{}, errors.Join(fmt.Errorf("more than %d have changed: %w", mostChanged, sdk.ErrResync), rows.Close())
		}
	}
}

// before is the greatest value less the stretch.
func (c *column) before(greatest string) string {
	stretch := map[kind]time.Duration{instant: instants, wall: wallClocks}[c.kind]
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, greatest); err == nil && stretch > 0 {
			return at.Add(-stretch).Format(layout)
		}
	}
	return greatest
}

// mark is the parameter for what greatest or before gave.
func (c *column) mark(value string) (any, error) {
	if c.dialect == "sqlite" && c.kind != integer {
		return value, nil
	}
	arg, err := c.arg(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, sdk.ErrResync)
	}
	return arg, nil
}

// lookUp gives the objects of some keys.
func (s *System) lookUp(ctx context.Context, conn driver.Conn, p selection, keys changedKeys, out taker) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(keys.ids)), 500) {
		for i, id := range ids {
			ids[i] = p.class.shown(id)
		}
		if err := s.rows(ctx, conn, p.whose(p.class.key, ids), out); err != nil {
			return err
		}
	}
	return nil
}

// first returns the first row of an answer that has n columns.
func (s *System) first(ctx context.Context, conn driver.Conn, text string, args []any, n int) ([]driver.Value, error) {
	rows, err := s.query(ctx, conn, text, args)
	if err != nil {
		return nil, err
	}
	row := make([]driver.Value, n)
	err = rows.Next(row)
	for i, v := range row {
		if b, ok := v.([]byte); ok {
			row[i] = slices.Clone(b) // the driver's until Close
		}
	}
	return row, errors.Join(err, rows.Close())
}

func count(v driver.Value) (int64, error) {
	text, err := (&column{kind: integer, name: "COUNT(*)"}).appendText(nil, v)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}
