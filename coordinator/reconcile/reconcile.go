// Package reconcile compares one person and their account in one system with
// what the mapping wants, and says what to do. It is pure: the same input gives
// the same output, and an account that is as wanted gives nothing. Loading,
// thresholds and storing are in plan.
//
//	no account, one match        join it, then as below
//	no account, several matches  problem: ambiguous; nothing is done
//	no account, wanted           create
//	account, employed            move, modify, groups, enable
//	account, before the start    move, modify, groups; enabled or not stays as it is
//	account, left                disable, groups, modify, move; delete when it is time
//	account, out of scope        as left, or as the document says for it; one not joined yet is not touched
//	record at home               groups that come from elsewhere, and nothing else ever
//	record of a source           modify while in scope, and nothing else ever: write-back
//
// Operations of one account are in the order in which they must be done, each
// after the one before it is done. Later steps that need an earlier one's
// outcome (groups after a create) come out of the next Plan.
package reconcile

import (
	"iter"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Input is everything that a plan depends on.
type Input struct {
	Now    time.Time
	Person directory.Person
	Target *mapping.Target
	// Account is the person's account; nil while there is none.
	Account *Account
	// Home tells that Account is the person's record, in a system that is source and
	// target of the class: only memberships in groups from elsewhere are wanted of it.
	Home bool
	// Candidates are accounts, nobody's yet, whose match value is the person's.
	// They are looked at only while Account is nil.
	Candidates []Account
	Names      Names
	Refs       Refs
	// Groups finds the directory's groups; nil means that there are none.
	Groups Groups
	// Strangers are objects in the group, which is the account, that are nobody's.
	Strangers []Stranger
	// Recipient gives the public key of a recipient of passwords by folded name, ""
	// where there is none. nil means that there are none.
	Recipient func(name string) (key string)
	// ByHand tells whether an account that is found disabled was disabled by
	// somebody else: the last word of ours that it heard was enabled. It is asked
	// only where it matters; nil means no.
	ByHand func() bool
	// Outside is since when the person is known to be out of scope, where accounts are
	// deleted for that; zero: it was not seen before.
	Outside time.Time
	// Deviations are where the account is known to be other than the rules want.
	Deviations []Deviation
	// Quarantined are attributes whose values the system refused: they are left out of what else is written.
	Quarantined []Quarantine
}

// An Account is an object of the target as last known.
type Account struct {
	ID      string // native id
	Address string
	Object  []byte // connectorv1.Object, marshalled
	// Granted are native ids of the groups that Drawbridge put the account in and
	// has not taken it out of since: only these are ever left for a rule's sake.
	Granted []string
	// Added are values of additive rules that Drawbridge wrote there, by folded
	// attribute: only these are ever taken away.
	Added map[string][]string
}

// Names is the ledger of names spoken for. Callers plan people in ascending
// order of key, so that who gets which of two equal names is always the same.
type Names interface {
	// Pick gives the first of the candidates that is free or already this
	// person's, and reserves it. The attribute "address" stands for the place in
	// a container; its candidates are whole addresses. It is not ok where all are
	// taken.
	Pick(attribute string, candidates iter.Seq[string]) (value string, ok bool)
}

// Refs finds what references point at.
type Refs interface {
	// Account gives the native id of the account that a person, given by folded
	// key, has in this system; "" where there is none yet.
	Account(personKey string) (id string)
	// Group gives the native id of the group with the name; "" where there is none.
	Group(name string) (id string)
}

// Output is what is to be done, and what else follows.
type Output struct {
	// Join is the id of the candidate that is the person's account from now on.
	Join string
	// Ops in the order in which they must be done.
	Ops []Op
	// Settles tells that nothing will follow the one operation, a create, if it
	// leaves the account as it wants it: see [Left].
	Settles bool
	// Alarms are the instants ahead at which the outcome changes by itself, in
	// ascending order.
	Alarms []Alarm
	// Waits are folded keys of people whose account must exist first.
	Waits []string
	// Made are the groups that rules make and the person is to be in; Unmade tells
	// that they could not be told, and stay as they were.
	Made   []Made
	Unmade bool
	// Outside tells that the person is out of scope, and the account is deleted for it in time.
	Outside bool
	// Withheld tells that something in quarantine was left out.
	Withheld bool
	// Ended are the attributes whose deviation is over.
	Ended []string
	// Problem stops something of it from being done; what it does not concern is
	// in Ops all the same.
	Problem *Problem
}

// An Op is one operation and why.
type Op struct {
	// Class is create, modify, clear (a modify that only empties), move, enable, disable, membership, password or delete.
	Class     string
	Operation *connectorv1.Operation
	// Takes tells that something is taken away or overwritten, or that the document
	// limits the class: such operations count against the threshold of their class.
	Takes   bool
	Reasons []mapping.Reason
	// NotAfter is how long the operation stays true: long for what locks out, short
	// for what lets in.
	NotAfter time.Time
}

// An Alarm is an instant at which the person must be looked at again.
type Alarm struct {
	At  time.Time
	Why string
}

// A Problem is what somebody must see to.
type Problem struct {
	// Kind is ambiguous, invalid, taken, expression, missing reference, no recipient, rehire, out of scope, circle or by hand.
	Kind  string
	Fault *connectorv1.Fault
}
