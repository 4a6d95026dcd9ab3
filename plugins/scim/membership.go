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

// membersAtOnce are put into a group, or taken out of it, by one request.
const membersAtOnce = 100

// ChangeMembership puts the object into groups and takes it out of others. What
// is already so is left alone. Each group is one request, with others who join
// or leave it at the time: what a server does for it often grows with the group.
// Where one is refused, those before it are done, and a repetition goes on from
// there. Several groups of an object that is alone at it are one bulk request
// where the server has such.
func (s *System) ChangeMembership(ctx context.Context, t sdk.Target, join, leave []string) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	s.changing.Add(1)
	defer s.changing.Add(-1)
	group := known.resourceType("Group")
	switch {
	case group == nil:
		return sdk.Result{}, sdk.Invalid(s.client.Host()+" has no groups", "Take the groups out of the mapping.")
	case !kind.groups:
		return sdk.Result{}, sdk.Invalid(fmt.Sprintf("%s takes no %s into groups", s.client.Host(), kind.name), "Take groups out of the mapping of these objects.")
	}
	label := ""
	if kind == group {
		label = group.name
	}
	in, err := s.groupsBefore(ctx, known, kind, t.ID, join, leave)
	if err != nil {
		return sdk.Result{}, err
	}
	var todo []membership
	for _, id := range join {
		if !slices.Contains(in, id) {
			todo = append(todo, membership{group: id, member: t.ID, join: true, label: label})
		}
	}
	for _, id := range leave {
		if slices.Contains(in, id) {
			todo = append(todo, membership{group: id, member: t.ID, label: label})
		}
	}
	r := sdk.Result{Unchanged: len(todo) == 0, Server: s.client.Host()}
	if known.bulk && known.patch && len(todo) > 1 && s.changing.Load() == 1 {
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
	in = slices.DeleteFunc(append(in, join...), func(id string) bool { return slices.Contains(leave, id) })
	return s.afterMembership(ctx, known, kind, t, r, in)
}

// A membership is one that shall be, or not.
type membership struct {
	group, member string
	join          bool
	label         string // type of the member where it is no user, which is what servers take it for
}

func (m membership) doing() string {
	if m.join {
		return "add a member to the group"
	}
	return "remove a member from the group"
}

// bodies are the requests that change members of one group, one after the other.
func bodies(d Dialect, all []membership) ([][]byte, error) {
	p := &patch{dialect: d, labels: labels(all)}
	join, leave := sides(all)
	p.members(path.Path{Attr: "members"}, join, leave)
	return p.bodies()
}

func sides(all []membership) (join, leave []string) {
	for _, m := range all {
		if m.join {
			join = append(join, m.member)
		} else {
			leave = append(leave, m.member)
		}
	}
	return join, leave
}

// labels are the types of those members that are no users, by native id.
func labels(all []membership) map[string]string {
	of := map[string]string{}
	for _, m := range all {
		if m.label != "" {
			of[m.member] = m.label
		}
	}
	return of
}

// label says of new members what they are.
func label(values map[string]any, c change) {
	_, list, _ := path.Lookup(values, c.path.Attr)
	elements, _ := list.([]any)
	for _, e := range elements {
		member, _ := e.(map[string]any)
		_, id, _ := path.Lookup(member, "value")
		if kind := c.labels[asText(id)]; kind != "" {
			key, _, _ := path.Lookup(member, "type")
			member[key] = kind
		}
	}
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

// changeMember makes one change, or has it made with others. What is refused to
// several is tried with each alone.
func (s *System) changeMember(ctx context.Context, known *service, group *resourceType, m membership) error {
	shared := context.WithoutCancel(ctx) // it is for others, too; the client's own limit ends it
	_, among, err := s.members.Do(m.group, m, func(all []membership) (struct{}, error) {
		return struct{}{}, s.changeMembers(shared, known, group, all)
	})
	if e, ok := errors.AsType[*sdk.Error](err); among > 1 && ok && e.Outcome != sdk.OutcomeUnavailable && e.Outcome != sdk.OutcomeUnknown {
		err = s.changeMembers(ctx, known, group, []membership{m})
	}
	return m.done(err)
}

// changeMembers changes members of one group.
func (s *System) changeMembers(ctx context.Context, known *service, group *resourceType, all []membership) error {
	if !known.patch {
		t := sdk.Target{Class: group.name, ID: all[0].group}
		members := group.attribute("members")
		_, err := s.update(ctx, known, group, t, func(now resource) ([]change, error) {
			has, _ := members.of(now.values)
			join, leave := sides(all)
			want := slices.DeleteFunc(slices.Clone(has), func(v string) bool { return slices.Contains(join, v) || slices.Contains(leave, v) })
			want = append(want, join...)
			if members.equal(has, want) {
				return nil, nil
			}
			return []change{{attribute: members, expect: has, want: want, labels: labels(all)}}, nil
		})
		return err
	}
	requests, err := bodies(s.dialect, all)
	for i := 0; i < len(requests) && err == nil; i++ {
		_, err = s.call(ctx, web.Request{Method: http.MethodPatch, Path: group.at(all[0].group), Body: requests[i], Safe: true,
			Doing: all[0].doing(), Object: group.name + " " + all[0].group})
	}
	return err
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
			body, err := bodies(s.dialect, []membership{m})
			if err != nil {
				return err
			}
			operations[i] = bulkOperation{Method: http.MethodPatch, Path: group.at(m.group), Data: body[0]}
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

// afterMembership reads the member with its groups, if that was asked for. It
// is expected to be in these.
func (s *System) afterMembership(ctx context.Context, known *service, kind *resourceType, t sdk.Target, r sdk.Result, expected []string) (sdk.Result, error) {
	wanted := kind.readable(t.Attributes)
	if len(wanted) == 0 {
		return r, nil
	}
	read := slices.Clip(wanted)
	if kind.shows {
		read = append(read, ownGroups)
	}
	got, err := s.get(ctx, kind, t.ID, read)
	if err == nil {
		err = s.groupsAfter(ctx, known, kind, wanted, &got, expected)
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
