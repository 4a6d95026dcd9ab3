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
	given := f.given(found, columns, out)
	var row sdk.Row
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
		row.Begin(r.fields[found.key])
		for _, column := range columns {
			row.Text = append(row.Text, r.fields[column]...)
			row.End()
		}
		return given.Row(&row)
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

// given passes on rows with these columns. The line is no part of their
// address: one row more at the top would change them all.
func (f *file) given(found *survey, columns []int, out *sdk.Sink) *sdk.Rows {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = found.header[column]
	}
	return out.Rows(f.Class, filepath.Base(f.Path), names)
}
