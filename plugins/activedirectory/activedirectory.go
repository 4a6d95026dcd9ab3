// Package activedirectory is the connector for Active Directory: users, groups,
// organizational units and contacts of a domain.
//
//	Read, Find   paged search ─► flat BER ─► shape: types, references as GUIDs ─► sink
//	Changes      DirSync says which objects changed ─► they are read whole ─► sink
//	Create …     check against the schema ─► one request, written so that it fails
//	             if the object is not as expected ─► read back ─► result
//
// Native ids are objectGUIDs. An object is addressed as <GUID=…>, so that a
// rename or move by someone else does not matter, and needs no look-up.
//
// What may go wrong: a controller is away (the next one is pinned, package dc),
// a connection breaks within a write (UNKNOWN, package wire knows whether it
// was sent), or the server refuses (faults.go has the table of its codes).
//
// What is not here: the wire (wire, ber), names and filters (dn, filter),
// choice of controllers (dc), types and limits (schema), and the guardrail,
// which is the agent's.
package activedirectory

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/session"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.New(sdk.Description{
		Name: "activedirectory", Version: "0.1.0",
		Summary: "Users, groups and organizational units of an Active Directory domain, over LDAP",
		Capabilities: []sdk.Capability{
			sdk.CanRead, sdk.CanReadChanges, sdk.CanFind, sdk.CanCreate, sdk.CanModify, sdk.CanMove,
			sdk.CanSetEnabled, sdk.CanChangeMembership, sdk.CanChangeMembershipTogether, sdk.CanSetPassword, sdk.CanDelete, sdk.CanInspect,
		},
	}, open)
}

func open(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
	options, err := settings.options(log)
	if err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the settings of the system.")
	}
	filters := map[string]filter.Filter{}
	for class, text := range settings.Filters {
		f, err := filter.Parse(text)
		if err != nil {
			return nil, sdk.Invalid(err.Error(), "Correct the filter in the settings of the system.")
		}
		filters[strings.ToLower(class)] = f
	}
	s := &System{settings: settings, options: options, filters: filters, log: log, anchors: session.NewLookups()}
	s.Session = &session.Session{
		Pool: dc.New(options), Log: log, PageSize: settings.PageSize,
		Fault: words(settings, options.CANames).Of, Controls: controls,
		Missed: func(context.Context, []string) {}, // by the domain-scope control there are none
	}
	s.members = session.NewMembers(s.Session)
	return s, nil
}

// A System is one domain.
type System struct {
	*session.Session
	settings Settings
	options  dc.Options
	filters  map[string]filter.Filter // by class in lower case
	log      *slog.Logger
	anchors  *session.Lookups
	members  *session.Members

	mu     sync.Mutex
	schema *schema.Schema
	shapes map[string]*shape
}

// classes that the connector knows how to make.
var classes = []class{
	{name: "user", naming: "CN", objectClass: []string{"top", "person", "organizationalPerson", "user"}, category: "person"},
	{name: "group", naming: "CN", objectClass: []string{"top", "group"}},
	{name: "organizationalUnit", naming: "OU", objectClass: []string{"top", "organizationalUnit"}},
	{name: "contact", naming: "CN", objectClass: []string{"top", "person", "organizationalPerson", "contact"}, category: "person"},
}

type class struct {
	name        string
	naming      string // attribute of its RDN
	objectClass []string
	category    string // which tells users from computers
}

// classOf returns the class of a name. One that is not in classes is taken as
// the directory has it, with CN as its naming attribute.
func classOf(name string) class {
	for _, c := range classes {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return class{name: name, naming: "CN", objectClass: []string{name}}
}

// filterOf matches the objects of a class that are to be seen.
func (s *System) filterOf(root *dc.Root, c class) filter.Filter {
	var category filter.Filter
	if c.category != "" && root.ActiveDirectory {
		category = filter.Equal("objectCategory", c.category)
	}
	return filter.And(category, filter.Equal("objectClass", c.name), s.filters[strings.ToLower(c.name)])
}

func (s *System) base(root *dc.Root) string {
	if s.settings.Base != "" {
		return s.settings.Base
	}
	return root.Base
}

// Schema reads the classes anew, for people change them.
func (s *System) Schema(ctx context.Context) ([]*connectorv1.Class, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	known, err := s.readSchema(ctx, c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, class := range classes {
		names = append(names, class.name)
	}
	return known.Classes(names), nil
}

// knownSchema returns the schema, which is read once.
func (s *System) knownSchema(ctx context.Context, c *dc.Conn) (*schema.Schema, error) {
	s.mu.Lock()
	known := s.schema
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	return s.readSchema(ctx, c)
}

func (s *System) readSchema(ctx context.Context, c *dc.Conn) (*schema.Schema, error) {
	known, err := schema.Read(ctx, c)
	if err != nil {
		return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read the schema", Object: c.Root.Schema})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema, s.shapes = known, map[string]*shape{}
	return known, nil
}

// attribute looks an attribute up, once more in a new schema if it is unknown:
// it may have been added since.
func (s *System) attribute(ctx context.Context, c *dc.Conn, name string) (*schema.Attribute, error) {
	known, err := s.knownSchema(ctx, c)
	if err != nil {
		return nil, err
	}
	if a := known.Attribute(name); a != nil {
		return a, nil
	}
	if known, err = s.readSchema(ctx, c); err != nil {
		return nil, err
	}
	if a := known.Attribute(name); a != nil {
		return a, nil
	}
	return nil, sdk.Invalid(fmt.Sprintf("the directory has no attribute %q", name),
		"Correct the name in the mapping, or extend the schema of the directory.").At(name)
}

// Controls of MS-ADTS 3.1.1.3.4.1: DNs with their GUIDs; no references to
// other servers.
const (
	extendedDN  = "1.2.840.113556.1.4.529"
	domainScope = "1.2.840.113556.1.4.1339"
)

func controls(root *dc.Root) []wire.Control {
	controls := make([]wire.Control, 0, 4)
	if root.Supports(extendedDN) {
		// SEQUENCE { flag INTEGER }, 1: GUIDs as text
		controls = append(controls, wire.Control{OID: extendedDN, Critical: true, Value: []byte{0x30, 3, 2, 1, 1}})
	}
	if root.Supports(domainScope) {
		controls = append(controls, wire.Control{OID: domainScope})
	}
	return controls
}

// target returns the DN by which a request names the object with a native id.
func (s *System) target(ctx context.Context, id string) (string, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return "", err
	}
	_, ok := schema.ParseGUID(id)
	if !ok {
		return "", sdk.Invalid(fmt.Sprintf("%q is no native id of this system", id), "Report this as a fault of the coordinator.")
	}
	if c.Root.ActiveDirectory {
		return dn.OfID(id), nil
	}
	found, _, err := s.LookUp(ctx, wire.Search{
		Base: s.base(c.Root), Scope: wire.ScopeSubtree, Filter: filter.Equal(entryUUID, id).Bytes(), Attributes: []string{"1.1"},
	})
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fault.Gone(dn.OfID(id))
	}
	return found[0].DN, nil
}

// entryUUID is the native id where the server is no Active Directory (RFC 4530).
const entryUUID = "entryUUID"
