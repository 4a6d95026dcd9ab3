package scim_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// crowd makes so many users.
func crowd(t *testing.T, p *peer, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, p.done(t, create(fmt.Sprintf("u%d@corp.example", i)), false).GetId())
	}
	return ids
}

// atOnce has many join and leave a group at the same time.
func atOnce(t *testing.T, p *peer, ids []string, join, leave []string) {
	t.Helper()
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			r := p.apply(t, membership(id, join, leave))
			if r.GetOutcome() != sdk.OutcomeDone || r.GetUnchanged() {
				t.Errorf("membership of %s = %v, %v; want a change, done", id, r.GetOutcome(), r.GetFault())
			} else if got := values(connkit.Object(t, r.GetObject()))["memberOf"]; got != strings.Join(join, "|") {
				t.Errorf("membership of %s: memberOf %q; want %q", id, got, join)
			}
		})
	}
	all.Wait()
}

// Many who join or leave a group at the same time are few requests, whether the
// server has PATCH or not; and what a server refuses to many it is asked for each.
func TestChangeMembership_together(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/Groups/") {
			time.Sleep(200 * time.Millisecond)
		}
		return false
	}
	oneByOne := func(w http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		many := strings.Contains(r.URL.Path, "/Groups/") && strings.Count(string(body), `"value":{`)+strings.Count(string(body), `{"value":`)+strings.Count(string(body), "members[") > 1
		if many {
			http.Error(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue"}`, http.StatusBadRequest)
		}
		return many
	}
	for name, test := range map[string]struct {
		opt   double.Options
		calls string
		most  int
	}{
		"patch":      {double.Options{Hook: slow}, "PATCH /Groups", 40},
		"put":        {double.Options{Hook: slow, NoPatch: true, ETag: true}, "PUT /Groups", 40},
		"one by one": {double.Options{Hook: oneByOne}, "PATCH /Groups", 2 * 80},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serveDouble(t, test.opt, nil)
			g := p.done(t, group("Staff"), false).GetId()
			ids := crowd(t, p, 40)
			atOnce(t, p, ids, []string{g}, nil)
			atOnce(t, p, ids, nil, []string{g})
			if n := p.double.Calls[test.calls]; n > test.most || n < 2 {
				t.Errorf("%d calls of %s; want some, at most %d", n, test.calls, test.most)
			}
		})
	}
}

// Once a server was seen to show the groups of users truly, groups are not
// searched any more for each; what it shows late is not believed.
func TestChangeMembership_ownGroups(t *testing.T) {
	t.Parallel()
	var stale atomic.Bool
	p := serveDouble(t, double.Options{StaleGroups: stale.Load}, nil)
	first := p.done(t, group("Staff"), false).GetId()
	second := p.done(t, group("Board"), false).GetId()
	ids := crowd(t, p, 5)
	atOnce(t, p, ids[:1], []string{first}, nil)
	before := p.double.Calls["GET /Groups"]
	atOnce(t, p, ids[1:], []string{first}, nil)
	if n := p.double.Calls["GET /Groups"] - before; n > 0 {
		t.Errorf("groups were searched %d times for 4 more members; want not at all", n)
	}
	p.done(t, membership(ids[0], []string{first}, nil), true)
	stale.Store(true)
	rogue, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, p.url+"/Groups/"+first, strings.NewReader(
		fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":%q}]}`, fmt.Sprintf("members[value eq %q]", ids[0]))))
	if err != nil {
		t.Fatal(err)
	}
	rogue.Header.Set("Authorization", "Bearer "+token)
	rogue.Header.Set("Content-Type", "application/scim+json")
	if r, err := http.DefaultClient.Do(rogue); err != nil || r.StatusCode > 299 {
		t.Fatalf("another's change = %v, %v", r, err)
	}
	atOnce(t, p, ids[:1], []string{first}, nil) // though the user still shows it
	atOnce(t, p, ids, []string{second}, []string{first})
	atOnce(t, p, ids, []string{first}, []string{second})
}
