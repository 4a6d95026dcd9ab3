package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// ChangeMembership puts the object into groups and takes it out of others. What
// is already so is left alone. Several groups are one bulk request where the
// server has such; else one request each: where one is refused, those before
// it are done, and a repetition goes on from there.
func (s *System) ChangeMembership(ctx context.Context, t sdk.Target, join, leave []string) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	group := known.resourceType("Group")
	if group == nil {
		return sdk.Result{}, sdk.Invalid(s.client.Host()+" has no groups", "Take the groups out of the mapping.")
	}
	in, err := s.groupsWith(ctx, known, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	var todo []membership
	for _, id := range join {
		if !slices.Contains(in, id) {
			todo = append(todo, membership{group: id, member: t.ID, join: true})
		}
	}
	for _, id := range leave {
		if slices.Contains(in, id) {
			todo = append(todo, membership{group: id, member: t.ID})
		}
	}
	r := sdk.Result{Unchanged: len(todo) == 0, Server: s.client.Host()}
	if known.bulk && known.patch && len(todo) > 1 {
		err = s.inBulk(ctx, known, group, todo)
	} else {
		for _, m := range todo {
			if err = s.changeMember(ctx, known, group, m); err != nil {
				break
			}
		}
	}
	if err != nil {
		return r, err
	}
	return s.afterMembership(ctx, known, kind, t, r)
}

// A membership is one that shall be, or not.
type membership struct {
	group, member string
	join          bool
}

func (m membership) doing() string {
	if m.join {
		return "add a member to the group"
	}
	return "remove a member from the group"
}

func (m membership) body(d Dialect) ([]byte, error) {
	p := &patch{dialect: d}
	at := path.Path{Attr: "members"}
	if m.join {
		p.members(at, []string{m.member}, nil)
	} else {
		p.members(at, nil, []string{m.member})
	}
	bodies, err := p.bodies()
	if err != nil {
		return nil, err
	}
	return bodies[0], nil
}

// done takes a refusal that means that it is as wanted: a group that is gone has
// no members.
func (m membership) done(err error) error {
	e, ok := errors.AsType[*sdk.Error](err)
	if ok && !m.join && (e.Outcome == sdk.OutcomeNotFound || strings.Contains(e.Raw, "noTarget")) {
		return nil
	}
	if ok && e.Outcome == sdk.OutcomeNotFound {
		e.Cause = "the group is no longer there"
	}
	return err
}

func (s *System) changeMember(ctx context.Context, known *service, group *resourceType, m membership) error {
	if !known.patch {
		t := sdk.Target{Class: group.name, ID: m.group}
		members := group.attribute("members")
		_, err := s.update(ctx, known, group, t, func(now resource) ([]change, error) {
			has, _ := members.of(now.values)
			want := slices.DeleteFunc(slices.Clone(has), func(v string) bool { return v == m.member })
			if m.join {
				want = append(want, m.member)
			}
			if members.equal(has, want) {
				return nil, nil
			}
			return []change{{attribute: members, expect: has, want: want}}, nil
		})
		return m.done(err)
	}
	body, err := m.body(s.dialect)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, web.Request{Method: http.MethodPatch, Path: group.at(m.group), Body: body, Safe: true, Doing: m.doing(), Object: group.name + " " + m.group})
	return m.done(err)
}

// A bulkOperation is one of a bulk request or its answer (RFC 7644, 3.7).
type bulkOperation struct {
	Method   string          `json:"method"`
	Path     string          `json:"path,omitempty"`
	Location string          `json:"location,omitempty"`
	BulkID   string          `json:"bulkId,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Status   json.RawMessage `json:"status,omitempty"` // a text, or a number, or an object with code
	Response json.RawMessage `json:"response,omitempty"`
}

func (o bulkOperation) status() (status int) {
	text := strings.Trim(string(o.Status), `"`)
	if _, err := fmt.Sscan(text, &status); err == nil {
		return status
	}
	var object struct{ Code json.RawMessage }
	if json.Unmarshal(o.Status, &object) == nil {
		_, _ = fmt.Sscan(strings.Trim(string(object.Code), `"`), &status)
	}
	return status
}

// inBulk changes memberships in as few requests as the server takes.
func (s *System) inBulk(ctx context.Context, known *service, group *resourceType, todo []membership) error {
	for some := range slices.Chunk(todo, max(1, min(known.bulkOperations, 100))) {
		operations := make([]bulkOperation, len(some))
		for i, m := range some {
			body, err := m.body(s.dialect)
			if err != nil {
				return err
			}
			operations[i] = bulkOperation{Method: http.MethodPatch, Path: group.at(m.group), Data: body}
		}
		body, err := json.Marshal(map[string]any{"schemas": []string{bulkSchema}, "Operations": operations})
		if err != nil {
			return err
		}
		r := web.Request{Method: http.MethodPost, Path: "/Bulk", Body: body, Type: s.mediaType(), Safe: true, Doing: "change members in bulk", Object: group.name}
		answer, err := s.client.Do(ctx, r)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusOK {
			return s.refusal(answer, r)
		}
		text, err := answer.Bytes()
		if err != nil {
			return err
		}
		var got struct{ Operations []bulkOperation }
		if json.Unmarshal(text, &got) != nil || len(got.Operations) != len(some) {
			return s.strange(r, fmt.Sprintf("%d operations in bulk with %d results", len(some), len(got.Operations)), text)
		}
		for i, o := range got.Operations {
			if status := o.status(); status < 200 || status >= 300 {
				one := web.Request{Method: http.MethodPatch, Path: group.at(some[i].group), Safe: true, Doing: some[i].doing(), Object: group.name + " " + some[i].group}
				if err := some[i].done(s.refused(status, o.Response, one)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// afterMembership reads the member with its groups, if that was asked for.
func (s *System) afterMembership(ctx context.Context, known *service, kind *resourceType, t sdk.Target, r sdk.Result) (sdk.Result, error) {
	wanted := kind.readable(t.Attributes)
	if len(wanted) == 0 {
		return r, nil
	}
	got, err := s.get(ctx, kind, t.ID, wanted)
	if err == nil {
		err = s.memberships(ctx, known, kind, wanted, &got)
	}
	if e, ok := errors.AsType[*sdk.Error](err); ok && (e.Outcome == sdk.OutcomeNotFound || e.Outcome == sdk.OutcomeConflict) {
		return r, err
	}
	if err != nil {
		s.log.DebugContext(ctx, "The object cannot be read after its groups were changed", "class", kind.name, "err", err)
		return r, nil
	}
	r.Object = kind.object(t.Class, got, wanted)
	return r, nil
}
