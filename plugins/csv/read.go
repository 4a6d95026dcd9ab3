package csv

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Read gives a row each as an object, in the order of the file.
func (s *System) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	if !slices.Contains(q.Classes, s.settings.Class) {
		return nil, nil
	}
	return nil, s.read(ctx, q.Attributes, nil, out)
}

// Find goes through the file and compares byte by byte.
func (s *System) Find(ctx context.Context, l sdk.Lookup, out *sdk.Sink) error {
	if l.Class != s.settings.Class {
		return nil
	}
	return s.read(ctx, l.Attributes, &l, out)
}

// read gives the rows that find, if it is not nil, looks for.
func (s *System) read(ctx context.Context, attributes []string, find *sdk.Lookup, out *sdk.Sink) error {
	f, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	found, err := f.survey(ctx)
	if err != nil {
		return err
	}
	columns, err := f.columns(found.header, attributes)
	if err != nil {
		return err
	}
	wanted := func(*rows) bool { return true }
	if find != nil {
		at, err := f.columns(found.header, []string{find.Attribute})
		if err != nil {
			return err
		}
		wanted = func(r *rows) bool { return slices.Contains(find.Values, string(r.fields[at[0]])) }
	}
	build := newBuilder(f, found, columns)
	err = f.each(ctx, found, func(r *rows, bad error) error {
		switch {
		case bad != nil && find != nil:
			return nil
		case bad != nil:
			return out.Reject(f.place(r.begin), bad.Error(), found.id(r))
		case !wanted(r):
			return nil
		}
		if t := found.twice[string(r.fields[found.key])]; t != nil {
			if find != nil {
				return sdk.Conflict(fmt.Sprintf("the row looked for cannot be told: %v", t), "Correct the file.").On(f.Path)
			}
			return out.Reject(f.place(r.begin), t.String(), string(r.fields[found.key]))
		}
		return out.Object(build.object(r))
	})
	if err != nil {
		return err
	}
	return f.unchanged()
}

// columns returns the indices of the columns that the attributes name, in
// ascending order of name. One that is missing has been renamed or removed: to
// go on would empty it for everybody.
func (f *file) columns(header, attributes []string) ([]int, error) {
	var columns []int
	for _, name := range attributes {
		at := slices.IndexFunc(header, func(column string) bool { return strings.EqualFold(column, name) })
		if at < 0 {
			return nil, f.otherHeader(fmt.Sprintf("column %q, which the mapping uses, is missing among %q", name, header)).At(name)
		}
		if !slices.Contains(columns, at) {
			columns = append(columns, at)
		}
	}
	slices.SortFunc(columns, func(a, b int) int { return strings.Compare(header[a], header[b]) })
	return columns, nil
}

// id returns the key of a bad row as far as it can be read, so that its object
// is not taken as gone.
func (s *survey) id(r *rows) string {
	if s.key >= len(r.fields) || len(r.fields[s.key]) == len(r.text) { // a whole line is no key
		return ""
	}
	return string(r.fields[s.key])
}

// A builder makes objects of rows, the same one each time: the sink has
// marshalled it before the next. All text of a row is one string, so that a
// row costs one allocation.
type builder struct {
	key     int
	columns []int
	text    []byte
	ends    []int
	values  []string
	o       sdk.Object
}

func newBuilder(f *file, found *survey, columns []int) *builder {
	b := &builder{key: found.key, columns: columns, ends: make([]int, len(columns)), values: make([]string, len(columns))}
	// The line is no part of it: one row more at the top would change them all.
	b.o = sdk.Object{Class: f.Class, Address: filepath.Base(f.Path), Attributes: make([]sdk.Attribute, len(columns))}
	for i, column := range columns {
		b.o.Attributes[i].Name = found.header[column]
	}
	return b
}

func (b *builder) object(r *rows) *sdk.Object {
	b.text = append(b.text[:0], r.fields[b.key]...)
	for i, column := range b.columns {
		b.text = append(b.text, r.fields[column]...)
		b.ends[i] = len(b.text)
	}
	text, begin := string(b.text), len(r.fields[b.key])
	b.o.ID = text[:begin]
	for i, end := range b.ends {
		b.values[i] = text[begin:end]
		b.o.Attributes[i].Values = b.values[i : i+1]
		if begin == end { // known to be empty
			b.o.Attributes[i].Values = nil
		}
		begin = end
	}
	return &b.o
}
