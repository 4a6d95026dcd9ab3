package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// write carries out one write by the script. Do is given the object, a copy it
// may change, and says whether it has; with the id of a create it is nil.
func (s *System) write(ctx context.Context, kind string, t sdk.Target, do func(o *object) (*object, sdk.Result, error)) (result sdk.Result, err error) {
	err = s.script.run(kind, func() error {
		select {
		case <-time.After(s.settings.Latency):
		case <-ctx.Done():
			return sdk.Unavailable("the agent gave up", "Nothing: it is tried again.").From(context.Cause(ctx))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, err := s.journal.refresh(); err != nil {
			return err
		}
		var o *object
		if t.ID != "" {
			if o = s.journal.objects[t.ID]; o == nil && kind != "delete" {
				return sdk.NotFound(fmt.Sprintf("there is no %s %s", t.Class, t.ID), "Read the directory again.").On(t.ID)
			}
		}
		if o != nil {
			o = o.clone()
		}
		after, r, err := do(o)
		result = r
		if result.Server = "fake"; after != nil {
			result.Object = s.shown(after)
		}
		return err
	})
	return result, err
}

// keep writes the object as it is from now on.
func (s *System) keep(o *object) (*object, sdk.Result, error) {
	was := o.changed
	if s.breaks == "race" { // it compares, and then takes its time
		<-time.After(50 * time.Millisecond)
		was = 0
	}
	if err := s.journal.add(entry{Object: o, Was: was}); err != nil {
		return s.journal.objects[o.ID], sdk.Result{}, err
	}
	s.tell()
	return o, sdk.Result{}, nil
}

func (s *System) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Create makes an object, or returns the one that has the anchor's value.
func (s *System) Create(ctx context.Context, t sdk.Target, c *connectorv1.Create) (sdk.Result, error) {
	return s.write(ctx, "create", t, func(*object) (*object, sdk.Result, error) {
		for _, o := range s.journal.objects {
			if values := c.GetAnchor().GetValues(); o.Class == t.Class && len(values) == 1 &&
				slices.Equal(o.Attributes[nameOf(t.Class, c.GetAnchor().GetName())], values) {
				return o, sdk.Result{Unchanged: true}, nil
			}
		}
		o := &object{Class: t.Class, Attributes: map[string][]string{}}
		var changes []*connectorv1.Change
		for _, a := range c.GetAttributes() {
			changes = append(changes, &connectorv1.Change{Name: a.GetName(), Want: a.GetValues()})
		}
		if _, err := s.set(o, changes); err != nil {
			return nil, sdk.Result{}, err
		}
		if c.GetEnabled() && c.GetPassword() == nil && t.Class == "user" {
			return nil, sdk.Result{}, sdk.Invalid("a user without a password cannot be enabled", "Give the mapping a password rule.")
		}
		if err := s.place(o, c.GetContainer(), c.GetName(), c.GetMakeContainers()); err != nil {
			return nil, sdk.Result{}, err
		}
		o.Attributes["enabled"] = []string{strconv.FormatBool(c.GetEnabled())}
		box, err := s.password(c.GetPassword())
		if err != nil {
			return nil, sdk.Result{}, err
		}
		o.ID = fmt.Sprintf("%s-%d", t.Class, s.journal.made+1)
		o, r, err := s.keep(o)
		r.SealedPassword = box
		return o, r, err
	})
}

// Modify compares and swaps.
func (s *System) Modify(ctx context.Context, t sdk.Target, changes []*connectorv1.Change) (sdk.Result, error) {
	return s.write(ctx, "modify", t, func(o *object) (*object, sdk.Result, error) {
		before := o.clone()
		changed, err := s.set(o, changes)
		if err != nil {
			return before, sdk.Result{}, err
		}
		if !changed {
			return o, sdk.Result{Unchanged: true}, nil
		}
		return s.keep(o)
	})
}

// Move changes the address.
func (s *System) Move(ctx context.Context, t sdk.Target, m *connectorv1.Move) (sdk.Result, error) {
	return s.write(ctx, "move", t, func(o *object) (*object, sdk.Result, error) {
		if o.Address == m.GetContainer()+"/"+m.GetName() {
			return o, sdk.Result{Unchanged: true}, nil
		}
		if o.Address != m.GetExpectAddress() {
			return o, sdk.Result{}, sdk.Conflict("the object is elsewhere", "Nothing: it is planned again.").On(o.Address)
		}
		if err := s.place(o, m.GetContainer(), m.GetName(), m.GetMakeContainers()); err != nil {
			return nil, sdk.Result{}, err
		}
		return s.keep(o)
	})
}

// SetEnabled lets a user sign in, or not.
func (s *System) SetEnabled(ctx context.Context, t sdk.Target, enabled bool) (sdk.Result, error) {
	return s.write(ctx, "set_enabled", t, func(o *object) (*object, sdk.Result, error) {
		want := []string{strconv.FormatBool(enabled)}
		if slices.Equal(o.Attributes["enabled"], want) {
			return o, sdk.Result{Unchanged: true}, nil
		}
		o.Attributes["enabled"] = want
		return s.keep(o)
	})
}

// ChangeMembership writes the groups.
func (s *System) ChangeMembership(ctx context.Context, t sdk.Target, join, leave []string) (sdk.Result, error) {
	return s.write(ctx, "change_membership", t, func(o *object) (*object, sdk.Result, error) {
		unchanged := true
		for i, id := range slices.Concat(join, leave) {
			g := s.journal.objects[id]
			if g == nil || g.Class != "group" {
				return o, sdk.Result{}, sdk.Invalid("there is no group "+id, "Read the directory again.").On(id)
			}
			g = g.clone()
			at := slices.Index(g.Attributes["member"], o.ID)
			switch joins := i < len(join); {
			case joins && at < 0:
				g.Attributes["member"] = append(g.Attributes["member"], o.ID)
			case !joins && at >= 0:
				g.Attributes["member"] = slices.Delete(g.Attributes["member"], at, at+1)
			default:
				continue
			}
			unchanged = false
			if _, _, err := s.keep(g); err != nil {
				return nil, sdk.Result{}, err
			}
		}
		return o, sdk.Result{Unchanged: unchanged}, nil
	})
}

// SetPassword keeps no password; it counts that there was a new one.
func (s *System) SetPassword(ctx context.Context, t sdk.Target, rule *connectorv1.PasswordRule) (sdk.Result, error) {
	return s.write(ctx, "set_password", t, func(o *object) (*object, sdk.Result, error) {
		box, err := s.password(rule)
		return o, sdk.Result{SealedPassword: box}, err
	})
}

// Delete removes an object, and takes it out of its groups.
func (s *System) Delete(ctx context.Context, t sdk.Target) (sdk.Result, error) {
	return s.write(ctx, "delete", t, func(o *object) (*object, sdk.Result, error) {
		if o == nil {
			return nil, sdk.Result{Unchanged: true}, nil
		}
		for _, id := range s.journal.groupsOf(o.ID) {
			g := s.journal.groups[id].clone()
			g.Attributes["member"] = slices.DeleteFunc(g.Attributes["member"], func(m string) bool { return m == o.ID })
			if err := s.journal.add(entry{Object: g}); err != nil {
				return nil, sdk.Result{}, err
			}
		}
		err := s.journal.add(entry{Gone: o.ID})
		s.tell()
		return nil, sdk.Result{}, err
	})
}

// set makes the changes on o, a copy: all or, with an error, none that counts.
func (s *System) set(o *object, changes []*connectorv1.Change) (changed bool, err error) {
	for _, c := range changes {
		name := nameOf(o.Class, c.GetName())
		switch {
		case name == "":
			return false, sdk.Invalid(fmt.Sprintf("class %q has no attribute %q", o.Class, c.GetName()),
				"Correct the mapping.").At(c.GetName())
		case slices.Equal(o.Attributes[name], c.GetWant()):
			continue
		case !slices.Equal(o.Attributes[name], c.GetExpect()) && s.breaks != "compare and swap":
			return false, sdk.Conflict("another value is there than expected", "Nothing: it is planned again.").On(o.Address).At(name)
		}
		for _, v := range c.GetWant() {
			if len([]rune(v)) > 64 {
				return false, sdk.Invalid(fmt.Sprintf("the value has %d characters, 64 is the limit", len([]rune(v))),
					"Shorten it in the mapping.").At(name)
			}
		}
		if name == "login" {
			if err := s.free(o, c.GetWant()); err != nil {
				return false, err
			}
		}
		o.Attributes[name], changed = c.GetWant(), true
		if len(c.GetWant()) == 0 {
			delete(o.Attributes, name)
		}
	}
	return changed, nil
}

// free tells whether nobody else has the login.
func (s *System) free(o *object, want []string) error {
	for _, other := range s.journal.objects {
		if login := other.Attributes["login"]; other.ID != o.ID && len(login) == 1 && len(want) == 1 && strings.EqualFold(login[0], want[0]) {
			fault := sdk.Conflict("another object has this login", "Nothing: another is tried.").On(other.Address).At("login")
			fault.Taken = true
			return fault
		}
	}
	return nil
}

// place puts o at container/name.
func (s *System) place(o *object, container, name string, makeContainers bool) error {
	address := container + "/" + name
	for _, other := range s.journal.objects {
		if other.ID != o.ID && other.Address == address {
			fault := sdk.Conflict("another object has this name", "Nothing: another is tried.").On(address).At("name")
			fault.Taken = true
			return fault
		}
	}
	if !s.journal.containers[container] {
		if !makeContainers {
			return sdk.Invalid(fmt.Sprintf("there is no container %q", container),
				"Make it, or let the mapping make containers.").On(container)
		}
		if err := s.journal.add(entry{Container: container}); err != nil {
			return err
		}
	}
	o.Address = address
	return nil
}

// password returns one that is the next in a row, sealed.
func (s *System) password(rule *connectorv1.PasswordRule) ([]byte, error) {
	if rule == nil {
		return nil, nil
	}
	s.passwords++
	text := fmt.Sprintf("pw%d-", s.passwords)
	secret := sealed.New(text + strings.Repeat("x", max(0, int(rule.GetLength())-len(text))))
	box, err := sealed.Seal(secret, rule.GetRecipients())
	if errors.Is(err, sealed.ErrNoRecipient) {
		return nil, nil
	}
	if err != nil {
		return nil, sdk.Invalid("the password cannot be sealed", "Correct the recipients of the password rule.").From(err)
	}
	return box, nil
}

// nameOf returns the name as the schema spells it, or nothing.
func nameOf(class, name string) string {
	for _, a := range schema()[class] {
		if strings.EqualFold(a.GetName(), name) {
			return a.GetName()
		}
	}
	return ""
}
