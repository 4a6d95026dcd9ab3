package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A selection is one SELECT: the key, the watermark if there is one, then the
// columns. The row of dated rows is chosen by effective.
type selection struct {
	class   *class
	columns []*column // wanted, without lists
	lists   []*column
	where   string // "" or a condition; its parameters are args
	args    []any
	today   string // of dated rows
}

// of picks what a query asks for.
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
	var conditions []string
	if c.Where != "" {
		conditions = append(conditions, "("+c.Where+")")
	}
	args := slices.Clone(p.args)
	if p.where != "" {
		conditions = append(conditions, p.where)
	}
	from := c.source()
	if e := c.Effective; e.From != "" {
		from, args = c.inForce(args, p.today)
		conditions = append(conditions[:0:0], "drawbridge_n = 1")
		if p.where != "" {
			conditions = append(conditions, p.where)
		}
		if !e.Ended {
			conditions = append(conditions, "drawbridge_state < 2")
		}
	}
	text := "SELECT " + list + " FROM " + from
	if len(conditions) > 0 {
		text += " WHERE " + strings.Join(conditions, " AND ")
	}
	return text + " ORDER BY " + d.quote(c.key.name), args
}

// inForce numbers the rows of each key: first the one in force on the day,
// else the next to come, else the last that was. The day is written as a
// literal, which time.Format made: a parameter could not be used many times.
func (c *class) inForce(args []any, today string) (string, []any) {
	d, e := c.dialect, c.Effective
	now := fmt.Sprintf(d.day, "'"+today+"'")
	from := d.quote(c.column(e.From).name)
	state := "CASE WHEN " + from + " > " + now + " THEN 1"
	if e.To != "" {
		state += " WHEN " + d.quote(c.column(e.To).name) + " < " + now + " THEN 2"
	}
	state += " ELSE 0 END"
	order := state + ", CASE WHEN " + from + " > " + now + " THEN " + from + " END, " + from + " DESC"
	if e.Sequence != "" {
		order += ", " + d.quote(c.column(e.Sequence).name) + " DESC"
	}
	inner := "SELECT t.*, " + state + " AS drawbridge_state, ROW_NUMBER() OVER (PARTITION BY " + d.quote(c.key.name) + " ORDER BY " + order + ") AS drawbridge_n FROM " + c.source()
	if c.Where != "" {
		inner += " WHERE (" + c.Where + ")"
	}
	return "(" + inner + ") e", args
}

// Read gives every row of the classes, each class in a snapshot. There is no
// cookie: the agent finds what changed by its fingerprints.
func (s *System) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	for _, name := range q.Classes {
		if _, known := s.settings.Classes[name]; !known {
			continue
		}
		c, err := s.describe(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := c.absent(q.Attributes); len(q.Classes) == 1 && err != nil {
			return nil, err
		}
		if err := s.stream(ctx, c.pick(q.Attributes, s.today()), out); err != nil {
			return nil, err
		}
	}
	return nil, nil
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
		p := c.pick(l.Attributes, s.today())
		var marks []string
		for _, v := range values {
			arg, err := col.arg(v)
			if err != nil {
				continue // no row has a value that the column cannot hold
			}
			p.args = append(p.args, arg)
			marks = append(marks, s.dialect.param(len(p.args)))
		}
		if len(marks) == 0 {
			continue
		}
		p.where = s.dialect.quote(col.stored()) + " IN (" + strings.Join(marks, ", ") + ")"
		if err := s.stream(ctx, p, out); err != nil {
			return err
		}
	}
	return nil
}

// stream gives the rows of a selection in a snapshot of their own. A
// connection on which a read did not end well is closed: rows may be on the way.
func (s *System) stream(ctx context.Context, p selection, out *sdk.Sink) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return s.fault(err, deed{reading: true})
	}
	defer conn.Close()
	for _, statement := range s.dialect.begin {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return errors.Join(s.fault(err, deed{class: p.class, reading: true}), drop(conn))
		}
	}
	text, args := p.sql()
	err = conn.Raw(func(raw any) error {
		rows, err := query(ctx, raw.(driver.Conn), text, args)
		if err != nil {
			return err
		}
		return errors.Join(s.pass(ctx, p, rows, out), rows.Close())
	})
	if err == nil && s.dialect.end != "" {
		_, err = conn.ExecContext(ctx, s.dialect.end)
	}
	if err != nil {
		_ = drop(conn) // the error that led to it says more
		return s.fault(err, deed{class: p.class, reading: true})
	}
	return nil
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
func query(ctx context.Context, conn driver.Conn, text string, args []any) (driver.Rows, error) {
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

// listChunk is how many rows are held for their lists.
const listChunk = 500

// pass converts the rows and gives them out. Each waits for the next: if that
// has the same key, both are set aside.
func (s *System) pass(ctx context.Context, p selection, rows driver.Rows, out *sdk.Sink) error {
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
			arg, err := p.class.key.arg(o.ID)
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
			var k, v string
			if err := rows.Scan(&k, &v); err != nil {
				return errors.Join(err, rows.Close())
			}
			if a := at[k]; a != nil {
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
	keyBuf []byte
	buf    []byte
	ends   []int
	values []string
}

func newBuilder(p selection) *builder {
	n := len(p.columns)
	b := &builder{p: p, ends: make([]int, n), values: make([]string, n)}
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
	if b.keyBuf, err = b.p.class.key.appendText(b.keyBuf[:0], v); err != nil || len(b.keyBuf) == 0 {
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

func (b *builder) place() string { return b.p.class.place() + " " + b.o.ID }

func (b *builder) copy() *sdk.Object {
	o := b.o
	o.Attributes = slices.Clone(b.o.Attributes)
	for i := range o.Attributes {
		o.Attributes[i].Values = slices.Clone(o.Attributes[i].Values)
	}
	return &o
}
