package scim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
)

// It keeps what every connector must, on a server that others wrote and on the
// double, there with a million users and a rate limit, too.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("scimmy", func(t *testing.T) {
		t.Parallel()
		s := scimmy.StartTest(t, scimmy.Options{Versions: true})
		conform(t, openPeer(t, s.URL, s.Token, nil), connkit.Config{})
	})
	t.Run("double", func(t *testing.T) {
		t.Parallel()
		p := serveDouble(t, double.Options{ETag: true, Bulk: true, Sort: true}, nil)
		large := httptest.NewServer(double.New(double.Options{Token: token, Made: 1_000_000, PageLimit: 1000}))
		t.Cleanup(large.Close)
		var n atomic.Int32
		busy := double.New(double.Options{Token: token, Hook: func(w http.ResponseWriter, r *http.Request) bool {
			limited := n.Add(1)%4 == 3 && r.URL.Path == "/Users"
			if limited {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
			}
			return limited
		}})
		limited := httptest.NewServer(busy)
		t.Cleanup(limited.Close)
		busy.Edit(func(d *double.Server) {
			for i := range 5 {
				d.Put("Users", map[string]any{"schemas": []any{"x"}, "userName": fmt.Sprintf("busy%d", i), "title": "Clerk", "active": true})
			}
		})
		conform(t, p, connkit.Config{
			Large:   &connkit.Large{Settings: map[string]any{"url": large.URL, "page_size": 1000}},
			Limited: &connkit.Limited{Settings: map[string]any{"url": limited.URL}, Pause: time.Second},
			Edit: connkit.Hook{Func: func(context.Context) error {
				p.double.Edit(func(d *double.Server) {
					d.Put("Users", map[string]any{"schemas": []any{"x"}, "userName": fmt.Sprintf("edited%d", n.Add(1)), "active": true})
				})
				return nil
			}},
		})
	})
}

func conform(t *testing.T, p *peer, c connkit.Config) {
	for _, name := range []string{"ann", "bea", "cem"} {
		p.done(t, create(name, "title", "Clerk"), false)
	}
	p.done(t, group("crew"), false)
	c.Connector, c.Settings, c.Secrets = "scim", p.settings, p.secrets
	c.Class, c.Attributes = "User", []string{"userName", "title", "enabled"}
	c.Create = &connkit.Create{Name: "kit-{n}", Anchor: "externalId", Enabled: true, Password: 20, Attributes: map[string]connkit.Values{
		"userName": {"kit-{n}@corp.example"}, "externalId": {"{n}"}, "name.givenName": {"Zoë"}, "name.familyName": {"O'Brien"}, `emails[type eq "work"].value`: {"kit-{n}@corp.example"}}}
	c.Samples = map[string][2]connkit.Values{
		"title": {{"Clerk"}, {"Head"}}, department: {{"Sales"}, {"Research & Development"}},
		`emails[type eq "home"].value`: {{"a@x.example"}, {"b@x.example"}}, "active": {{"true"}, {"false"}},
	}
	c.Group = &connkit.Group{Class: "Group", Attribute: "displayName", Value: "crew", ShownIn: "memberOf"}
	connkit.Test(t, c)
}
