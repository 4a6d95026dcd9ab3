// Package session is how a connector speaks to a directory: it sends requests
// over the connections that package dc keeps, repeats what may be repeated,
// and knows of a write whose answer is lost that it may have happened.
//
//	Write            sent ─► result │ lost unsent ─► again │ lost sent ─► UNKNOWN
//	Search           a page after the other on one connection
//	LookUp, ReadOne  few entries, once more on another connection if one breaks
//	Lookups          look-ups of single values that come together are one search
//	Members          changes of a group that come together are one request
//	Container        the organizational units above an object, made where they are missing
//
// It says nothing of what a result means for a person; that is package fault
// and the tables of the connectors.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A Session is what all operations on one directory share. It is safe for
// concurrent use. All fields are required.
type Session struct {
	Pool     *dc.Pool
	Log      *slog.Logger
	PageSize int
	Fault    func(error, fault.About) error           // in words for the person who must act
	Controls func(*dc.Root) []wire.Control            // that go with every search
	Missed   func(ctx context.Context, urls []string) // told of references to other servers, which are not followed
	// BaseMustBe has a search below a base that is not there refused, instead of finding nothing.
	BaseMustBe bool
}

// Any matches every entry.
var Any = filter.Present("objectClass")

// Close ends all connections.
func (s *Session) Close() error {
	s.Pool.Close()
	return nil
}

// Conn returns a connection to the pinned server, which others use as well.
func (s *Session) Conn(ctx context.Context) (*dc.Conn, error) {
	c, err := s.Pool.Conn(ctx)
	if err != nil {
		return nil, s.Fault(err, fault.About{Doing: "reach a server of the directory"})
	}
	return c, nil
}

// Dedicated returns a connection of the caller's own, to be closed by it: while
// the agent is slower than the server, nothing else on it is answered.
func (s *Session) Dedicated(ctx context.Context) (*dc.Conn, error) {
	c, err := s.Pool.Dedicated(ctx)
	if err != nil {
		return nil, s.Fault(err, fault.About{Doing: "reach a server of the directory"})
	}
	return c, nil
}

// Write sends one request. One that surely did not leave is sent again; one
// that may have is UNKNOWN. A result is returned whatever its code.
func (s *Session) Write(ctx context.Context, request wire.Request, controls ...wire.Control) (*wire.Result, *dc.Conn, error) {
	for attempt := 0; ; attempt++ {
		c, err := s.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		result, err := c.Do(ctx, request, controls...)
		lost, broken := errors.AsType[*wire.LostError](err)
		switch {
		case err == nil:
			s.judge(c, result)
			return result, c, nil
		case broken && !lost.Sent && attempt < 2:
			continue
		case broken && !lost.Sent:
			return nil, c, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "write"})
		}
		s.Pool.Failed(c.Root.Server)
		return nil, c, sdk.Unknown(fmt.Sprintf("the connection to %s broke before it answered", c.Root.Server.URL),
			"Nothing: the object is read again before anything else is done to it.").From(err)
	}
}

// judge turns away from a server that says it cannot serve.
func (s *Session) judge(c *dc.Conn, result *wire.Result) {
	switch result.Code {
	case wire.Busy, wire.Unavailable, wire.Referral:
		s.Pool.Failed(c.Root.Server)
	}
}

// Search gives all entries of a search, which pages where it must. A base that
// is not there is no entries and no error, unless BaseMustBe; any other refusal
// is a [*wire.ResultError].
func (s *Session) Search(ctx context.Context, c *dc.Conn, request wire.Search, entry func(*wire.Entry) error) error {
	var cookie []byte
	controls := s.Controls(c.Root)
	for {
		page := controls
		if request.Scope != wire.ScopeBase && c.Root.Supports(wire.PagedControl) {
			page = append(slices.Clip(controls), wire.Paged(s.PageSize, cookie))
		}
		result, err := c.Search(ctx, request, entry, page...)
		if err != nil {
			return err
		}
		if len(result.References) > 0 {
			s.Missed(ctx, result.References)
		}
		if result.Code == wire.NoSuchObject && !s.BaseMustBe {
			return nil
		}
		if err := result.Err(); err != nil {
			s.judge(c, result)
			return err
		}
		if cookie = wire.PagedCookie(result); len(cookie) == 0 {
			return nil
		}
	}
}

// LookUp collects the entries of a search. What broke the connection breaks a
// search but once: it may be repeated.
func (s *Session) LookUp(ctx context.Context, request wire.Search) (found []*wire.Entry, c *dc.Conn, err error) {
	for attempt := 0; ; attempt++ {
		if c, err = s.Conn(ctx); err != nil {
			return nil, nil, err
		}
		found = found[:0]
		err = s.Search(ctx, c, request, func(e *wire.Entry) error {
			found = append(found, e.Clone())
			return nil
		})
		if err == nil {
			return found, c, nil
		}
		if lost, ok := errors.AsType[*wire.LostError](err); !ok || attempt > 0 || ctx.Err() != nil {
			if ok && lost.Sent {
				s.Pool.Failed(c.Root.Server)
			}
			return nil, c, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "search", Object: request.Base})
		}
	}
}

// ReadOne returns the entry that base names, nil if there is none.
func (s *Session) ReadOne(ctx context.Context, base string, attributes []string) (*wire.Entry, *dc.Conn, error) {
	found, c, err := s.LookUp(ctx, wire.Search{
		Base: base, Scope: wire.ScopeBase, Filter: Any.Bytes(), Attributes: attributes,
	})
	if err != nil || len(found) == 0 {
		return nil, c, err
	}
	return found[0], c, nil
}
