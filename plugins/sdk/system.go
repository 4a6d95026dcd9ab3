package sdk

import (
	"context"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A System is one opened system. Its methods, and those of the interfaces
// below, are called from many goroutines at a time; Close is the last.
type System interface {
	// Probe tries everything from name resolution to rights, each as a step.
	// Classes are those whose operations shall be looked at as well.
	Probe(ctx context.Context, classes []string, steps *Steps)
	// Schema reads from the system which classes and attributes it has. The
	// SDK puts them in order.
	Schema(ctx context.Context) ([]*connectorv1.Class, error)
	// Close lets go of connections and files. Nothing is called after it.
	Close() error
}

// A Reader gives all objects.
type Reader interface {
	// Read gives every object of the query's classes to out. It returns the
	// cookie by which a [ChangeReader] continues; others return nil. Nothing
	// is taken as deleted unless the error is nil.
	Read(ctx context.Context, q Query, out *Sink) (cookie []byte, err error)
}

// A ChangeReader gives what has changed since an earlier read.
type ChangeReader interface {
	// ReadChanges gives out what changed since cookie was returned, whole
	// objects each, and what is gone. It returns [ErrResync], alone or
	// wrapped, where the system refuses the cookie.
	ReadChanges(ctx context.Context, q Query, cookie []byte, out *Sink) (next []byte, err error)
}

// A Query says what to read. Attributes are compared without regard to case;
// the sink drops what is not among them, but a system that is not even asked
// for it is quicker.
type Query struct {
	Classes    []string
	Attributes []string
}

// A Finder looks objects up.
type Finder interface {
	// Find gives out every object that a value of f belongs to, by the
	// system's own rule of equality; finding none is no error.
	Find(ctx context.Context, f Lookup, out *Sink) error
}

// A Lookup asks for the objects of Class whose Attribute holds one of Values,
// of which there are at most 1,000.
type Lookup struct {
	Class      string
	Attribute  string
	Values     []string
	Attributes []string // to return
}

// A Watcher notices changes.
type Watcher interface {
	// Watch calls changed whenever the system may hold something new, until
	// ctx ends. Calls close together are one to the agent.
	Watch(ctx context.Context, changed func()) error
}

// An Inspector says what a guardrail must know of objects before they are
// written. It reads them now, in all of the system: filters and bases of the
// settings do not count.
type Inspector interface {
	// Inspect returns the objects with these native ids, as far as they exist,
	// and the groups with these security ids with every group within them; see
	// InspectRequest.
	Inspect(ctx context.Context, ids, groups []string) (objects, within []*connectorv1.Standing, err error)
}

// An AccessProber compares what its account may do with what it needs.
type AccessProber interface {
	// ProbeAccess tries each, after Probe, if no step of that failed.
	ProbeAccess(ctx context.Context, access []*connectorv1.Access, steps *Steps)
}

// A Target is the object that an operation is about.
type Target struct {
	Class      string
	ID         string   // empty for a create
	Attributes []string // that Result.Object shall show
}

// A Result tells what an operation led to. It may come with an error: after a
// conflict, Object is what was found in the way.
type Result struct {
	Object         *Object // as it is now; nil where it is gone or nothing was asked for
	Unchanged      bool    // it was already so, nothing was written
	SealedPassword []byte  // generated, age-encrypted to the recipients of the rule
	Server         string  // that was written to
}

// The interfaces of writers. An operation wants a state: what is already so is
// no error but Result.Unchanged, and repeating one is harmless. One whose
// answer was lost returns [Unknown].
type (
	// A Creator makes objects. An object that has the anchor's value is the
	// one of an earlier attempt, and is returned.
	Creator interface {
		Create(ctx context.Context, t Target, create *connectorv1.Create) (Result, error)
	}
	// A Modifier changes attributes: all of them, or none and a [Conflict]
	// when one holds neither what is expected nor what is wanted.
	Modifier interface {
		Modify(ctx context.Context, t Target, changes []*connectorv1.Change) (Result, error)
	}
	// A Mover puts an object into another container or under another name.
	Mover interface {
		Move(ctx context.Context, t Target, move *connectorv1.Move) (Result, error)
	}
	// An Enabler lets an object be used, or not.
	Enabler interface {
		SetEnabled(ctx context.Context, t Target, enabled bool) (Result, error)
	}
	// A MembershipChanger puts an object into groups and takes it out of others.
	MembershipChanger interface {
		ChangeMembership(ctx context.Context, t Target, join, leave []string) (Result, error)
	}
	// A PasswordSetter gives an object a new password that it generates.
	PasswordSetter interface {
		SetPassword(ctx context.Context, t Target, rule *connectorv1.PasswordRule) (Result, error)
	}
	// A Deleter removes an object. One that is not there is as wanted.
	Deleter interface {
		Delete(ctx context.Context, t Target) (Result, error)
	}
)
