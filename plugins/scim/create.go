package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/password"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Create makes the object with one POST, and asks nothing after it where the
// answer is the object. An earlier attempt whose answer was lost is found by
// the anchor when the server says that the name is taken; where the server
// does not keep names apart it is looked for first.
func (s *System) Create(ctx context.Context, t sdk.Target, create *connectorv1.Create) (sdk.Result, error) {
	known, kind, err := s.typeOf(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	n := &creation{system: s, known: known, t: kind, target: t, wanted: kind.readable(t.Attributes)}
	if err := n.prepare(create); err != nil {
		return sdk.Result{}, err
	}
	if !n.kept || s.dialect.Names == "loose" {
		if r, err := n.earlier(ctx); err != nil || r.Object != nil {
			return r, err
		}
	}
	got, err := s.call(ctx, web.Request{Method: "POST", Path: kind.endpoint, Body: n.body, Doing: "create " + kind.name, Object: n.name})
	if err != nil {
		return n.refused(ctx, err)
	}
	if got.id() == "" {
		if got, err = n.made(ctx, got); err != nil {
			return sdk.Result{}, err
		}
	}
	if kind.groups {
		got.values[memberOfName] = []string{}
	}
	return sdk.Result{Object: kind.object(t.Class, got, n.wanted), SealedPassword: n.sealed, Server: s.client.Host()}, nil
}

// A creation is a Create that has been checked.
type creation struct {
	system *System
	known  *service
	t      *resourceType
	target sdk.Target
	wanted []*attribute
	name   string // what people know it by
	anchor *attribute
	value  string // of the anchor
	kept   bool   // the server refuses a second object of this name
	body   []byte
	sealed []byte

	written []string // attributes
}

// prepare checks everything that can be without asking the server.
func (n *creation) prepare(create *connectorv1.Create) error {
	s, t := n.system, n.t
	values := map[string]any{}
	named := false
	for _, a := range create.GetAttributes() {
		known, err := t.writable(a.GetName())
		if err != nil {
			return err
		}
		if err := known.set(values, a.GetValues(), s.dialect); err != nil {
			return err
		}
		n.written = append(n.written, known.name)
		named = named || strings.EqualFold(known.name, t.naming) && len(a.GetValues()) > 0
		n.kept = n.kept || known.unique && len(a.GetValues()) > 0
	}
	if naming := t.byName[strings.ToLower(t.naming)]; !named && naming != nil && !naming.readOnly {
		if err := naming.set(values, []string{create.GetName()}, s.dialect); err != nil {
			return err
		}
		n.kept = n.kept || naming.unique
	}
	n.name = resource{values: values}.text(t.naming)
	if err := n.findBy(create.GetAnchor()); err != nil {
		return err
	}
	if t.active {
		values[activeName] = truthOf(create.GetEnabled(), s.dialect)
	}
	if rule := create.GetPassword(); rule != nil && t.password {
		secret, box, err := password.Generate(rule)
		if err != nil {
			return err
		}
		values["password"], n.sealed = secret.Reveal(), box
	}
	values["schemas"] = t.schemasOf(values)
	var err error
	n.body, err = json.Marshal(values)
	return err
}

// findBy takes the anchor. One called id is what the mapping calls the name.
func (n *creation) findBy(anchor *connectorv1.Attribute) error {
	name, value := anchor.GetName(), ""
	if len(anchor.GetValues()) == 1 {
		value = anchor.GetValues()[0]
	}
	if strings.EqualFold(name, "id") || value == "" {
		name, value = n.t.naming, n.name
	}
	if n.anchor, n.value = n.t.attribute(name), value; n.anchor == nil {
		return sdk.Invalid(fmt.Sprintf("%s has no attribute %q to recognise the object by", n.t.name, name), "Match by an attribute that the system has.").At(name)
	}
	return nil
}

// schemasOf are the schemas that the values are of.
func (t *resourceType) schemasOf(values map[string]any) []string {
	list := []string{t.schema}
	for _, urn := range t.extensions {
		if _, _, ok := path.Lookup(values, urn); ok {
			list = append(list, urn)
		}
	}
	return list
}

// earlier finds the object of an attempt whose answer was lost.
func (n *creation) earlier(ctx context.Context) (sdk.Result, error) {
	var found []resource
	s := n.system
	err := s.lookUp(ctx, n.known, n.t, n.anchor, []string{n.value}, append(slices.Clip(n.wanted), n.anchor), func(got resource) error {
		found = append(found, got)
		return nil
	})
	switch {
	case err != nil:
		return sdk.Result{}, err
	case len(found) == 0:
		return sdk.Result{}, nil
	case len(found) > 1:
		return sdk.Result{}, sdk.Conflict(fmt.Sprintf("%d objects have %s %q", len(found), n.anchor.name, n.value), "Remove what is too much in the system.").On(n.name).At(n.anchor.name)
	}
	if err := s.memberships(ctx, n.known, n.t, n.wanted, &found[0]); err != nil {
		return sdk.Result{}, err
	}
	return sdk.Result{Object: n.t.object(n.target.Class, found[0], n.wanted), Unchanged: true, Server: s.client.Host()}, nil
}

// refused looks, where the name is taken, whether it is by the object itself.
func (n *creation) refused(ctx context.Context, refusal error) (sdk.Result, error) {
	e, ok := errors.AsType[*sdk.Error](refusal)
	if !ok || !errors.Is(refusal, errTaken) {
		return sdk.Result{}, blame(refusal, n.written)
	}
	r, err := n.earlier(ctx)
	if fault, ok := errors.AsType[*sdk.Error](err); ok && fault.Outcome == sdk.OutcomeInvalid && !strings.EqualFold(n.anchor.name, n.t.naming) {
		r, err = n.byName(ctx) // the server cannot look the anchor up
	}
	if err != nil || r.Object != nil {
		return r, err
	}
	e.Taken = true
	return r, e.On(n.name).At(n.t.naming)
}

// byName finds the object by its name and tells by the anchor whose it is.
func (n *creation) byName(ctx context.Context) (sdk.Result, error) {
	other := *n
	other.anchor, other.value = n.t.attribute(n.t.naming), n.name
	other.wanted = append(slices.Clip(n.wanted), n.anchor)
	r, err := other.earlier(ctx)
	if err != nil || r.Object == nil {
		return r, err
	}
	i := slices.IndexFunc(r.Object.Attributes, func(a sdk.Attribute) bool { return a.Name == n.anchor.name })
	if i < 0 || !n.anchor.has(r.Object.Attributes[i].Values, n.value) {
		return sdk.Result{}, nil
	}
	return r, nil
}

// made reads the object where the answer to the POST did not show it.
func (n *creation) made(ctx context.Context, got resource) (resource, error) {
	if i := strings.LastIndexByte(got.location, '/'); i >= 0 && got.location[i+1:] != "" {
		return n.system.get(ctx, n.t, got.location[i+1:], n.wanted)
	}
	var found []resource
	err := n.system.lookUp(ctx, n.known, n.t, n.anchor, []string{n.value}, append(slices.Clip(n.wanted), n.anchor), func(got resource) error {
		found = append(found, got)
		return nil
	})
	if err != nil || len(found) != 1 {
		return got, sdk.Unknown(n.system.client.Host()+" took the object and does not say which it is", "Nothing: the objects are read again.").On(n.name).From(err)
	}
	return found[0], nil
}

// clone is a copy of what was read, to be changed.
func clone(values map[string]any) map[string]any {
	copied := maps.Clone(values)
	for key, v := range copied {
		copied[key] = deep(v)
	}
	return copied
}

func deep(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return clone(v)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = deep(e)
		}
		return list
	}
	return v
}
