package api_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A release is put in whole before a ring is moved to it, is in the audit, and
// stays for as long as a ring is to have it; what an agent makes of it is shown,
// also to whoever asks what needs somebody.
func TestReleases(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	refused := func(what string, err error, status int) {
		t.Helper()
		p := (*client.Problem)(nil)
		if !errors.As(err, &p) || p.Status != status {
			t.Errorf("%s: %v; want %d", what, err, status)
		}
	}
	file := string(aRelease(t))
	refused("no release", c.Post(t.Context(), "/v1/releases", client.NewRelease{File: "{}"}, nil), 422)
	var r client.Release
	if err := c.Post(t.Context(), "/v1/releases", client.NewRelease{File: file}, &r); err != nil || r.Version != "1.0.0" || r.Complete {
		t.Fatalf("put in: %+v, %v; want 1.0.0 without its executable", r, err)
	}
	refused("a ring before the executable is here", c.Post(t.Context(), "/v1/rings/canary", client.RingVersion{Version: "1.0.0"}, nil), 409)
	refused("another release of the version", c.Post(t.Context(), "/v1/releases", client.NewRelease{File: string(aRelease(t))}, nil), 409)
	part := "/v1/releases/1.0.0/executables/" + executable + "/0"
	refused("what was not signed", c.Put(t.Context(), strings.Replace(part, "2d71", "2d72", 1), []byte("x")), 404)
	refused("too much", c.Put(t.Context(), part, []byte("xy")), 422)
	for range 2 { // again, as after a cut
		if err := c.Put(t.Context(), part, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Post(t.Context(), "/v1/releases", client.NewRelease{File: file}, &r); err != nil || !r.Complete {
		t.Errorf("put in again: %+v, %v; want it complete", r, err)
	}
	refused("a ring to what is not here", c.Post(t.Context(), "/v1/rings/canary", client.RingVersion{Version: "1.0.1"}, nil), 404)
	var ring client.RingState
	if err := c.Post(t.Context(), "/v1/rings/canary", client.RingVersion{Version: "1.0.0"}, &ring); err != nil || ring.Version != "1.0.0" || ring.Agents != 0 {
		t.Errorf("ring %+v, %v; want it moved, without agents", ring, err)
	}
	refused("removing what a ring is to have", c.Post(t.Context(), "/v1/releases/1.0.0/remove", nil, nil), 409)

	w.Write(func(tx *store.Tx) error {
		return tx.SetUpdate(rehearsal.Tenant, rehearsal.Agent, store.Update{State: "failed", Version: "1.0.0", Cause: "it ended 3 times", Previous: "0.9.0"}, "canary")
	})
	var a client.Agent
	if err := c.Get(t.Context(), "/v1/agents/"+rehearsal.Agent, nil, &a); err != nil || a.Update == nil || a.Update.Cause != "it ended 3 times" || a.Ring != "canary" {
		t.Errorf("agent %+v, %v; want why it took the release back", a, err)
	}
	var rings []client.RingState
	if err := c.Items(t.Context(), "/v1/rings", nil, &rings); err != nil || len(rings) != 1 || len(rings[0].TookBack) != 1 || rings[0].Agents != 1 || rings[0].Updated != 1 { // it says that it is 1.0.0
		t.Errorf("rings %+v, %v; want that one agent took it back", rings, err)
	}
	var home client.Home
	if err := c.Get(t.Context(), "/v1/home", nil, &home); err != nil || !strings.Contains(fmt.Sprint(home.Points), "took release 1.0.0 back: it ended 3 times") {
		t.Errorf("home %+v, %v; want that somebody look at it", home.Points, err)
	}
	var stopped client.RingState
	if err := c.Post(t.Context(), "/v1/rings/canary", client.RingVersion{}, &stopped); err != nil || stopped.Version != "" {
		t.Errorf("ring %+v, %v; want it to have none", stopped, err)
	}
	if err := c.Post(t.Context(), "/v1/releases/1.0.0/remove", nil, nil); err != nil {
		t.Error(err)
	}
	var log []client.Audited
	if err := c.Items(t.Context(), "/v1/audit", url.Values{"outcome": {"done"}}, &log); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"add-release 1.0.0", "send-executable 1.0.0", "move-ring ring canary", "remove-release 1.0.0"} {
		found := false
		for _, line := range log {
			found = found || line.Action+" "+line.Object == want
		}
		if !found {
			t.Errorf("%q is not in the audit", want)
		}
	}
}

// A coordinator that knows who signs releases takes none of anybody else.
func TestReleases_ofKnownKeys(t *testing.T) {
	t.Parallel()
	w := populated(t)
	mine := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))
	knowing := w.API()
	knowing.Releases = []ed25519.PublicKey{mine.Public().(ed25519.PublicKey)}
	server := httptest.NewServer(knowing.Handler())
	t.Cleanup(server.Close)
	c := &client.Client{URL: server.URL, Token: w.Token(rehearsal.Tenant, "tester")}
	p := (*client.Problem)(nil)
	if err := c.Post(t.Context(), "/v1/releases", client.NewRelease{File: string(aRelease(t))}, nil); !errors.As(err, &p) || p.Status != 422 || !strings.Contains(p.Detail, "none of the keys") {
		t.Errorf("put in: %v; want that none of the keys has signed it", err)
	}
}
