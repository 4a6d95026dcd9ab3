package sdk

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// An Outcome tells the engine how to go on; see the contract for each.
type Outcome = connectorv1.Outcome

// The outcomes, and what the engine does.
const (
	OutcomeDone        = connectorv1.Outcome_OUTCOME_DONE        // goes on
	OutcomeNotFound    = connectorv1.Outcome_OUTCOME_NOT_FOUND   // reads again, plans again
	OutcomeConflict    = connectorv1.Outcome_OUTCOME_CONFLICT    // plans again from what is there
	OutcomeInvalid     = connectorv1.Outcome_OUTCOME_INVALID     // holds it for a person
	OutcomeDenied      = connectorv1.Outcome_OUTCOME_DENIED      // holds it, tries again seldom
	OutcomeUnavailable = connectorv1.Outcome_OUTCOME_UNAVAILABLE // tries again with growing pauses
	OutcomeUnknown     = connectorv1.Outcome_OUTCOME_UNKNOWN     // looks before it does anything else
)

// ErrResync is returned by a [ChangeReader] whose system refuses the cookie:
// everything must be read.
var ErrResync = errors.New("the cookie was refused")

// An Error is written for the person who must act. It holds no secret and no
// value that nobody needs to see in order to mend it.
type Error struct {
	Outcome    Outcome
	Cause      string // what happened, one sentence
	NextStep   string // what to do, one sentence
	Object     string // address of the object concerned
	Attribute  string // name of the attribute concerned
	Raw        string // the system's own code and text
	Taken      bool   // the value of Attribute belongs to another object
	RetryAfter time.Duration
	Err        error // what led to it, for [errors.Is]
}

// NotFound says that the object is not there.
func NotFound(cause, nextStep string) *Error { return newError(OutcomeNotFound, cause, nextStep) }

// Conflict says that something else than expected is there.
func Conflict(cause, nextStep string) *Error { return newError(OutcomeConflict, cause, nextStep) }

// Invalid says that the system will never take this.
func Invalid(cause, nextStep string) *Error { return newError(OutcomeInvalid, cause, nextStep) }

// Denied says that a right is missing; the next step names it.
func Denied(cause, nextStep string) *Error { return newError(OutcomeDenied, cause, nextStep) }

// Unavailable says that the system does not answer now.
func Unavailable(cause, nextStep string) *Error { return newError(OutcomeUnavailable, cause, nextStep) }

// Unknown says that it may or may not have happened.
func Unknown(cause, nextStep string) *Error { return newError(OutcomeUnknown, cause, nextStep) }

func newError(o Outcome, cause, nextStep string) *Error {
	return &Error{Outcome: o, Cause: cause, NextStep: nextStep}
}

// On names the address of the object concerned and returns e.
func (e *Error) On(object string) *Error { e.Object = object; return e }

// At names the attribute concerned and returns e.
func (e *Error) At(attribute string) *Error { e.Attribute = attribute; return e }

// From keeps what led to the error, whose text becomes Raw, and returns e.
func (e *Error) From(err error) *Error {
	e.Err = err
	if err != nil {
		e.Raw = err.Error()
	}
	return e
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Cause)
	for _, part := range []struct{ before, text string }{
		{"; object ", e.Object}, {"; attribute ", e.Attribute}, {"; ", e.NextStep}, {"; ", e.Raw},
	} {
		if part.text != "" {
			b.WriteString(part.before)
			b.WriteString(part.text)
		}
	}
	return b.String()
}

// Unwrap returns what led to the error.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) fault() *connectorv1.Fault {
	f := &connectorv1.Fault{
		Cause: text(e.Cause), NextStep: text(e.NextStep), Object: text(e.Object),
		Attribute: text(e.Attribute), Raw: text(e.Raw), Taken: e.Taken,
	}
	if e.RetryAfter > 0 {
		f.RetryAfter = durationpb.New(e.RetryAfter)
	}
	return f
}

// verdict turns what a method returned into the words of the contract. An
// error that is no [*Error] says nothing of what happened, so it gets other.
func verdict(err error, other Outcome) (Outcome, *connectorv1.Fault) {
	if err == nil {
		return OutcomeDone, nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		next := "Look at the log of the agent; it is tried again by itself."
		if other == OutcomeUnknown {
			next = "Nothing: the object is read again before anything else is done to it."
		}
		e = newError(other, err.Error(), next)
	}
	outcome := e.Outcome
	if outcome <= OutcomeDone || outcome > OutcomeUnknown {
		outcome = OutcomeUnknown
	}
	return outcome, e.fault()
}

// text makes any text fit for the wire, where text is UTF-8: a system's
// message may be anything, and must not cost the answer it is part of.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
