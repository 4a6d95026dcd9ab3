package stage

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// A File is the HR system: a file that is replaced as a whole, as an export is.
// It is not for concurrent use.
type File struct {
	Path  string
	order []string
	rows  map[string]workers.Worker
}

// Put adds workers, or changes those that have the same id.
func (f *File) Put(list ...workers.Worker) {
	if f.rows == nil {
		f.rows = map[string]workers.Worker{}
	}
	for _, w := range list {
		if _, known := f.rows[w.EmployeeID]; !known {
			f.order = append(f.order, w.EmployeeID)
		}
		f.rows[w.EmployeeID] = w
	}
}

// Get returns the worker with the id, or a worker without one.
func (f *File) Get(id string) workers.Worker { return f.rows[id] }

// Remove takes workers out.
func (f *File) Remove(ids ...string) {
	for _, id := range ids {
		delete(f.rows, id)
	}
	f.order = slices.DeleteFunc(f.order, func(id string) bool { _, known := f.rows[id]; return !known })
}

// List returns the workers in the order in which they were added first.
func (f *File) List() []workers.Worker {
	list := make([]workers.Worker, 0, len(f.rows))
	for _, id := range f.order {
		list = append(list, f.rows[id])
	}
	return list
}

// Save writes the workers to the file.
func (f *File) Save() error {
	return f.Write(func(w io.Writer) error { return workers.Write(w, f.List()) })
}

// Write writes the file by write, beside its place, and renames it there.
func (f *File) Write(write func(io.Writer) error) error {
	temp := f.Path + ".new"
	out, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(out), out.Close()); err != nil {
		return err
	}
	return os.Rename(temp, f.Path)
}
