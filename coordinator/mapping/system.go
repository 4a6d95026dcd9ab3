// Package mapping holds the documents that say how a system and the directory
// belong together: it parses them, compiles their expressions, and evaluates
// these. It is pure, and knows nothing of rows or agents; what a target should
// therefore be done to is decided in reconcile. README.md is the reference for
// those who write documents.
//
// The way of a value, and what may go wrong:
//
//	document   YAML             every fault at once, each with its line and column
//	rule       an expression    compiled and type-checked once; did-you-mean for unknown names
//	object     from a source    evaluated into attributes; a value that does not fit is an error of that record
//	person     from the hub     evaluated into what the target should hold; likewise
package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A System is one document, compiled. It is never changed after Parse, and all
// its methods may be called from many goroutines.
type System struct {
	Name, Site, Connector string
	// Settings is the JSON object that the connector gets; "{}" where there is none.
	Settings json.RawMessage
	Read     Schedule
	Gate     Gate
	// Source is set where the system fills the directory.
	Source *Source
	// Target is set where the directory fills the system.
	Target *Target
	// GroupSource is set where the system brings groups, GroupTarget where groups are made in it.
	GroupSource *Source
	GroupTarget *Target
	// Examples say what the document makes of somebody.
	Examples []Example
	// Notes is what is odd but allowed.
	Notes []Fault
	// Document is the text it was parsed from; lines count from its first.
	Document string

	file        string
	groups      *System // see [System.Groups]
	environment string  // form of what all expressions depend on: zone, tables, extension
}

// File gives the name of the file that the document is from, as Parse was told.
func (s *System) File() string { return s.file }

// Groups gives the system as groups see it, whose Source and Target are those of
// groups; nil where the document makes and brings none.
func (s *System) Groups() *System { return s.groups }

// TargetOf gives the target that objects of a class are accounts of; nil where there is none.
func (s *System) TargetOf(class string) *Target {
	for _, t := range []*Target{s.Target, s.GroupTarget} {
		if t != nil && strings.EqualFold(t.Class, class) {
			return t
		}
	}
	return nil
}

// ofGroups settles what Groups gives.
func (s *System) ofGroups() {
	if s.GroupSource == nil && s.GroupTarget == nil {
		return
	}
	view := *s
	view.Source, view.Target = s.GroupSource, s.GroupTarget
	view.GroupSource, view.GroupTarget, view.groups = nil, nil, nil
	s.groups = &view
}

// A Schedule says when a system is read.
type Schedule struct {
	Watch     bool          // as soon as the system may hold something new
	Every     time.Duration // 15 min by default
	FullEvery time.Duration // everything, not only changes; 24 h by default
}

// A Gate is the sanity check of what was read: what breaks it is held until a person decides.
type Gate struct {
	Drop     float64  // share of the objects known before that may be gone; 0.2 by default
	Rows     int      // fewer objects than this break nothing; 5 by default
	Empty    float64  // share of a column's values that may go, or become others of fewer kinds; 0.2 by default
	Distinct float64  // share of a column's different values that may be lost where so many change; 0.5 by default
	Reuse    bool     // an id may come back as somebody else
	Ignore   []string // columns of which nothing is checked
}

// Holds tells whether a cycle that lost gone of known objects must be held.
func (g Gate) Holds(gone, known int) bool { return g.breaks(gone, known, g.Drop) }

// HoldsValues tells whether a cycle that changes n of the known values of a column is looked at more closely.
func (g Gate) HoldsValues(n, known int) bool { return g.breaks(n, known, g.Empty) }

func (g Gate) breaks(n, known int, share float64) bool {
	return n > 0 && n >= g.Rows && float64(n) > share*float64(known)
}

// Ignores tells whether nothing is checked of a column.
func (g Gate) Ignores(column string) bool {
	return slices.ContainsFunc(g.Ignore, func(s string) bool { return strings.EqualFold(s, column) })
}

// A Limit says how many operations of one class may go without approval.
type Limit struct {
	Share float64 // of the accounts known; 0: not by share
	Count int     // with Share the number that is always allowed, else the limit itself
	Most  int     // with Share: never more than this; 0: the share alone counts
	None  bool    // no limit at all
}

// Holds tells whether n operations against known accounts need approval.
func (l Limit) Holds(n, known int) bool {
	switch {
	case l.None:
		return false
	case l.Share > 0:
		return n > l.Count && (float64(n) > l.Share*float64(known) || l.Most > 0 && n > l.Most)
	}
	return n > l.Count
}

// Manager as a recipient stands for the one that is registered under the key of
// the person's manager.
const Manager = "manager"

// Pickup as a recipient stands for the person's own one-time link, which opens
// the password in a browser.
const Pickup = "pickup"

// PickupOf gives the name under which a person's link is a recipient; nobody
// else can be registered under it.
func PickupOf(person string) string { return Pickup + ":" + person }

// A Password rule is handed to the connector with a create.
type Password struct {
	Length         int      // characters
	Recipients     []string // who may open it: keys (age1…), names of recipients, [Manager], or [Pickup]
	ChangeAtSignIn bool
}
