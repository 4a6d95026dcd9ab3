package mapping

import (
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// A Source is the way from a system into the directory.
type Source struct {
	// Class of the objects that are records of people.
	Class string
}

// Person evaluates an object, given as a marshalled connectorv1.Object. The
// error of a record that cannot be taken is a *RecordError.
func (s *Source) Person(object []byte) (key string, attributes directory.Attributes, err error) {
	return s.person(object)
}

// Explain tells for each attribute that the object fills by which rule and
// from what it came. It is for people, not for the hot path.
func (s *Source) Explain(object []byte) ([]Reason, error) { return s.explain(object) }

// A RecordError tells which rule could not take a record, and why.
type RecordError struct {
	Attribute string // path, or "key"
	Line      int    // of the rule in the document
	Rule      string // text of the expression
	Err       error
}

// A Reason tells where one value comes from.
type Reason struct {
	Attribute string   `json:"attribute"`
	Before    []string `json:"before,omitempty"`
	After     []string `json:"after,omitempty"`
	// Rule is the text of the expression, or words where none was evaluated.
	Rule string `json:"rule"`
	// Line of the rule in the document; 0: no rule of the document.
	Line int `json:"line,omitempty"`
	// From is what the expression read.
	From []Input `json:"from,omitempty"`
	// Note says what else there is to know: "waits for the account of E100", "kept".
	Note string `json:"note,omitempty"`
}

// An Input is an attribute that an expression read, and what it held.
type Input struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Target is the way from the directory into a system.
type Target struct {
	Class string
	// Match names the attribute by which an existing account is recognised;
	// "" where the document has no match.
	Match string
	// MakeContainers lets a create or a move make what containers are missing.
	MakeContainers bool
	Password       *Password // nil: the class has none
	Lifecycle      Lifecycle
}

// Threshold gives the limit for a class of operation: create, modify, move,
// enable, disable, membership or delete.
func (t *Target) Threshold(class string) Limit { return t.threshold(class) }

// MatchValue evaluates by what the person's existing account is recognised,
// folded as account.match is; "" where it is not known.
func (t *Target) MatchValue(p directory.Person) (string, error) { return t.matchValue(p) }

// A Lifecycle says what a target wants in each part of a person's life.
type Lifecycle struct {
	Create Moment // account made, disabled; at start by default
	Enable Moment // at start by default
	Leave  Leave
	// Rehire by hand holds the return for a person to decide; else it restores.
	HoldRehire bool
	// IgnoreOutOfScope leaves the account of somebody who left the scope alone;
	// else that is a leave.
	IgnoreOutOfScope bool
}

// Leave is what happens to a leaver's account.
type Leave struct {
	At      Moment // at end by default
	Disable bool
	Groups  GroupsOfLeaver
	Delete  *Moment // nil: never
}

// GroupsOfLeaver says out of which groups a leaver's account is taken.
type GroupsOfLeaver uint8

const (
	// KeepGroups leaves memberships alone.
	KeepGroups GroupsOfLeaver = iota
	// StripOurs takes it out of the groups that Drawbridge put it in.
	StripOurs
	// StripAll takes it out of every group.
	StripAll
)

// A Moment is an instant relative to the person's start or end.
type Moment struct {
	FromEnd bool
	Offset  time.Duration // negative: before
}

// At gives the instant; zero where the base is.
func (m Moment) At(t directory.Tenure) time.Time {
	base := t.Start
	if m.FromEnd {
		base = t.End
	}
	if base.IsZero() {
		return base
	}
	return base.Add(m.Offset)
}
