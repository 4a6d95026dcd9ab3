package fake

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

const cookiePrefix = "fake1:"

// Read gives all objects in order of id.
func (s *System) Read(ctx context.Context, q sdk.Query, out *sdk.Sink) ([]byte, error) {
	return s.read(ctx, "read", q, 0, out)
}

// ReadChanges gives what has changed since the line that the cookie names.
func (s *System) ReadChanges(ctx context.Context, q sdk.Query, cookie []byte, out *sdk.Sink) ([]byte, error) {
	since, err := strconv.Atoi(strings.TrimPrefix(string(cookie), cookiePrefix))
	if err != nil || !strings.HasPrefix(string(cookie), cookiePrefix) {
		return nil, sdk.ErrResync
	}
	return s.read(ctx, "changes", q, since, out)
}

func (s *System) read(_ context.Context, kind string, q sdk.Query, since int, out *sdk.Sink) ([]byte, error) {
	e, err := s.script.next(kind)
	if err != nil {
		return nil, err
	}
	objects, gone, line, err := s.view(q.Classes, since)
	if err != nil {
		return nil, err
	}
	for i, o := range objects {
		if i == e.Given {
			if err := e.before(s.log); err != nil {
				return nil, err
			}
		}
		if err := out.Object(o); err != nil {
			return nil, err
		}
	}
	if len(objects) <= e.Given {
		if err := e.before(s.log); err != nil {
			return nil, err
		}
	}
	if slices.Contains(q.Classes, "user") && since == 0 {
		if err := s.crowd(out); err != nil {
			return nil, err
		}
	}
	for _, id := range gone {
		if err := out.Gone(id); err != nil {
			return nil, err
		}
	}
	if s.settings.Plain {
		return nil, e.after()
	}
	return fmt.Appendf(nil, "%s%d", cookiePrefix, line), e.after()
}

// crowd gives users that are made up as they are read.
func (s *System) crowd(out *sdk.Sink) error {
	login, name := []string{""}, []string{""}
	o := &sdk.Object{Class: "user", Attributes: []sdk.Attribute{{Name: "displayName", Values: name}, {Name: "login", Values: login}}}
	for i := range s.settings.Crowd {
		n := strconv.Itoa(i + 1)
		o.ID, o.Address, login[0], name[0] = "crowd-"+n, "crowd/"+n, "c"+n, "Somebody "+n
		if err := out.Object(o); err != nil {
			return err
		}
	}
	return nil
}

// view returns the objects changed and the ids gone since a line, and the
// number of the last line.
func (s *System) view(classes []string, since int) (objects []*sdk.Object, gone []string, line int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.journal.refresh(); err != nil {
		return nil, nil, 0, err
	}
	if since > s.journal.lines {
		return nil, nil, 0, sdk.ErrResync
	}
	for _, o := range s.journal.sorted() {
		if o.changed > since && slices.Contains(classes, o.Class) {
			objects = append(objects, s.shown(o))
		}
	}
	for id, at := range s.journal.gone {
		if since > 0 && at > since {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, compareIDs)
	return objects, gone, s.journal.lines, nil
}

// Find compares without regard to case.
func (s *System) Find(_ context.Context, f sdk.Lookup, out *sdk.Sink) error {
	return s.script.run("find", func() error {
		objects, _, _, err := s.view([]string{f.Class}, 0)
		if err != nil {
			return err
		}
		for _, o := range objects {
			matches := slices.ContainsFunc(o.Attributes, func(a sdk.Attribute) bool {
				return strings.EqualFold(a.Name, f.Attribute) && slices.ContainsFunc(a.Values, func(v string) bool {
					return slices.ContainsFunc(f.Values, func(want string) bool { return strings.EqualFold(v, want) })
				})
			})
			if matches {
				if err := out.Object(o); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Watch looks at the state file twenty times a second, and notices this
// process's own writes at once.
func (s *System) Watch(ctx context.Context, changed func()) error {
	return s.script.run("watch", func() error {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			s.mu.Lock()
			own := s.changed
			others, err := s.journal.refresh()
			s.mu.Unlock()
			if err != nil {
				return err
			}
			if others {
				changed()
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-own:
				changed()
			case <-tick.C:
			}
		}
	})
}

// shown returns o as it is read, with memberOf worked out.
func (s *System) shown(o *object) *sdk.Object {
	shown := &sdk.Object{Class: o.Class, ID: o.ID, Address: o.Address}
	for name, values := range o.Attributes {
		shown.Attributes = append(shown.Attributes, sdk.Attribute{Name: name, Values: values})
	}
	if o.Class == "user" {
		shown.Attributes = append(shown.Attributes, sdk.Attribute{Name: "memberOf", Values: s.journal.groupsOf(o.ID)})
	}
	return shown
}
