package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
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
	var batch []*sdk.Object
	flush := func() error {
		if err := s.fill(ctx, p, batch); err != nil {
			return err
		}
		for _, o := range batch {
			if err := out.Object(o); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	give := func() error {
		switch {
		case !b.full:
			return nil
		case b.twice:
			return out.Reject(b.place(), fmt.Sprintf("%d rows have the same key: which of them is right nobody knows; make column %s unique.", b.count, p.class.key.name), b.o.ID)
		case b.bad != "":
			return out.Reject(b.place(), b.bad, b.o.ID)
		case len(p.lists) == 0:
			return out.Object(&b.o)
		}
		if batch = append(batch, b.copy()); len(batch) == listChunk {
			return flush()
		}
		return nil
	}
	for n := 1; ; n++ {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return errors.Join(give(), flush())
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
		if b.full && string(id) == b.o.ID {
			b.twice = true
			b.count++
			continue
		}
		if err := give(); err != nil {
			return err
		}
		b.take(id, values[1:])
	}
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

// A builder makes objects of rows, the same one each time: the sink has
// marshalled it before the next. All text of a row is one string.
type builder struct {
	p      selection
	o      sdk.Object
	full   bool
	twice  bool
	count  int
	bad    string
	prefix string // of native ids
	keyBuf []byte
	buf    []byte
	ends   []int
	values []string
}

func newBuilder(p selection) *builder {
	n := len(p.columns)
	b := &builder{p: p, prefix: p.class.id(""), ends: make([]int, n), values: make([]string, n)}
	b.o = sdk.Object{Class: p.class.name, Address: p.class.place(), Attributes: make([]sdk.Attribute, n, n+len(p.lists))}
	for i, col := range p.columns {
		b.o.Attributes[i].Name = col.name
	}
	for _, col := range p.lists {
		b.o.Attributes = append(b.o.Attributes, sdk.Attribute{Name: col.name})
	}
	return b
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
	b.full, b.twice, b.count, b.bad = true, false, 1, ""
	b.buf = append(b.buf[:0], id...)
	for i, v := range values {
		if v != nil {
			var err error
			if b.buf, err = b.p.columns[i].appendText(b.buf, v); err != nil && b.bad == "" {
				b.bad = fmt.Sprintf("The value of column %s cannot be taken: %v. Correct the row, the type of the column, or `types` and `time_zone` of the settings.", b.p.columns[i].name, err)
			}
		}
		b.ends[i] = len(b.buf)
	}
	text, begin := string(b.buf), len(id)
	b.o.ID = text[:begin]
	for i, end := range b.ends {
		b.values[i] = text[begin:end]
		b.o.Attributes[i].Values = b.values[i : i+1]
		if begin == end {
			b.o.Attributes[i].Values = nil
		}
		begin = end
	}
}

func (b *builder) place() string { return b.p.class.place() + " " + b.p.class.shown(b.o.ID) }

func (b *builder) copy() *sdk.Object {
	o := b.o
	o.Attributes = slices.Clone(b.o.Attributes)
	for i := range o.Attributes {
		o.Attributes[i].Values = slices.Clone(o.Attributes[i].Values)
	}
	return &o
}
