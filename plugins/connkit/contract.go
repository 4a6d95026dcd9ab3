package connkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A settingsSchema is what the kit reads of a settings' JSON Schema.
type settingsSchema struct {
	Type       string
	Properties map[string]struct {
		Type        string
		Description string
		WriteOnly   bool
		Default     any
	}
	Required             []string
	AdditionalProperties *bool
}

func schemaOf(d *connectorv1.DescribeResponse) (s settingsSchema, err error) {
	err = json.Unmarshal([]byte(d.GetSettingsSchema()), &s)
	return s, err
}

// secretsOf returns the names of the settings that are secrets.
func secretsOf(d *connectorv1.DescribeResponse) (names []string) {
	s, err := schemaOf(d)
	if err != nil {
		return nil
	}
	for name, property := range s.Properties {
		if property.WriteOnly {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var semver = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+([-+].+)?$`)

func describes(ctx context.Context, k *kit) error {
	p, err := k.start()
	if err != nil {
		return err
	}
	defer p.kill()
	ctx, cancel := k.limit(ctx)
	defer cancel()
	var faults []error
	for _, protocol := range []uint32{sdk.Protocol, sdk.Protocol + 1} {
		d, err := p.Describe(ctx, &connectorv1.DescribeRequest{Protocol: protocol})
		if err != nil {
			return fmt.Errorf("call Describe with protocol %d: %w", protocol, err)
		}
		if d.GetProtocol() < 1 || d.GetProtocol() > sdk.Protocol {
			faults = append(faults, fmt.Errorf("to an agent of contract %d it says %d; want at most %d", protocol, d.GetProtocol(), sdk.Protocol))
		}
		k.description = d
	}
	d := k.description
	if d.GetName() != k.Connector || d.GetName() != strings.ToLower(d.GetName()) {
		faults = append(faults, fmt.Errorf("it was called as %q and says its name is %q", k.Connector, d.GetName()))
	}
	if !semver.MatchString(d.GetVersion()) {
		faults = append(faults, fmt.Errorf("its version %q is not SemVer such as 1.0.0", d.GetVersion()))
	}
	seen := map[sdk.Capability]bool{}
	for _, c := range d.GetCapabilities() {
		if c == 0 || connectorv1.Capability_name[int32(c)] == "" || seen[c] {
			faults = append(faults, fmt.Errorf("capability %v is unknown or there twice", c))
		}
		seen[c] = true
	}
	s, err := schemaOf(d)
	if err != nil || s.Type != "object" {
		return errors.Join(append(faults, fmt.Errorf("settings_schema is no JSON Schema of an object (%v)", err))...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if p := s.Properties[name]; p.Description == "" || p.Type == "" {
			faults = append(faults, fmt.Errorf("setting %q has no description or no type", name))
		}
	}
	return errors.Join(faults...)
}

// refusesSettings tries wrong settings, each in a process of its own.
func refusesSettings(ctx context.Context, k *kit) error {
	s, err := schemaOf(k.description)
	if err != nil {
		return err
	}
	type wrong struct{ what, settings, name string }
	edit := func(change func(map[string]any)) string {
		all := map[string]any{}
		_ = json.Unmarshal([]byte(k.settings(nil)), &all) // it was made a moment ago
		change(all)
		b, _ := json.Marshal(all)
		return string(b)
	}
	tries := []wrong{{"an unknown setting", edit(func(m map[string]any) { m["no_such_setting"] = 1 }), "no_such_setting"}}
	for _, name := range s.Required {
		if !s.Properties[name].WriteOnly {
			tries = append(tries, wrong{"a required setting missing", edit(func(m map[string]any) { delete(m, name) }), name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		switch {
		case p.WriteOnly:
			tries = append(tries, wrong{"a secret among the settings", edit(func(m map[string]any) { m[name] = "hunter2hunter2" }), name})
		case p.Type == "boolean" || p.Type == "integer" || p.Type == "number":
			tries = append(tries, wrong{"a text for a " + p.Type, edit(func(m map[string]any) { m[name] = "maybe" }), name})
		case p.Type == "string" || p.Type == "array":
			tries = append(tries, wrong{"an object for a " + p.Type, edit(func(m map[string]any) { m[name] = map[string]any{} }), name})
		}
	}
	if len(tries) > 24 { // a process each
		tries = tries[:24]
		k.notef("of the settings, the first two dozen faults were tried")
	}
	var faults []error
	for _, try := range tries {
		p, err := k.start()
		if err != nil {
			return err
		}
		callCtx, cancel := k.limit(ctx)
		r, err := p.Open(callCtx, &connectorv1.OpenRequest{Settings: try.settings, Secrets: k.Secrets})
		cancel()
		switch cause := r.GetFault().GetCause(); {
		case err != nil:
			faults = append(faults, fmt.Errorf("%s (%q): Open = %w; want a fault", try.what, try.name, err))
		case r.GetFault() == nil:
			faults = append(faults, fmt.Errorf("%s (%q) is taken in silence", try.what, try.name))
		case !strings.Contains(cause, try.name):
			faults = append(faults, fmt.Errorf("%s (%q): the fault does not name it: %s", try.what, try.name, cause))
		}
		p.kill()
	}
	return errors.Join(faults...)
}

func opensOnce(ctx context.Context, k *kit) error {
	p, err := k.start()
	if err != nil {
		return err
	}
	defer p.kill()
	ctx, cancel := k.limit(ctx)
	defer cancel()
	var faults []error
	early := func(call string, err error) {
		if status.Code(err) != codes.FailedPrecondition {
			faults = append(faults, fmt.Errorf("%s before Open = %v; want FAILED_PRECONDITION", call, err))
		}
	}
	_, err = p.Probe(ctx, &connectorv1.ProbeRequest{})
	early("Probe", err)
	_, err = p.Schema(ctx, &connectorv1.SchemaRequest{})
	early("Schema", err)
	_, err = p.Find(ctx, &connectorv1.FindRequest{Class: k.Class, Attribute: k.Attributes[0]})
	early("Find", err)
	stream, err := p.Read(ctx, k.query())
	if err == nil {
		_, err = stream.Recv()
	}
	early("Read", err)
	if err := k.openIn(ctx, p, nil); err != nil {
		return errors.Join(append(faults, err)...)
	}
	if _, err = p.Open(ctx, &connectorv1.OpenRequest{Settings: k.settings(nil), Secrets: k.Secrets}); status.Code(err) != codes.FailedPrecondition {
		faults = append(faults, fmt.Errorf("a second Open = %v; want FAILED_PRECONDITION", err))
	}
	return errors.Join(faults...)
}

func probes(ctx context.Context, k *kit) error {
	ctx, cancel := k.limit(ctx)
	defer cancel()
	r, err := k.p.Probe(ctx, &connectorv1.ProbeRequest{Classes: []string{k.Class}})
	if err != nil {
		return fmt.Errorf("call Probe: %w", err)
	}
	if len(r.GetSteps()) == 0 {
		return errors.New("the probe has no steps")
	}
	var faults []error
	for i, step := range r.GetSteps() {
		if step.GetName() == "" || step.GetTook() == nil {
			faults = append(faults, fmt.Errorf("step %d (%q) has no name or no time", i+1, step.GetName()))
		}
		if step.GetOutcome() != sdk.OutcomeDone {
			faults = append(faults, fmt.Errorf("step %q: %v (%s); the system of the test should be well", step.GetName(), step.GetOutcome(), step.GetFault().GetCause()))
		}
	}
	return errors.Join(faults...)
}

func hasSchema(ctx context.Context, k *kit) error {
	ctx, cancel := k.limit(ctx)
	defer cancel()
	r, err := k.p.Schema(ctx, &connectorv1.SchemaRequest{})
	if err != nil || r.GetFault() != nil {
		return fmt.Errorf("call Schema: %s%s", r.GetFault().GetCause(), also(err))
	}
	var faults []error
	lastClass := ""
	for _, class := range r.GetClasses() {
		if class.GetName() <= lastClass {
			faults = append(faults, fmt.Errorf("class %q comes after %q; want ascending names, each once", class.GetName(), lastClass))
		}
		lastClass = class.GetName()
		last, seen := "", map[string]bool{}
		for _, a := range class.GetAttributes() {
			fold := strings.ToLower(a.GetName())
			if a.GetName() <= last || seen[fold] {
				faults = append(faults, fmt.Errorf("class %q: attribute %q comes after %q; want ascending names, each once in any case", class.GetName(), a.GetName(), last))
			}
			if a.GetType() == connectorv1.Type_TYPE_UNSPECIFIED || connectorv1.Type_name[int32(a.GetType())] == "" {
				faults = append(faults, fmt.Errorf("class %q: attribute %q has no type", class.GetName(), a.GetName()))
			}
			last, seen[fold] = a.GetName(), true
		}
		if class.GetName() == k.Class {
			k.class = class
		}
	}
	if k.class == nil {
		return errors.Join(append(faults, fmt.Errorf("the schema has no class %q", k.Class))...)
	}
	for _, name := range k.Attributes {
		if k.attribute(name) == nil {
			faults = append(faults, fmt.Errorf("class %q has no attribute %q", k.Class, name))
		}
	}
	return errors.Join(faults...)
}

// attribute returns what the schema says of one, or nil.
func (k *kit) attribute(name string) *connectorv1.AttributeType {
	for _, a := range k.class.GetAttributes() {
		if strings.EqualFold(a.GetName(), name) {
			return a
		}
	}
	return nil
}

func refusesVerbs(ctx context.Context, k *kit) error {
	none := &connectorv1.Attribute{Name: k.Attributes[0], Values: []string{"none"}}
	verbs := []struct {
		needs sdk.Capability
		op    *connectorv1.Operation
	}{
		{sdk.CanCreate, &connectorv1.Operation{Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Name: "none", Anchor: none}}}},
		{sdk.CanModify, &connectorv1.Operation{Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{}}}},
		{sdk.CanMove, &connectorv1.Operation{Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{}}}},
		{sdk.CanSetEnabled, &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}}},
		{sdk.CanChangeMembership, &connectorv1.Operation{Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{}}}},
		{sdk.CanSetPassword, &connectorv1.Operation{Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{Rule: &connectorv1.PasswordRule{Length: 20}}}}},
		{sdk.CanDelete, deletion("", "")},
		{0, &connectorv1.Operation{}}, // a verb of a later release
	}
	var faults []error
	for _, verb := range verbs {
		if verb.needs != 0 && k.can(verb.needs) {
			continue
		}
		verb.op.Class, verb.op.Id = k.Class, "none"
		r, err := k.apply(ctx, k.p, verb.op)
		if err != nil || r.GetOutcome() != sdk.OutcomeInvalid {
			name := "an operation without a verb that it knows"
			if verb.needs != 0 {
				name = "an operation that needs " + verb.needs.String()
			}
			faults = append(faults, fmt.Errorf("%s: answered %s, %v; want INVALID", name, said(r), err))
		}
	}
	return errors.Join(faults...)
}
