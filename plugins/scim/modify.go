package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/password"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Modify reads the object, compares, and writes what differs: all of it in one
// request, which the server refuses if the object has another version by then.
func (s *System) Modify(ctx context.Context, t sdk.Target, changes []*connectorv1.Change) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	list := make([]change, len(changes))
	for i, c := range changes {
		a, err := kind.writable(c.GetName())
		if err != nil {
			return sdk.Result{}, err
		}
		if len(c.GetWant()) > 1 && !a.multi {
			return sdk.Result{}, sdk.Invalid(a.name+" takes one value", "Correct the rule of the attribute in the mapping.").At(a.name)
		}
		list[i] = change{attribute: a, expect: c.GetExpect(), want: c.GetWant()}
	}
	return s.update(ctx, known, kind, t, func(now resource) ([]change, error) {
		var left []change
		for _, c := range list {
			switch has, _ := c.of(now.values); {
			case c.equal(has, c.want):
			case c.equal(has, c.expect):
				left = append(left, c)
			default:
				return nil, sdk.Conflict(fmt.Sprintf("%s holds neither what was seen nor what is wanted", c.name),
					"Nothing: it is planned again from what is there.").On(now.text(kind.naming)).At(c.name)
			}
		}
		return left, nil
	})
}

// SetEnabled sets active.
func (s *System) SetEnabled(ctx context.Context, t sdk.Target, enabled bool) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	if !kind.active {
		return sdk.Result{}, sdk.Invalid(kind.name+" cannot be enabled or disabled: it has no active", "Set lifecycle.leave.disable to false in the mapping, or delete instead.").At(activeName)
	}
	return s.update(ctx, known, kind, t, func(now resource) ([]change, error) {
		if isActive(now.values) == enabled {
			return nil, nil
		}
		return []change{{attribute: kind.byName[activeName], want: []string{fmt.Sprint(enabled)}}}, nil
	})
}

// attempts of a write that meets another version.
const attempts = 4

// update reads an object, asks which changes are left to make, and makes them,
// as often as somebody else was quicker.
func (s *System) update(ctx context.Context, known *service, kind *resourceType, t sdk.Target, left func(resource) ([]change, error)) (sdk.Result, error) {
	r := sdk.Result{Server: s.client.Host()}
	wanted := kind.readable(t.Attributes)
	// Versions keep others out; where there are none, at least two of ours do not meet.
	lock := &s.locks[maphash.String(seed, t.ID)%uint64(len(s.locks))]
	lock.Lock()
	defer lock.Unlock()
	for attempt := 1; ; attempt++ {
		now, err := s.get(ctx, kind, t.ID, nil)
		if err != nil {
			return r, err
		}
		if s.asked(kind) {
			now.values[memberOfName] = groupsOf(now.values)
		}
		r.Object = kind.object(t.Class, now, wanted)
		changes, err := left(now)
		if err != nil || len(changes) == 0 {
			r.Unchanged = err == nil
			return r, err
		}
		got, err := s.write(ctx, known, kind, now, changes)
		if e, ok := errors.AsType[*sdk.Error](err); ok && e.Outcome == sdk.OutcomeConflict && !errors.Is(err, errTaken) && attempt < attempts {
			continue // another version, or the value that was to be changed is gone
		}
		if err != nil {
			r.Object = nil
			if e, ok := errors.AsType[*sdk.Error](err); ok && errors.Is(err, errTaken) {
				e.Taken = true
				_ = e.On(now.text(kind.naming)).At(changes[0].name)
			}
			names := make([]string, len(changes))
			for i, c := range changes {
				names[i] = c.name
			}
			return r, blame(err, names)
		}
		r.Object, err = s.after(ctx, kind, t, got, wanted)
		return r, err
	}
}

// after shapes the object as it is after a write, which is read if the answer
// did not show it. That it cannot be read takes nothing from what was done.
func (s *System) after(ctx context.Context, kind *resourceType, t sdk.Target, got resource, wanted []*attribute) (*sdk.Object, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	if got.id() == "" {
		var err error
		if got, err = s.get(ctx, kind, t.ID, wanted); err != nil {
			s.log.DebugContext(ctx, "The object cannot be read after it was written", "class", kind.name, "err", err)
			return nil, nil
		}
	}
	if err := s.same(kind, t.ID, got); err != nil {
		return nil, err
	}
	if s.asked(kind) {
		got.values[memberOfName] = groupsOf(got.values)
	}
	return kind.object(t.Class, got, wanted), nil
}

// write makes the changes of an object that is as now, if it still is.
func (s *System) write(ctx context.Context, known *service, kind *resourceType, now resource, changes []change) (resource, error) {
	r := web.Request{Method: http.MethodPatch, Path: kind.at(now.id()), Doing: "change " + kind.name, Object: now.text(kind.naming), Header: http.Header{}}
	if known.etag && now.version != "" {
		r.Header.Set("If-Match", now.version)
	}
	var bodies [][]byte
	var err error
	switch {
	case len(changes) == 1 && changes[0].name == activeName && s.dialect.Activation == "patch":
		active := map[string]any{activeName: truthOf(changes[0].want[0] == "true", s.dialect)}
		bodies, err = (&patch{operations: []operation{{Op: "replace", Value: active}}}).bodies()
	case known.patch && (s.dialect.Update != "put_users" || !kind.active):
		bodies, err = newPatch(s.dialect, now.values, changes)
	default:
		r.Method, r.Safe = http.MethodPut, true // a whole object twice is the same object
		bodies, err = s.replacement(kind, now, changes)
	}
	var got resource
	for _, r.Body = range bodies {
		if err != nil {
			break
		}
		got, err = s.call(ctx, r)
		r.Header.Del("If-Match") // it was for the first: now the version is ours
	}
	return got, err
}

// replacement is the whole object with the changes, without what the server
// alone writes.
func (s *System) replacement(kind *resourceType, now resource, changes []change) ([][]byte, error) {
	values := clone(now.values)
	delete(values, memberOfName)
	for _, c := range changes {
		if err := c.set(values, c.want, s.dialect); err != nil {
			return nil, err
		}
		label(values, c)
	}
	for key := range values {
		if d, ok := kind.tops[strings.ToLower(key)]; ok && !strings.EqualFold(key, "id") && strings.EqualFold(d.Mutability, "readOnly") {
			delete(values, key)
		}
	}
	if spelled, _, ok := path.Lookup(values, activeName); ok && s.dialect.Boolean == "text" {
		values[spelled] = truthOf(isActive(values), s.dialect)
	}
	values["schemas"] = kind.schemasOf(values)
	body, err := json.Marshal(values)
	return [][]byte{body}, err
}

// SetPassword writes password, which no server gives back.
func (s *System) SetPassword(ctx context.Context, t sdk.Target, rule *connectorv1.PasswordRule) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	if !kind.password {
		return sdk.Result{}, sdk.Invalid(kind.name+" has no password", "Take the password out of the mapping.").At("password")
	}
	secret, box, err := password.Generate(rule)
	if err != nil {
		return sdk.Result{}, err
	}
	a := &attribute{name: "password", path: path.Path{Attr: "password"}}
	r, err := s.update(ctx, known, kind, t, func(resource) ([]change, error) {
		return []change{{attribute: a, want: []string{secret.Reveal()}}}, nil
	})
	if err == nil {
		r.SealedPassword = box
	}
	return r, err
}

// Delete removes the object, or switches it off and marks it.
func (s *System) Delete(ctx context.Context, t sdk.Target) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	r := sdk.Result{Server: s.client.Host()}
	if s.settings.Delete == "deactivate" && kind.active {
		r, err = s.update(ctx, known, kind, t, func(now resource) ([]change, error) { return s.marks(kind, now) })
		r.Object = nil
	} else {
		_, err = s.call(ctx, web.Request{Method: http.MethodDelete, Path: kind.at(t.ID), Safe: true, Doing: "delete " + kind.name, Object: kind.name + " " + t.ID})
	}
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Outcome == sdk.OutcomeNotFound {
		return sdk.Result{Unchanged: true, Server: r.Server}, nil
	}
	return r, err
}

// marks are the changes that delete an object by deactivating it.
func (s *System) marks(kind *resourceType, now resource) ([]change, error) {
	if s.deleted(now.values) {
		return nil, nil
	}
	var list []change
	if isActive(now.values) {
		list = append(list, change{attribute: kind.byName[activeName], want: []string{"false"}})
	}
	for name, value := range s.settings.DeletedMark {
		a, err := kind.writable(name)
		if err != nil {
			return nil, err
		}
		list = append(list, change{attribute: a, want: []string{value}})
	}
	return list, nil
}
