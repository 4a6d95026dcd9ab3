// Package fake is a connector to a directory that it keeps itself, hostile on
// demand: a script in its settings says at which call it crashes, hangs, loses
// an answer, refuses or is slow. It is deterministic, speaks the whole of
// proto/connector/v1, and is for tests of the agent alone: it is an executable
// of its own, cmd/drawbridge-fake, which is never shipped.
//
// The directory holds users and groups in containers. With a state file it
// outlives the process, so that a test can kill the connector and look at what
// was written: a line of JSON for each thing that happened, in order, appended.
//
//	{"call":"create"}                             a call began (only with a script)
//	{"container":"staff"}                         a container was made
//	{"object":{"class":"user","id":"user-1",      an object as it is from now on
//	  "address":"staff/Ann","attributes":{"login":["ann"],"enabled":["true"]}}}
//	{"gone":"user-1"}                             an object was deleted
//
// An object's line may say in which line it was before ("was"); if another has
// come since, it is void: so two processes compare and swap.
//
// A test may append such lines itself, as another admin would write; what is
// read next, and Watch, show them. A last line without its end is a write that
// a kill cut off: it never happened.
//
// A rogue ("drawbridge-fake rogue-RULE") is the same directory and breaks one
// rule of the contract, so that plugins/connkit is seen to notice each. A moody
// one does for a while what a file says: hang, crash, flood, lie, garbage, too much.
//
// The files: settings and opening here; journal.go the state; script.go what
// goes wrong; write.go and read.go the directory's rules; rogue.go those that
// a rogue breaks; moody.go what a moody one does.
package fake

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Settings are what a test sets.
type Settings struct {
	State    string        `json:"state" format:"path" doc:"file that the directory is kept in; none keeps it in memory"`
	Users    int           `json:"users" default:"0" doc:"users that an empty directory starts with: user-1 and so on, login u1"`
	Groups   int           `json:"groups" default:"0" doc:"groups that an empty directory starts with: group-1 and so on, login g1"`
	Crowd    int           `json:"crowd" default:"0" doc:"users more that a read gives and nobody keeps: crowd-1 and so on, login c1"`
	Plain    bool          `json:"plain" default:"false" doc:"gives no changes: every read reads everything"`
	Latency  time.Duration `json:"latency" default:"0s" doc:"time that every write takes"`
	Server   string        `json:"server" default:"fake.invalid" anchor:"true" doc:"where the password would be sent"`
	Expect   string        `json:"expect" doc:"password that Probe takes; any other is DENIED"`
	Password sealed.Secret `json:"password" doc:"password that Probe shows"`
	Script   []Event       `json:"script" doc:"what goes wrong, and when"`
}

// New returns the connector.
func New() sdk.Connector { return connector("fake", "") }

// connector returns one that breaks a rule, or none.
func connector(name, breaks string) sdk.Connector {
	return sdk.New(sdk.Description{
		Name: name, Version: "1.0.0", Summary: "a directory in a file, hostile on demand, for tests",
		Capabilities: []sdk.Capability{
			sdk.CanRead, sdk.CanReadChanges, sdk.CanFind, sdk.CanWatch, sdk.CanCreate, sdk.CanModify, sdk.CanMove,
			sdk.CanSetEnabled, sdk.CanChangeMembership, sdk.CanChangeMembershipTogether, sdk.CanSetPassword, sdk.CanDelete,
		},
	}, func(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
		return open(settings, log, breaks)
	})
}

// A System is the directory as this process sees it.
type System struct {
	settings Settings
	breaks   string // the rule that it breaks, see Rogue; none if empty
	log      *slog.Logger
	script   *script

	mu        sync.Mutex
	journal   *journal
	passwords int           // given out
	changed   chan struct{} // closed and renewed by every change
}

func open(settings Settings, log *slog.Logger, breaks string) (*System, error) {
	j, err := openJournal(settings.State)
	if err != nil {
		return nil, sdk.Invalid(fmt.Sprintf("the state file %s cannot be opened", settings.State),
			"Name a file in a folder that exists.").From(err)
	}
	s := &System{settings: settings, breaks: breaks, log: log, journal: j, changed: make(chan struct{})}
	s.script = &script{events: settings.Script, log: log, count: s.count}
	if len(j.objects) == 0 {
		if err := s.populate(); err != nil {
			return nil, err
		}
	}
	if err := s.script.run("open", func() error { return nil }); err != nil {
		return nil, err
	}
	return s, nil
}

// populate fills an empty directory.
func (s *System) populate() error {
	for i := range s.settings.Users {
		n := strconv.Itoa(i + 1)
		err := s.journal.add(entry{Object: &object{Class: "user", ID: "user-" + n, Address: "staff/User " + n,
			Attributes: map[string][]string{"login": {"u" + n}, "displayName": {"User " + n}, "enabled": {"true"}}}})
		if err != nil {
			return err
		}
	}
	for i := range s.settings.Groups {
		n := strconv.Itoa(i + 1)
		err := s.journal.add(entry{Object: &object{Class: "group", ID: "group-" + n, Address: "groups/Group " + n,
			Attributes: map[string][]string{"login": {"g" + n}, "displayName": {"Group " + n}}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// Close lets go of the state file.
func (s *System) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// Probe resolves nothing and connects to nowhere, but checks the password.
func (s *System) Probe(_ context.Context, _ []string, steps *sdk.Steps) {
	steps.Try("connect to "+s.settings.Server, func() (string, error) {
		return fmt.Sprintf("process %d", os.Getpid()), s.script.run("probe", func() error { return nil })
	})
	steps.Try("bind", func() (string, error) {
		if s.settings.Expect != "" && s.settings.Expect != s.settings.Password.Reveal() {
			return "", sdk.Denied("the password is not the one expected", "Give it again with `drawbridge-agent secret set`.")
		}
		return "", nil
	})
}

// Schema returns the classes user and group.
func (s *System) Schema(context.Context) ([]*connectorv1.Class, error) {
	var classes []*connectorv1.Class
	err := s.script.run("schema", func() error {
		for name, attributes := range schema() {
			classes = append(classes, &connectorv1.Class{Name: name, Attributes: attributes})
		}
		return nil
	})
	return classes, err
}

// schema is what the directory can hold. All is new at each call: a caller
// puts it in order.
func schema() map[string][]*connectorv1.AttributeType {
	one := func(name string, t connectorv1.Type) *connectorv1.AttributeType {
		return &connectorv1.AttributeType{Name: name, Type: t, MaxLength: 64}
	}
	text, reference := connectorv1.Type_TYPE_STRING, connectorv1.Type_TYPE_REFERENCE
	many := func(name string, readOnly bool) *connectorv1.AttributeType {
		return &connectorv1.AttributeType{Name: name, Type: reference, Multi: true, ReadOnly: readOnly}
	}
	return map[string][]*connectorv1.AttributeType{
		"user": {
			one("login", text), one("displayName", text), one("givenName", text), one("surname", text),
			one("mail", text), one("title", text), one("department", text), one("employeeNumber", text),
			one("manager", reference), many("memberOf", true),
			{Name: "enabled", Type: connectorv1.Type_TYPE_BOOLEAN, ReadOnly: true},
		},
		"group": {one("login", text), one("displayName", text), many("member", true)},
	}
}
