package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// Which agents get a new release first is said by an administrator, shown, looked for, and in the audit; and taken back.
func TestRing(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	of := func(ring string) (list []client.Agent) {
		t.Helper()
		if err := c.Items(t.Context(), "/v1/agents", url.Values{"ring": {ring}}, &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var a client.Agent
	path := "/v1/agents/" + rehearsal.Agent + "/ring"
	if err := c.Post(t.Context(), path, client.Ring{Ring: "canary"}, &a); err != nil || a.Ring != "canary" {
		t.Fatalf("set: %+v, %v", a, err)
	}
	if canary, stable := of("canary"), of("stable"); len(canary) != 1 || canary[0].ID != rehearsal.Agent || len(stable) != 0 {
		t.Errorf("in canary %+v, in stable %+v; want the agent in canary alone", canary, stable)
	}
	var log []client.Audited
	if err := c.Items(t.Context(), "/v1/audit?action=set-ring", nil, &log); err != nil || len(log) != 1 || !strings.Contains(log[0].Detail, "canary") {
		t.Errorf("audit %+v, %v; want the ring in it", log, err)
	}
	if err := c.Post(t.Context(), path, client.Ring{Ring: "Not a name"}, &a); err == nil {
		t.Error("a ring with spaces was taken")
	}
	var out client.Agent
	if err := c.Post(t.Context(), path, client.Ring{}, &out); err != nil || out.Ring != "" || len(of("canary")) != 0 {
		t.Errorf("taken out: %+v, %v", out, err)
	}
}
