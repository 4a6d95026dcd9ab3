// Package scim is the connector for applications that speak SCIM 2.0 (RFC 7643,
// RFC 7644): users, groups and whatever other resources a server describes.
//
//	discovery ─► ServiceProviderConfig, ResourceTypes, Schemas ─► types: flat attributes
//	read         pages (index or cursor) ─► one resource at a time ─► shape ─► sink
//	changes      filter by meta.lastModified from a watermark on
//	create       one POST; what an earlier attempt made is found by the anchor
//	modify       GET ─► compare ─► PATCH or PUT with If-Match
//	groups       PATCH of members, several groups as one bulk request
//
// The parts of complex attributes are flat attributes named by their SCIM path:
// name.givenName, emails[type eq "work"].value, urn:…:User:department. Besides
// what the schemas have there are `enabled` (active, or true where there is no
// such) and `memberOf`, the native ids of the groups that a user is in.
//
// What may go wrong, and what then is done:
//
//   - Pages shift while others edit: each page begins with the last object of
//     the one before; where that is not so, earlier pages are read again. What
//     comes twice is given once.
//   - Somebody changes an object between GET and PATCH: If-Match refuses (412),
//     and it is compared again. Where the server has no versions the gap is as
//     short as one request.
//   - The answer to a create is lost: UNKNOWN; the next attempt meets a name
//     that is taken, and finds its own object by the anchor. Where the server
//     does not keep names apart, the anchor is looked for first.
//   - The server deviates: dialect.go has the differences as data.
//
// What is not here: HTTP, signing in and rates (plugins/sdk/web), paths and
// filters (path), and the server that tests speak to (double, scimmy).
package scim

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// New returns the connector.
func New() sdk.Connector {
	return sdk.New(sdk.Description{
		Name: "scim", Version: "0.1.0",
		Summary: "Users and groups of an application that speaks SCIM 2.0",
		Capabilities: []sdk.Capability{
			sdk.CanRead, sdk.CanReadChanges, sdk.CanFind, sdk.CanCreate, sdk.CanModify,
			sdk.CanSetEnabled, sdk.CanChangeMembership, sdk.CanChangeMembershipTogether, sdk.CanSetPassword, sdk.CanDelete,
		},
	}, open)
}

func open(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
	client, err := web.New(web.Options{
		URL: settings.URL, Connection: settings.Connection, Auth: settings.Auth, Secrets: settings.secrets(),
		Accept: "application/scim+json, application/json", Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &System{
		settings: settings, dialect: dialects()[settings.Dialect].with(settings.Deviations), client: client, log: log,
		members: sdk.NewBatcher[string, membership, struct{}](membersAtOnce),
	}, nil
}

// A System is one server.
type System struct {
	settings Settings
	dialect  Dialect
	client   *web.Client
	log      *slog.Logger

	locks    [256]sync.Mutex                            // of objects, by hash of their native id
	members  *sdk.Batcher[string, membership, struct{}] // by native id of the group
	changing atomic.Int32                               // changes of memberships under way

	mu      sync.Mutex
	service *service    // what the server says of itself; nil until asked
	wholly  atomic.Bool // the server turned out not to return some attributes alone
}

// Close lets go of connections.
func (s *System) Close() error {
	s.client.Close()
	return nil
}

// Schema asks the server anew: people change it.
func (s *System) Schema(ctx context.Context) ([]*connectorv1.Class, error) {
	known, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.service = known
	s.mu.Unlock()
	classes := make([]*connectorv1.Class, len(known.types))
	for i, t := range known.types {
		classes[i] = t.class()
	}
	return classes, nil
}

// known returns what the server says of itself, which is asked once.
func (s *System) known(ctx context.Context) (*service, error) {
	s.mu.Lock()
	defer s.mu.Unlock() // who comes meanwhile needs it, too
	if s.service == nil {
		known, err := s.discover(ctx)
		if err != nil {
			return nil, err
		}
		s.service = known
	}
	return s.service, nil
}

// typeOf returns a class of objects.
func (s *System) typeOf(ctx context.Context, class string) (*service, *resourceType, error) {
	known, err := s.known(ctx)
	if err != nil {
		return nil, nil, err
	}
	if t := known.resourceType(class); t != nil {
		return known, t, nil
	}
	return nil, nil, sdk.Invalid(s.client.Host()+" has no resources of the type "+class, "Correct the class in the mapping; there are: "+known.names()+".")
}

// mediaType of bodies.
func (s *System) mediaType() string {
	if s.dialect.MediaType == "json" {
		return "application/json"
	}
	return "application/scim+json"
}

// call sends a request that is answered by one resource or nothing, and
// returns it with the version by which it can be compared.
func (s *System) call(ctx context.Context, r web.Request) (resource, error) {
	r.Type = s.mediaType()
	answer, err := s.client.Do(ctx, r)
	if err != nil {
		return resource{}, err
	}
	if answer.Status >= 300 {
		return resource{}, s.refusal(answer, r)
	}
	version, location := answer.Header.Get("ETag"), answer.Header.Get("Location")
	text, err := answer.Bytes()
	if err != nil || answer.Status == http.StatusNoContent || len(text) == 0 {
		return resource{location: location}, err
	}
	got, err := s.parse(text, r)
	if err != nil {
		return resource{}, err
	}
	got.location = location
	if v := got.text("meta.version"); v != "" {
		version = v
	}
	got.version = version
	return got, nil
}
