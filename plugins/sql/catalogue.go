package sql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A class is what the settings call one, with the columns that the database
// says it has now.
type class struct {
	ClassSettings
	name    string
	dialect dialect
	columns []*column // in ascending order of name
	key     *column
	written []*column // of the table that is written; see writing
}

// A column is one of a table or query, or a list.
type column struct {
	name    string
	kind    kind
	base    kind   // what the database says it is, whatever the settings do
	native  string // type, as the database calls it
	length  uint32
	zone    *time.Location
	dialect string
	list    *ListSettings

	held    *column // of a state: the column that holds it
	on, off string
	refers  string  // of a reference: the class of what it refers to
	ahead   *column // of a column of the row that is to come: the one it is in that row
}

// id is the native id of the row with a key: two classes may have the same keys.
func (c *class) id(key string) string { return idOf(c.name, key) }

func idOf(class, key string) string { return class + ":" + key }

// keyOf is the key of an object of a class; false if the id is of none.
func keyOf(class, id string) (key string, ok bool) { return strings.CutPrefix(id, class+":") }

// shown is the key of an id, for people.
func (c *class) shown(id string) string {
	key, _ := keyOf(c.name, id)
	return key
}

// stored is the column's name in the database, or in what is selected from.
func (c *column) stored() string {
	switch {
	case c.held != nil:
		return c.held.name
	case c.ahead != nil:
		return "drawbridge_next_" + c.ahead.name
	}
	return c.name
}

// source is what is selected from.
func (c *class) source() string {
	from := c.dialect.path(c.Table) + " t"
	if c.Query != "" {
		from = "(" + c.Query + ") t"
	}
	return from
}

func (c *class) column(name string) *column {
	for _, col := range c.columns {
		if strings.EqualFold(col.name, name) {
			return col
		}
	}
	return nil
}

// describe asks the database which columns a class has: every name that is
// later part of a statement comes from its answer.
func (s *System) describe(ctx context.Context, name string) (*class, error) {
	settings, err := s.class(name)
	if err != nil {
		return nil, err
	}
	c := &class{ClassSettings: settings, name: name, dialect: s.dialect}
	if c.columns, err = s.columns(ctx, c, c.source()); err != nil {
		return nil, err
	}
	for name, l := range settings.Lists {
		col := &column{name: name, kind: text, native: "list", dialect: s.dialect.name, list: &l}
		if l.Class != "" {
			col.kind, col.refers = reference, l.Class
		}
		c.columns = append(c.columns, col)
	}
	slices.SortFunc(c.columns, func(a, b *column) int { return cmp.Compare(a.name, b.name) })
	for setting, name := range map[string]string{"key": c.Key, "effective.from": c.Effective.From, "effective.to": c.Effective.To, "effective.sequence": c.Effective.Sequence,
		"changes.column": c.Changes.Column, "changes.created": c.Changes.Created} {
		if name != "" && c.column(name) == nil {
			return nil, c.missing(name, setting)
		}
	}
	for name, word := range c.Types {
		col := c.column(name)
		if col == nil {
			return nil, c.missing(name, "types")
		}
		if col.kind = declared(word, col.kind); col.kind == reference {
			col.refers = c.name
		}
	}
	c.key = c.column(c.Key)
	return c, errors.Join(c.rises(), c.addNext(), c.addEnabled())
}

// insert puts a column into its place by name.
func (c *class) insert(col *column) {
	at, _ := slices.BinarySearchFunc(c.columns, col.name, func(have *column, name string) int { return cmp.Compare(have.name, name) })
	c.columns = slices.Insert(c.columns, at, col)
}

// enabledName is what the contract's users call the state.
const enabledName = "enabled"

// addEnabled shows the column of the state under the name that mappings use.
func (c *class) addEnabled() error {
	e := c.Enabled
	if e.Column == "" {
		return nil
	}
	held := c.column(e.Column)
	if held == nil {
		return c.missing(e.Column, "enabled.column")
	}
	col := &column{name: enabledName, kind: state, native: held.native, dialect: held.dialect, held: held, on: e.On, off: e.Off}
	for _, value := range []string{e.On, e.Off} {
		if _, err := held.arg(value); err != nil {
			return sdk.Invalid(err.Error(), `Correct "on" and "off" of "enabled".`).On(c.place()).At(held.name)
		}
	}
	c.columns = slices.DeleteFunc(c.columns, func(have *column) bool { return strings.EqualFold(have.name, enabledName) })
	c.insert(col)
	return nil
}

func (c *class) missing(name, setting string) error {
	var names []string
	for _, col := range c.columns {
		names = append(names, col.name)
	}
	return sdk.Invalid(fmt.Sprintf("class %s has no column %q; it has %s", c.name, name, strings.Join(names, ", ")),
		fmt.Sprintf("Restore the column in the database, or correct %q.", setting)).On(c.place()).At(name)
}

// place says where the class is in the database, for people.
func (c *class) place() string { return cmp.Or(c.Table, "the query of class "+c.name) }

func (s *System) columns(ctx context.Context, c *class, from string) ([]*column, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT * FROM "+from+" WHERE 1 = 0", s.dialect.anew...)
	if err != nil {
		return nil, s.fault(err, deed{class: c, reading: true})
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, s.fault(err, deed{class: c, reading: true})
	}
	columns := make([]*column, 0, len(types))
	for _, t := range types {
		col := &column{name: t.Name(), native: strings.ToLower(t.DatabaseTypeName()), kind: s.dialect.kindOf(t.DatabaseTypeName()), base: s.dialect.kindOf(t.DatabaseTypeName()), zone: s.zone, dialect: s.dialect.name}
		if length, ok := t.Length(); ok && length > 0 && length < 1<<20 && (col.kind == text || col.kind == padded) {
			col.length = uint32(length)
		}
		columns = append(columns, col)
	}
	return columns, rows.Err()
}
