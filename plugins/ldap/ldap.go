// Package ldap is the connector for LDAPv3 directories: OpenLDAP, 389 Directory
// Server and FreeIPA, OpenDJ and their like.
//
//	Read, Find   paged search ─► flat BER ─► shape: types, DNs as native ids ─► sink
//	Changes      syncrepl, or a census of ids and times, says which objects
//	             changed ─► they are read whole ─► sink (changes.go)
//	Create …     check against the schema ─► id to DN ─► one request, which fails
//	             if the object is not as expected ─► read back ─► result
//
// Native ids are entryUUIDs, or what the directory has instead (identity.go).
// Requests name objects by DN, so an id is looked up first; between the two
// another object may get the DN. Where the server takes assertions (RFC 4528),
// every write asserts the id, and what the object held when it was read.
//
// What may go wrong: a server is away (the next one is pinned, package dc), a
// connection breaks within a write (UNKNOWN, package session), the server
// refuses (package fault, and faults.go for what OpenLDAP says its own way), a
// part of the tree is elsewhere (a referral: reported, see read.go).
//
// What is kept where: nothing beyond the process. It remembers the schema, and
// which object class a group is; a cookie holds all that changes need.
//
// What is not here: the wire (wire, ber), names and filters (dn, filter),
// choice of servers (dc), requests and repetition (session), types (schema),
// what a modify sends (change), and the guardrail, which is the agent's.
package ldap

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
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
		Name: "ldap", Version: "0.1.0",
		Summary: "People and groups of an LDAPv3 directory such as OpenLDAP",
		Capabilities: []sdk.Capability{
			sdk.CanRead, sdk.CanReadChanges, sdk.CanFind, sdk.CanCreate, sdk.CanModify, sdk.CanMove,
			sdk.CanSetEnabled, sdk.CanChangeMembership, sdk.CanChangeMembershipTogether, sdk.CanSetPassword, sdk.CanDelete,
		},
	}, open)
}

func open(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
	options, err := settings.options(log)
	if err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the settings of the system.")
	}
	s := &System{settings: settings, options: options, log: log, ids: session.NewLookups(), anchors: session.NewLookups()}
	if s.classes, err = settings.classes(); err != nil {
		return nil, sdk.Invalid(err.Error(), "Correct the filter in the settings of the system.")
	}
	s.Session = &session.Session{
		Pool: dc.New(options), Log: log, PageSize: settings.PageSize, Fault: words(settings, options.CANames).Of,
		Controls: func(*dc.Root) []wire.Control { return nil },
		Missed: func(ctx context.Context, urls []string) {
			log.DebugContext(ctx, "Part of the tree is on other servers", "urls", urls)
		},
	}
	s.members = session.NewMembers(s.Session)
	return s, nil
}

// A System is one directory.
type System struct {
	*session.Session
	settings Settings
	options  dc.Options
	classes  []class
	log      *slog.Logger
	ids      *session.Lookups
	anchors  *session.Lookups
	members  *session.Members

	mu     sync.Mutex
	schema *directory
	shapes map[string]*shape
}

// A directory is what is known of it once its schema is read. It does not
// change after that.
type directory struct {
	*schema.Schema
	id      string // attribute of the native id, or byDN
	entryDN bool   // names can be searched for
	derived bool   // memberOf is worked out from the groups
}

// classOf returns the class of a name. One that is not known is taken as the
// directory has it.
func (s *System) classOf(name string) class {
	for _, c := range s.classes {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return class{name: name, objectClasses: []string{name}, naming: "cn"}
}

// filterOf matches the objects of a class that are to be seen.
func filterOf(c class) filter.Filter {
	return filter.And(filter.Equal("objectClass", c.is()), c.filter)
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
	more := []string{"createTimestamp", "modifyTimestamp", "memberOf", "objectClass"}
	if known.id != byDN {
		more = append(more, known.id)
	}
	var list []*connectorv1.Class
	for _, c := range s.classes {
		if known.Has(c.is()) {
			extra := more
			if e := s.settings.Enabled.Attribute; e != "" && c.member == "" {
				extra = append(extra[:len(extra):len(extra)], schema.Enabled, e)
			}
			list = append(list, known.Class(c.name, c.objectClasses, extra...))
		}
	}
	return list, nil
}

// known returns what is known of the directory, which is read once.
func (s *System) known(ctx context.Context, c *dc.Conn) (*directory, error) {
	s.mu.Lock()
	known := s.schema
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	return s.readSchema(ctx, c)
}

func (s *System) readSchema(ctx context.Context, c *dc.Conn) (*directory, error) {
	read, err := schema.Read(ctx, c)
	if err != nil {
		return nil, s.Fault(err, fault.About{Server: c.Root.Server, Doing: "read the schema", Object: c.Root.SubSchema, Right: "read access"})
	}
	d := &directory{Schema: read}
	if err := s.prepare(d); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema, s.shapes = d, map[string]*shape{}
	return d, nil
}

// prepare fills in what the schema does not say.
func (s *System) prepare(d *directory) error {
	var err error
	if d.id, err = s.chooseID(d.Schema); err != nil {
		return err
	}
	for _, name := range s.settings.Binary {
		a := d.Attribute(name)
		if a == nil {
			return sdk.Invalid(fmt.Sprintf("the directory has no attribute %q, which \"binary\" names", name), "Correct \"binary\" in the settings.").At(name)
		}
		bytes := *a
		bytes.Kind = schema.Binary
		d.Set(&bytes)
	}
	if e := s.settings.Enabled.Attribute; e != "" && d.Attribute(e) == nil {
		return sdk.Invalid(fmt.Sprintf("the directory has no attribute %q, which \"enabled\" names", e), "Correct \"enabled.attribute\" in the settings, or load the overlay that has it.").At(e)
	}
	d.entryDN = d.Attribute("entryDN") != nil
	d.derived = d.Attribute(memberOf) == nil || s.groups(func(c class) bool { return strings.EqualFold(c.member, memberUID) && s.configured(c) })
	d.Set(&schema.Attribute{Name: memberOf, Kind: schema.Reference, Multi: true, ReadOnly: true})
	return nil
}

// groups tells whether one of the classes of groups is so.
func (s *System) groups(is func(class) bool) bool {
	for _, c := range s.classes {
		if c.member != "" && is(c) {
			return true
		}
	}
	return false
}

// configured tells whether a class stands in the settings.
func (s *System) configured(c class) bool {
	_, ok := s.settings.Classes[c.name]
	return ok
}

// attribute looks an attribute up, once more in a new schema if it is unknown:
// it may have been added since.
func (s *System) attribute(ctx context.Context, c *dc.Conn, name string) (*schema.Attribute, error) {
	known, err := s.known(ctx, c)
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

func fold(s string) string { return strings.ToLower(s) }
