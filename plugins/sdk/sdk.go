// Package sdk is what the author of a connector imports. An author writes
// plain Go methods, one interface for each thing the connector can do; the SDK
// makes the gRPC service of proto/connector/v1 of them, in a process of its own
// that the agent starts.
//
//	agent ──gRPC, mutual TLS, unix socket──► Service ──► your System ──► the system
//	                                            │
//	       Open   settings decoded strictly, all faults at once, secrets unprintable
//	       Read   Sink: filter, sort, marshal, batch; blocks while the agent is slower
//	       Apply  each operation in a goroutine, answered by its tag
//
// What may go wrong, and who answers for it:
//
//   - A method returns an [*Error]: its outcome and its words go to the person
//     who must act. Any other error is UNAVAILABLE for a read, and UNKNOWN for
//     a write, which the engine looks at again before it does anything else.
//   - A method panics: the call is UNKNOWN, the stack is logged, the process
//     goes on. What the panic said is not logged: it may hold a value.
//   - A method tells a secret, in its log or in an error: what Open was given
//     is taken out of both, see [Redactor].
//   - The agent is gone: the process ends by itself, see [Serve].
//
// It does not hold the conformance kit (plugins/connkit), nor how an agent
// starts and watches connectors (agent/host, which takes only [Handshake],
// [Plugins] and [DialOptions] from here).
package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Protocol is the version of proto/connector/v1 that this SDK speaks.
const Protocol = 1

// A Capability is one thing a connector can do; each has an interface below.
type Capability = connectorv1.Capability

// The capabilities, and what a [System] implements to have them.
const (
	CanRead             = connectorv1.Capability_CAPABILITY_READ       // Reader
	CanReadChanges      = connectorv1.Capability_CAPABILITY_DELTA      // ChangeReader
	CanFind             = connectorv1.Capability_CAPABILITY_FIND       // Finder
	CanWatch            = connectorv1.Capability_CAPABILITY_WATCH      // Watcher
	CanCreate           = connectorv1.Capability_CAPABILITY_CREATE     // Creator
	CanModify           = connectorv1.Capability_CAPABILITY_MODIFY     // Modifier
	CanMove             = connectorv1.Capability_CAPABILITY_MOVE       // Mover
	CanSetEnabled       = connectorv1.Capability_CAPABILITY_ENABLE     // Enabler
	CanChangeMembership = connectorv1.Capability_CAPABILITY_MEMBERSHIP // MembershipChanger
	CanSetPassword      = connectorv1.Capability_CAPABILITY_PASSWORD   // PasswordSetter
	CanDelete           = connectorv1.Capability_CAPABILITY_DELETE     // Deleter
	CanInspect          = connectorv1.Capability_CAPABILITY_INSPECT    // Inspector
	// CanChangeMembershipTogether is declared beside CanChangeMembership by a connector that joins
	// what comes at the same time for a group into one request, as by a [Batcher]: the agent has
	// up to some hundred changes of memberships under way, and counts them as one operation.
	CanChangeMembershipTogether = connectorv1.Capability_CAPABILITY_MEMBERSHIP_TOGETHER
)

// A Description says what a connector is. All of it is required.
type Description struct {
	Name         string // lower case, as configuration files call it
	Version      string // SemVer
	Summary      string // one line for the person who looks for a connector
	Capabilities []Capability
}

// A Connector knows one kind of system. [New] makes it.
type Connector struct {
	Description
	system reflect.Type // what open returns
	schema *settingsSchema
	err    error // why the settings cannot be described
	open   func(ctx context.Context, settings string, secrets map[string]string, log *slog.Logger) (System, error)
}

// New returns the connector that d describes. Open is called once, with
// settings that have been decoded and checked, and returns the system's
// concrete type T. Its context ends with the call: what T does in the
// background ends with its Close.
//
// The settings are the struct S, and the tags of its fields say what there is
// to say about them:
//
//	json:"key"        required: how the configuration spells it
//	doc:"…"           required: what it is for, for the person who sets it
//	default:"…"       taken where it is not given, as JSON unless it is text
//	required:"true"   it must be given, and not be empty
//	enum:"a,b"        the values that a text may have
//	format:"path"     a text that names a file or folder of the agent's host
//	anchor:"true"     it says where secrets are sent: changing it locks them
//
// A field is a string, bool, int, float64, time.Duration (given as "90s"), a
// struct of such, or a slice or map[string] of any of these. A field of type
// [sealed.Secret], which stands at the top, is a secret: the agent takes it
// from its vault. If S has a method Validate() error, that is asked when all
// else is well; the faults of a joined error count one by one.
func New[S any, T System](d Description, open func(ctx context.Context, settings S, log *slog.Logger) (T, error)) Connector {
	schema, err := describeSettings(reflect.TypeFor[S]())
	return Connector{
		Description: d,
		system:      reflect.TypeFor[T](),
		schema:      schema,
		err:         err,
		open: func(ctx context.Context, text string, secrets map[string]string, log *slog.Logger) (System, error) {
			var settings S
			if err := schema.decode(text, secrets, reflect.ValueOf(&settings).Elem()); err != nil {
				return nil, err
			}
			return open(ctx, settings, log)
		},
	}
}

// Check returns everything that is wrong with how the connector describes
// itself: above all a capability that is declared and not implemented, or the
// reverse. [Serve] does it before anything else; a test should, too.
func (c Connector) Check() error {
	faults := []error{c.err}
	for _, field := range []struct{ name, value string }{
		{"name", c.Name}, {"version", c.Version}, {"summary", c.Summary},
	} {
		if field.value == "" {
			faults = append(faults, fmt.Errorf("the description has no %s", field.name))
		}
	}
	if c.system == nil || c.system.Kind() == reflect.Interface {
		return errors.Join(append(faults, fmt.Errorf("open must return a concrete type, not %v", c.system))...)
	}
	for _, able := range abilities() {
		declared, implemented := slices.Contains(c.Capabilities, able.capability), c.system.Implements(able.by)
		switch {
		case declared && !implemented:
			faults = append(faults, fmt.Errorf("%v is declared, but %v does not implement sdk.%s",
				able.capability, c.system, able.by.Name()))
		case implemented && !declared:
			faults = append(faults, fmt.Errorf("%v implements sdk.%s, but %v is not declared",
				c.system, able.by.Name(), able.capability))
		}
	}
	if slices.Contains(c.Capabilities, CanChangeMembershipTogether) && !slices.Contains(c.Capabilities, CanChangeMembership) {
		faults = append(faults, fmt.Errorf("%v is declared without %v", CanChangeMembershipTogether, CanChangeMembership))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("connector %q: %w", c.Name, err)
	}
	return nil
}

// SettingsSchema returns the JSON Schema (draft 2020-12) of the settings.
func (c Connector) SettingsSchema() string { return c.schema.json() }

type ability struct {
	capability Capability
	by         reflect.Type
}

func abilities() []ability {
	return []ability{
		{CanRead, reflect.TypeFor[Reader]()},
		{CanReadChanges, reflect.TypeFor[ChangeReader]()},
		{CanFind, reflect.TypeFor[Finder]()},
		{CanWatch, reflect.TypeFor[Watcher]()},
		{CanCreate, reflect.TypeFor[Creator]()},
		{CanModify, reflect.TypeFor[Modifier]()},
		{CanMove, reflect.TypeFor[Mover]()},
		{CanSetEnabled, reflect.TypeFor[Enabler]()},
		{CanChangeMembership, reflect.TypeFor[MembershipChanger]()},
		{CanSetPassword, reflect.TypeFor[PasswordSetter]()},
		{CanDelete, reflect.TypeFor[Deleter]()},
		{CanInspect, reflect.TypeFor[Inspector]()},
	}
}
