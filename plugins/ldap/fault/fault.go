// Package fault puts what goes wrong with a directory into words for the
// person who must act: what happened, to which object and attribute, and what
// to do next.
//
//	dc.StepError       no session: name, network, TLS, sign-in   connection.go
//	wire.ResultError   a refusal: the table of RFC 4511's codes  result.go
//	wire.LostError     the connection broke
//
// A connector puts its own server's codes before the table, by [Words.Special].
package fault

import (
	"context"
	"errors"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// About is what is known where an error comes up. All of it is optional but
// Doing.
type About struct {
	Server    dc.Server
	Doing     string // such as "create the object"
	Object    string // address or id
	Right     string // the right that Doing needs, such as "write access to entry and children", and where
	Attribute string
}

// Words say things for one configured directory.
type Words struct {
	Account  string   // that signs in
	CANames  []string // subjects of the certificates that are trusted; none: those of the host
	Kerberos bool

	// Special is asked first what a refusal means; nil for what is in the
	// table. It may be nil itself.
	Special func(*wire.Result, About) *sdk.Error
	// Attribute finds the attribute that a refusal names in its message; "" if
	// it names none. It may be nil.
	Attribute func(*wire.Result) string
}

// Of turns whatever went wrong into words. What is an [*sdk.Error] already
// stays as it is.
func (w *Words) Of(err error, a About) error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	if step, ok := errors.AsType[*dc.StepError](err); ok {
		return w.step(err, step)
	}
	if refused, ok := errors.AsType[*wire.ResultError](err); ok {
		return w.Refusal(&refused.Result, a)
	}
	if lost, ok := errors.AsType[*wire.LostError](err); ok {
		e := sdk.Unavailable("the connection to "+a.Server.URL+" broke: "+lost.Err.Error(),
			"Nothing: it is tried again; if it stays so, look at the network and at the server.")
		return e.From(err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sdk.Unavailable("given up: "+err.Error(), "Nothing: it is tried again.").From(err)
	}
	return err
}

// Refusal says why a server refused.
func (w *Words) Refusal(r *wire.Result, a About) *sdk.Error {
	var e *sdk.Error
	if w.Special != nil {
		e = w.Special(r, a)
	}
	if e == nil {
		e = w.judgement(r, a)
	}
	if e.Object == "" {
		e.Object = a.Object
	}
	if e.Attribute == "" {
		if e.Attribute = w.attribute(r); e.Attribute == "" {
			e.Attribute = a.Attribute
		}
	}
	return e.From(r.Err())
}

func (w *Words) attribute(r *wire.Result) string {
	if w.Attribute == nil {
		return ""
	}
	return w.Attribute(r)
}

// Taken marks e: the value belongs to another object, another may be tried.
func Taken(e *sdk.Error) *sdk.Error { e.Taken = true; return e }

// Gone says that the object is no longer there.
func Gone(object string) *sdk.Error {
	return sdk.NotFound("the object is no longer in the directory", "Nothing: it is read and planned again.").On(object)
}

func orAnAttribute(name string) string {
	if name == "" {
		return "an attribute"
	}
	return name
}

func list(names []string) string { return strings.Join(names, ", ") }
