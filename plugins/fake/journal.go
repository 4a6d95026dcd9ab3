package fake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// An entry is a line of the state file; one of its fields is set.
type entry struct {
	Call      string  `json:"call,omitempty"`
	Container string  `json:"container,omitempty"`
	Object    *object `json:"object,omitempty"`
	Gone      string  `json:"gone,omitempty"`
	Was       int     `json:"was,omitempty"` // line that the object was in before; if it is not, the entry is void
}

// errStale tells that another process wrote the object first.
var errStale = sdk.Conflict("another process has changed the object meanwhile", "Nothing: it is planned again.")

type object struct {
	Class      string              `json:"class"`
	ID         string              `json:"id"`
	Address    string              `json:"address"`
	Attributes map[string][]string `json:"attributes"`

	changed int // number of the line that it was last in
}

func (o *object) clone() *object {
	c := *o
	c.Attributes = make(map[string][]string, len(o.Attributes))
	for name, values := range o.Attributes {
		c.Attributes[name] = slices.Clone(values)
	}
	return &c
}

// A journal is the state file and what its lines add up to.
type journal struct {
	file  *os.File // nil: in memory alone
	begin int64    // of the part of the file that has not been taken in
	lines int

	calls      map[string]int
	containers map[string]bool
	objects    map[string]*object
	groups     map[string]*object // those of objects that are groups
	gone       map[string]int     // number of the line that deleted it
	made       int                // objects ever
	void       map[string]bool    // lines that came too late
}

// openJournal opens the file at path and takes it in.
func openJournal(path string) (*journal, error) {
	j := &journal{
		calls: map[string]int{}, containers: map[string]bool{"staff": true, "left": true, "groups": true},
		objects: map[string]*object{}, groups: map[string]*object{}, gone: map[string]int{}, void: map[string]bool{},
	}
	if path == "" {
		return j, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j.file = f
	if _, err := j.refresh(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// add writes an entry and takes it in. Its line begins with the end of the one
// before: that may be what a kill cut off, of this process or of another.
func (j *journal) add(e entry) error {
	if j.file == nil {
		j.take(e)
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(slices.Concat([]byte("\n"), line, []byte("\n"))); err != nil {
		return err
	}
	if _, err = j.refresh(); err == nil && e.Was > 0 && j.void[string(line)] {
		err = errStale
	}
	return err
}

// refresh takes in what has been appended by whomever, and tells whether
// objects have changed.
func (j *journal) refresh() (changed bool, err error) {
	if j.file == nil {
		return false, nil
	}
	info, err := j.file.Stat()
	if err != nil || info.Size() <= j.begin {
		return false, err
	}
	rest, err := io.ReadAll(io.NewSectionReader(j.file, j.begin, info.Size()-j.begin))
	if err != nil {
		return false, err
	}
	for {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			return changed, nil
		}
		var e entry
		if json.Unmarshal(line, &e) == nil { // else it is empty, or was cut off: it never happened
			if !j.take(e) {
				j.void[string(line)] = true
			}
			changed = changed || e.Object != nil || e.Gone != ""
		}
		j.begin, rest = j.begin+int64(len(line))+1, after
	}
}

// take takes an entry in, unless it is void.
func (j *journal) take(e entry) bool {
	j.lines++
	switch {
	case e.Was > 0 && (j.objects[e.Object.ID] == nil || j.objects[e.Object.ID].changed != e.Was):
		return false
	case e.Call != "":
		j.calls[e.Call]++
	case e.Container != "":
		j.containers[e.Container] = true
	case e.Gone != "":
		delete(j.objects, e.Gone)
		delete(j.groups, e.Gone)
		j.gone[e.Gone] = j.lines
	case e.Object != nil:
		if j.objects[e.Object.ID] == nil {
			j.made++
			delete(j.gone, e.Object.ID)
		}
		o := e.Object.clone()
		o.changed = j.lines
		j.objects[o.ID] = o
		if o.Class == "group" {
			j.groups[o.ID] = o
		}
	}
	return true
}

// sorted returns the objects in order of id.
func (j *journal) sorted() []*object {
	return slices.SortedFunc(maps.Values(j.objects), func(a, b *object) int {
		return compareIDs(a.ID, b.ID)
	})
}

// groupsOf returns the ids of the groups that have the object as a member.
func (j *journal) groupsOf(id string) (groups []string) {
	for _, g := range j.groups {
		if slices.Contains(g.Attributes["member"], id) {
			groups = append(groups, g.ID)
		}
	}
	slices.SortFunc(groups, compareIDs)
	return groups
}

// compareIDs puts user-9 before user-10.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare([]byte(a), []byte(b))
}
