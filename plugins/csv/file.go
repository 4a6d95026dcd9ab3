package csv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// maxWait is how long a read waits for a file to settle before it rather says
// that it is not ready.
const maxWait = 5 * time.Second

// A file is the file as it was taken: open, so that one renamed into its place
// meanwhile is another.
type file struct {
	*os.File
	Settings
	dialect dialect
	info    fs.FileInfo // when it was taken
}

// take opens the file if it has been left alone long enough and says, where
// it does so, that it is whole.
func (s *System) take(ctx context.Context) (*file, error) {
	f, err := os.Open(s.settings.Path)
	if err != nil {
		return nil, s.cannotOpen(err)
	}
	taken := &file{File: f, Settings: s.settings, dialect: s.dialect}
	if taken.info, err = f.Stat(); err != nil {
		err = s.cannotOpen(err)
	} else if err = s.settled(ctx, taken.info); err == nil {
		err = s.marked(taken.info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return taken, nil
}

func (s *System) cannotOpen(err error) error {
	path := s.settings.Path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sdk.Unavailable(fmt.Sprintf("the file %s is not there", path),
			"Have it written, or correct path in the system's settings; it is looked for again by itself.").On(path)
	case errors.Is(err, fs.ErrPermission):
		return sdk.Denied(fmt.Sprintf("the agent may not read the file %s", path),
			"Give the account that the agent runs as the right to read the file and to enter its folder.").On(path).From(err)
	}
	return sdk.Unavailable(fmt.Sprintf("the file %s cannot be opened", path),
		"Look at the disk or the share that it is on; it is tried again by itself.").On(path).From(err)
}

// settled waits until the file has been left alone for the settle time. A
// time of change in the future, as another clock writes it, says nothing of
// when that was: then the whole time is waited.
func (s *System) settled(ctx context.Context, info fs.FileInfo) error {
	path := s.settings.Path
	if !info.Mode().IsRegular() {
		return sdk.Invalid(path+" is no file", "Correct path in the system's settings.").On(path)
	}
	age := time.Since(info.ModTime())
	if age >= s.settings.Settle {
		return nil
	}
	wait := min(s.settings.Settle-age, s.settings.Settle)
	busy := sdk.Unavailable(fmt.Sprintf("the file %s is still being written", path),
		"Nothing: it is taken when it has been left alone for the time that settle says.").On(path)
	busy.RetryAfter = wait
	if wait > maxWait {
		return busy
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if now, err := os.Stat(path); err != nil || !same(now, info) {
		return busy
	}
	return nil
}

// marked tells whether the marker that the file is whole is there, and of it.
func (s *System) marked(info fs.FileInfo) error {
	if s.settings.DoneMarker == "" {
		return nil
	}
	marker, err := os.Stat(s.settings.Path + s.settings.DoneMarker)
	if err == nil && !marker.ModTime().Before(info.ModTime()) {
		return nil
	}
	return sdk.Unavailable(fmt.Sprintf("the file %s has no marker %s that is as young as it is", s.settings.Path, s.settings.DoneMarker),
		"Nothing, if it is still being written; else have the marker written after it.").On(s.settings.Path)
}

// same tells whether two looks at a path saw the same content.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// unchanged tells whether the file is still as it was taken.
func (f *file) unchanged() error {
	info, err := f.Stat()
	if err == nil && same(info, f.info) {
		return nil
	}
	return sdk.Unavailable(fmt.Sprintf("the file %s was changed while it was read", f.Path),
		"Nothing: it is read again; have it written under another name and renamed, to avoid this.").On(f.Path)
}

// header returns the names of the columns.
func (f *file) header() ([]string, error) {
	_, header, err := f.start()
	return header, err
}

// start goes to the first row behind the header, and returns the columns.
func (f *file) start() (*rows, []string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, nil, f.broken(err)
	}
	src, err := decode(f.File, f.Encoding)
	if err != nil {
		if fault, ok := errors.AsType[*sdk.Error](err); ok {
			return nil, nil, fault.On(f.Path)
		}
		return nil, nil, f.broken(err)
	}
	r := newRows(src, f.dialect)
	if !f.Header {
		return r, f.Columns, nil
	}
	more, err := r.next()
	switch {
	case !more && !errors.Is(r.err, io.EOF):
		return nil, nil, f.broken(r.err)
	case !more:
		return nil, nil, sdk.Unavailable(fmt.Sprintf("the file %s is empty", f.Path),
			"Nothing, if it is still being written; else have it exported again.").On(f.Path)
	case err != nil:
		return nil, nil, f.otherHeader(err.Error())
	}
	header := make([]string, len(r.fields))
	for i, field := range r.fields {
		header[i] = strings.ToValidUTF8(string(field), "\uFFFD")
	}
	return r, header, f.checkHeader(header)
}

func (f *file) checkHeader(header []string) error {
	if err := checkColumns(header); err != nil {
		return f.otherHeader(err.Error())
	}
	if len(f.Columns) > 0 && !slices.Equal(header, f.Columns) {
		return f.otherHeader(difference(f.Columns, header))
	}
	if !slices.Contains(header, f.Key) {
		return f.otherHeader(fmt.Sprintf("the key column %q is missing among %q", f.Key, header))
	}
	return nil
}

func (f *file) otherHeader(how string) *sdk.Error {
	return sdk.Conflict(fmt.Sprintf("the header of %s is not as expected: %s", f.Path, how),
		"Have the file exported with its usual columns, or correct key, columns and delimiter in the system's settings and the mapping.").On(f.Path)
}

// difference says how the columns got differ from those wanted.
func difference(want, got []string) string {
	var parts []string
	for _, d := range []struct {
		in, of []string
		is     string
	}{{want, got, "missing"}, {got, want, "new"}} {
		for _, name := range d.in {
			if !slices.Contains(d.of, name) {
				parts = append(parts, fmt.Sprintf("column %q is %s", name, d.is))
			}
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("the columns are in another order, %q", got)
	}
	return strings.Join(parts, ", ")
}

func (f *file) broken(err error) error {
	return sdk.Unavailable(fmt.Sprintf("the file %s cannot be read to its end", f.Path),
		"Look at the disk or the share that it is on; it is tried again by itself.").On(f.Path).From(err)
}

// place names a line for a person.
func (f *file) place(line int) string {
	return fmt.Sprintf("%s line %d", filepath.Base(f.Path), line)
}
