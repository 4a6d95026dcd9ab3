package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A taker is given what is read; most often an [sdk.Sink].
type taker interface {
	Object(*sdk.Object) error
	Reject(place, reason, id string) error
}

// listChunk is how many rows are held for their lists.
const listChunk = 500

// pass converts the rows and gives them out. Each waits for the next: if that
// has the same key, both are set aside.
func (s *System) pass(ctx context.Context, p selection, rows driver.Rows, out taker) error {
	values := make([]driver.Value, 1+len(p.columns))
	b := newBuilder(p)
	g := &giver{s: s, b: b, out: out}
	if sink, ok := out.(*sdk.Sink); ok && len(p.lists) == 0 {
		g.rows = b.rowsOf(sink)
	}
	for n := 1; ; n++ {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return errors.Join(g.give(ctx), g.flush(ctx))
		}
		if err != nil {
			return err
		}
		id, err := b.key(values[0])
		if id == nil || err != nil {
			reason := fmt.Sprintf("Column %s, the key, is NULL or empty; give the row one.", p.class.key.name)
			if err != nil {
				reason = fmt.Sprintf("Column %s, the key: %v.", p.class.key.name, err)
			}
			if err := out.Reject(fmt.Sprintf("%s row %d by key", p.class.place(), n), reason, ""); err != nil {
				return err
			}
			continue
		}
		if b.count > 0 && b.row.Is(id) {
			b.count++
			continue
		}
		if err := g.give(ctx); err != nil {
			return err
		}
		b.take(id, values[1:])
	}
}

// A giver gives out what a builder has.
type giver struct {
	s     *System
	b     *builder
	out   taker
	rows  *sdk.Rows // of out, where rows go to the agent as they are
	batch []*sdk.Object
}

// give gives out the row that the builder has, if there is one.
func (g *giver) give(ctx context.Context) error {
	switch b := g.b; {
	case b.count == 0:
		return nil
	case b.count > 1:
		return g.out.Reject(b.place(), fmt.Sprintf("%d rows have the same key: which of them is right nobody knows; make column %s unique.", b.count, b.p.class.key.name), string(b.row.ID()))
	case b.bad != "":
		return g.out.Reject(b.place(), b.bad, string(b.row.ID()))
	case g.rows != nil:
		return g.rows.Row(&b.row)
	case len(b.p.lists) == 0:
		return g.out.Object(b.object())
	}
	if g.batch = append(g.batch, g.b.object()); len(g.batch) == listChunk {
		return g.flush(ctx)
	}
	return nil
}

// flush gives out what waits for its lists.
func (g *giver) flush(ctx context.Context) error {
	if err := g.s.fill(ctx, g.b.p, g.batch); err != nil {
		return err
	}
	for _, o := range g.batch {
		if err := g.out.Object(o); err != nil {
			return err
		}
	}
	g.batch = g.batch[:0]
	return nil
}

// fill reads the lists of some objects.
func (s *System) fill(ctx context.Context, p selection, objects []*sdk.Object) error {
	if len(objects) == 0 {
		return nil
	}
	d := s.dialect
	for i, col := range p.lists {
		at := map[string]*sdk.Attribute{}
		var marks []string
		var args []any
		for _, o := range objects {
			at[o.ID] = &o.Attributes[len(p.columns)+i]
			arg, err := p.class.key.arg(p.class.shown(o.ID))
			if err != nil {
				return err
			}
			args = append(args, arg)
			marks = append(marks, d.param(len(args)))
		}
		key, value := d.path(col.list.Key), d.path(col.list.Value)
		rows, err := s.db.QueryContext(ctx, "SELECT "+key+", "+value+" FROM "+d.path(col.list.Table)+" WHERE "+key+" IN ("+strings.Join(marks, ", ")+
			") AND "+value+" IS NOT NULL ORDER BY "+key+", "+value, args...)
		if err != nil {
			return s.fault(err, deed{class: p.class, attribute: col.name, reading: true})
		}
		for rows.Next() {
			var k any
			var v string
			if err := rows.Scan(&k, &v); err != nil {
				return errors.Join(err, rows.Close())
			}
			id, err := p.class.key.appendText(nil, k)
			if err != nil {
				return errors.Join(fmt.Errorf("column %s of table %s: %w", col.list.Key, col.list.Table, err), rows.Close())
			}
			if col.kind == reference {
				v = idOf(col.refers, v)
			}
			if a := at[p.class.id(string(id))]; a != nil {
				a.Values = append(a.Values, v)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return s.fault(err, deed{class: p.class, attribute: col.name, reading: true})
		}
	}
	return nil
}

// A builder converts rows, in the same memory each time.
type builder struct {
	p      selection
	row    sdk.Row
	count  int    // of the rows that have its key; 0: there is none yet
	bad    string // why it cannot be given out
	prefix string // of native ids
	keyBuf []byte
}

func newBuilder(p selection) *builder { return &builder{p: p, prefix: p.class.id("")} }

// rowsOf are the columns of the builder as a sink takes them.
func (b *builder) rowsOf(sink *sdk.Sink) *sdk.Rows {
	names := make([]string, len(b.p.columns))
	for i, col := range b.p.columns {
		names[i] = col.name
	}
	return sink.Rows(b.p.class.name, b.p.class.place(), names)
}

// key is the native id of a row; nil where there is none.
func (b *builder) key(v driver.Value) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	var err error
	b.keyBuf = append(b.keyBuf[:0], b.prefix...)
	if b.keyBuf, err = b.p.class.key.appendText(b.keyBuf, v); err != nil || len(b.keyBuf) == len(b.prefix) {
		return nil, err
	}
	return b.keyBuf, nil
}

func (b *builder) take(id []byte, values []driver.Value) {
	b.count, b.bad = 1, ""
	b.row.Begin(id)
	for i, v := range values {
		if v != nil {
			var err error
			if b.row.Text, err = b.p.columns[i].appendText(b.row.Text, v); err != nil && b.bad == "" {
				b.bad = fmt.Sprintf("The value of column %s cannot be taken: %v. Correct the row, the type of the column, or `types` and `time_zone` of the settings.", b.p.columns[i].name, err)
			}
		}
		b.row.End()
	}
}

func (b *builder) place() string {
	return b.p.class.place() + " " + b.p.class.shown(string(b.row.ID()))
}

// object is the row as an object of its own, with room for its lists.
func (b *builder) object() *sdk.Object {
	o := &sdk.Object{Class: b.p.class.name, Address: b.p.class.place(), Attributes: make([]sdk.Attribute, len(b.p.columns), len(b.p.columns)+len(b.p.lists))}
	b.row.Into(o)
	for i, col := range b.p.columns {
		o.Attributes[i].Name = col.name
	}
	for _, col := range b.p.lists {
		o.Attributes = append(o.Attributes, sdk.Attribute{Name: col.name})
	}
	return o
}
