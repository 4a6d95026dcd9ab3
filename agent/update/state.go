package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// A State is what state.json holds. A version is named as in its manifest, ""
// is the executable that was installed.
type State struct {
	Schema    int        `json:"schema"`    // 1
	Installed string     `json:"installed"` // version of the installed executable when this was written
	Current   string     `json:"current"`
	Previous  *string    `json:"previous,omitempty"` // what would be gone back to; nil for nothing
	Began     time.Time  `json:"began,omitzero"`     // when Current was first started
	Trial     *TrialMark `json:"trial,omitempty"`    // nil: Current is proven, or installed
}

// A TrialMark is how far a version on trial has come.
type TrialMark struct {
	Began   time.Time `json:"began"`
	Starts  int       `json:"starts"`          // that did not end by an order
	Ended   string    `json:"ended,omitempty"` // how it ended last
	Systems []string  `json:"systems"`         // that answered before it
	Passed  time.Time `json:"passed,omitzero"` // the gate
	Settled time.Time `json:"settled,omitzero"`
}

// An Order is a wish to the supervisor: start Version, or go back.
type Order struct {
	Version string   `json:"version,omitempty"`
	Systems []string `json:"systems,omitempty"` // that answer, and must with Version
	Back    bool     `json:"back,omitempty"`
	By      string   `json:"by,omitempty"` // who wants to go back
}

// A Failure is why a release was taken back.
type Failure struct {
	Version string    `json:"version"`
	Cause   string    `json:"cause"`
	At      time.Time `json:"at"`
}

// A Hold is the admin's freeze.
type Hold struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// A Folder is the agent's folder of versions.
type Folder string

// FolderOf is the folder of versions in a data folder.
func FolderOf(data string) Folder { return Folder(filepath.Join(data, "versions")) }

const stateSchema = 1

func (f Folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

// State reads state.json; the zero State if there is none yet.
func (f Folder) State() (s State, err error) {
	found, err := f.read("state.json", &s)
	if found && s.Schema != stateSchema {
		return s, fmt.Errorf("%s is of schema %d, this release knows %d: install the newer release again", f.path("state.json"), s.Schema, stateSchema)
	}
	return s, err
}

func (f Folder) setState(s State) error {
	s.Schema = stateSchema
	return f.write("state.json", s)
}

// Order reads what is wished, and whether anything is.
func (f Folder) Order() (o Order, found bool, err error) {
	found, err = f.read("order.json", &o)
	return o, found, err
}

// SetOrder has the supervisor do something when the agent next ends.
func (f Folder) SetOrder(o Order) error { return f.write("order.json", o) }

func (f Folder) dropOrder() error { return f.remove("order.json") }

// Held reads the freeze, nil for none.
func (f Folder) Held() (*Hold, error) {
	h := new(Hold)
	if found, err := f.read("hold", h); err != nil || !found {
		return nil, err
	}
	return h, nil
}

// Freeze has nothing updated until [Folder.Release].
func (f Folder) Freeze(by string) error { return f.write("hold", Hold{By: by, At: time.Now().UTC()}) }

// Release ends a freeze, and lets what failed be tried again.
func (f Folder) Release() error {
	list, err := f.Failures()
	for _, failure := range list {
		err = errors.Join(err, f.remove(failureName(failure.Version)))
	}
	return errors.Join(err, f.remove("hold"))
}

func failureName(version string) string { return "failed-" + version + ".json" }

// Failures are the releases that were taken back, the latest last.
func (f Folder) Failures() ([]Failure, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []Failure
	for _, e := range entries {
		version, is := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".json"), "failed-")
		if !is || !release.ValidVersion(version) {
			continue
		}
		failure := Failure{}
		found, err := f.read(e.Name(), &failure)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, failure)
		}
	}
	slices.SortFunc(list, func(a, b Failure) int { return a.At.Compare(b.At) })
	return list, nil
}

// failure tells why a version was taken back, nil if it was not.
func (f Folder) failure(version string) (*Failure, error) {
	failure := new(Failure)
	if found, err := f.read(failureName(version), failure); err != nil || !found {
		return nil, err
	}
	return failure, nil
}

func (f Folder) fail(version, cause string) error {
	return f.write(failureName(version), Failure{Version: version, Cause: cause, At: time.Now().UTC()})
}

func (f Folder) read(name string, v any) (found bool, err error) {
	text, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w; move it away to begin anew with the installed version", f.path(name), err)
	}
	return true, nil
}

// write replaces a file. An admin's command may write it that the service, by
// another account, must read; who may come into the folder is the folder's.
func (f Folder) write(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.ReplaceFile(f.path(name), append(text, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", f.path(name), err)
	}
	return os.Chmod(f.path(name), 0o644)
}

func (f Folder) remove(name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.SyncDir(string(f))
}
