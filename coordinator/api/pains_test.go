package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A watcher is somebody who looks at a world by its API.
type watcher struct {
	*client.Client
	t *testing.T
	w *rehearsal.World
}

func watching(t *testing.T) watcher {
	w := populated(t)
	return watcher{&client.Client{URL: w.Serve(), Token: w.Token(rehearsal.Tenant, "ada")}, t, w}
}

func (a watcher) items(path string, list any) {
	a.t.Helper()
	if err := a.Items(a.t.Context(), path, nil, list); err != nil {
		a.t.Fatal(err)
	}
}

func (a watcher) post(path string, in any) {
	a.t.Helper()
	if err := a.Post(a.t.Context(), path, in, nil); err != nil {
		a.t.Fatal(err)
	}
}

// exchange gives the exact request and answer of what is linked to.
func (a watcher) exchange(job int64) (request, answer string) {
	a.t.Helper()
	if job == 0 {
		a.t.Fatal("no job is linked to")
	}
	var j client.JobDetail
	if err := a.Get(a.t.Context(), fmt.Sprintf("/v1/jobs/%d", job), nil, &j); err != nil {
		a.t.Fatal(err)
	}
	squeeze := func(text json.RawMessage) string { return strings.Join(strings.Fields(string(text)), "") }
	return squeeze(j.Request), squeeze(j.Answer)
}

// Pain 3: whatever is held leads to the exact request and answer, and one request has it tried again.
func TestPain03_everyHoldLeadsToRequestAndAnswer(t *testing.T) {
	t.Parallel()
	a := watching(t)
	w := a.w

	// An object that the system refuses.
	w.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
		if op.GetModify() == nil {
			return 0, nil
		}
		return connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "the title is refused", Attribute: "title", NextStep: "correct it", Raw: "0000200B: CONSTRAINT_ATT_TYPE"}
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess", "manager_id", "E1002"))
	w.Settle()
	var problems []client.Obstacle
	a.items("/v1/problems", &problems)
	if len(problems) != 1 {
		t.Fatalf("problems = %+v; want that of the title", problems)
	}
	request, answer := a.exchange(problems[0].Job)
	if !strings.Contains(request, `"want":["Countess"]`) || !strings.Contains(answer, "0000200B:CONSTRAINT_ATT_TYPE") {
		t.Errorf("request %s, answer %s; want the value, and the system's own words", request, answer)
	}
	var shown client.Person
	if err := a.Get(t.Context(), "/v1/people/e1001", nil, &shown); err != nil || shown.Accounts[0].Problem == nil || shown.Accounts[0].Problem.Job != problems[0].Job {
		t.Errorf("the person's page: %+v, %v; want the same link", shown.Accounts, err)
	}
	w.Refuse = nil
	a.post("/v1/problems/retry", client.Retry{Person: "e1001", System: "corp-ad"})
	w.Settle()
	if a.items("/v1/problems", &problems); len(problems) != 0 {
		t.Errorf("tried again: %+v; want nothing in the way", problems)
	}

	// A class of change.
	w.Read("hr", rehearsal.Workers(20)...)
	w.Settle()
	w.Read("hr", rehearsal.Workers(8, "status", "T")...)
	w.Settle()
	var held []client.Held
	a.items("/v1/held", &held)
	if len(held) != 2 || held[0].Class != "disable" || len(held[0].Jobs) != 8 {
		t.Fatalf("%d classes are held; want 8 disables, and the moves behind them", len(held))
	}
	if request, _ = a.exchange(held[0].Jobs[0].ID); !strings.Contains(request, `"setEnabled":{`) {
		t.Errorf("a held change asks for %s", request)
	}
	a.post("/v1/held/reject", client.Decision{Class: "disable"})
	if a.items("/v1/problems", &problems); len(problems) != 8 {
		t.Fatalf("%d problems after rejecting; want the 8", len(problems))
	}
	if request, _ = a.exchange(problems[0].Job); !strings.Contains(request, `"setEnabled":{`) {
		t.Errorf("a rejected change asked for %s", request)
	}
	a.post("/v1/problems/retry", client.Retry{System: "corp-ad"})
	w.Settle()
	if a.items("/v1/held", &held); len(held) != 2 {
		t.Errorf("tried again: %d classes are held; want them as before", len(held))
	}
	a.post("/v1/held/approve", client.Decision{Class: "disable"})
	if w.Settle() < 8 {
		t.Error("what was approved was not done")
	}

	// A read.
	cycle := w.ReadWhole("hr", rehearsal.Workers(18, "department", "")...)
	if cycle.State != store.CycleHeld {
		t.Fatalf("the read is %s; want it held", cycle.State)
	}
	if request, _ = a.exchange(cycle.ID); request == "" {
		t.Error("a held read has no request")
	}
	a.post(fmt.Sprintf("/v1/cycles/%d/reject", cycle.ID), nil)
	a.post("/v1/systems/hr/run", client.Run{})

	// A system.
	var probe int64
	w.Write(func(tx *store.Tx) error {
		jobs := []store.Job{{Tenant: rehearsal.Tenant, Site: rehearsal.Site, System: "corp-ad", Class: "probe", State: store.JobQueued, Work: []byte{}}}
		err := tx.AddJobs(jobs)
		probe = jobs[0].ID
		return err
	})
	w.Finish(&linkv1.Result{Job: uint64(probe), Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: &connectorv1.Fault{Cause: "no route", NextStep: "Look.", Raw: "dial tcp 10.0.0.1:636: no route to host"}})
	var health client.Health
	if err := a.Get(t.Context(), "/v1/health", nil, &health); err != nil {
		t.Fatal(err)
	}
	for _, v := range health.Systems {
		if v.System != "corp-ad" {
			continue
		}
		if _, answer = a.exchange(v.Job); v.State != "failing" || !strings.Contains(answer, "noroutetohost") {
			t.Errorf("corp-ad is %s, and the answer was %s", v.State, answer)
		}
	}
	a.post("/v1/systems/corp-ad/test", nil)
	w.Settle()
	if state := a.system("corp-ad").State; state == "failing" {
		t.Errorf("corp-ad is %s after a test that worked", state)
	}
}

func (a watcher) system(name string) client.System {
	a.t.Helper()
	var st client.Status
	if err := a.Get(a.t.Context(), "/v1/status", nil, &st); err != nil {
		a.t.Fatal(err)
	}
	for _, y := range st.Systems {
		if y.Name == name {
			return y
		}
	}
	a.t.Fatalf("no system %s", name)
	return client.System{}
}

// Pain 4: an agent that is up and says that all is well does not make a system
// work: what was last done from end to end does. Whoever asks is told, and the
// home page, which people are notified of, says so too.
func TestPain04_healthIsWhatWorkedFromEndToEnd(t *testing.T) {
	t.Parallel()
	a := watching(t)
	w := a.w
	w.Write(func(tx *store.Tx) error { // as the agent says with each sign of life
		return tx.SetHealth(rehearsal.Tenant, "corp-ad", `{"system":"corp-ad","ready":true}`)
	})
	check := func(outcome connectorv1.Outcome, fault *connectorv1.Fault) {
		t.Helper()
		a.post("/v1/systems/corp-ad/test", nil)
		jobs := w.Claim(10)
		if len(jobs) != 1 || jobs[0].GetProbe() == nil {
			t.Fatalf("%d jobs, %v; want the check", len(jobs), jobs)
		}
		w.Finish(&linkv1.Result{Job: jobs[0].GetId(), Outcome: outcome, Fault: fault})
	}
	check(connectorv1.Outcome_OUTCOME_DONE, nil)
	good := a.system("corp-ad")
	if good.State != "ready" || good.Good.IsZero() || good.Checked != good.Good {
		t.Fatalf("after a good check: %s, checked %v, worked %v; want ready", good.State, good.Checked, good.Good)
	}
	check(connectorv1.Outcome_OUTCOME_UNAVAILABLE, &connectorv1.Fault{Cause: "no domain controller answers the bind", NextStep: "look at the firewall"})
	y := a.system("corp-ad")
	if y.State != "failing" || y.Fault == nil || y.Fault.Cause != "no domain controller answers the bind" || y.Good != good.Good || !y.Checked.After(good.Checked) || y.CheckJob == good.CheckJob {
		t.Errorf("although the agent says ready: %+v; want it failing, why, since when, and by which check", y)
	}
	var home client.Home
	if err := a.Get(t.Context(), "/v1/home", nil, &home); err != nil || home.Verdict != "bad" || home.Systems.Failing != 1 ||
		len(home.Points) == 0 || home.Points[0].What != "system" || !strings.Contains(home.Points[0].Text, "no domain controller answers the bind") {
		t.Errorf("home = %+v, %v; want it bad, and why", home, err)
	}
	check(connectorv1.Outcome_OUTCOME_DONE, nil)
	if y := a.system("corp-ad"); y.State != "ready" || y.Fault != nil {
		t.Errorf("after the next good check: %+v; want ready", y)
	}
}

// Pain 5: whatever a connector leaves out, whoever must act is told what happened,
// to which object and attribute, how long the value was, and what to do next.
func TestPain05_whatIsRefusedSaysAll(t *testing.T) {
	t.Parallel()
	for what, row := range map[string]struct {
		outcome connectorv1.Outcome
		fault   *connectorv1.Fault
		kind    string
	}{
		"all":              {connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "title is too long", NextStep: "shorten it", Object: "CN=Ada Lovelace", Attribute: "TITLE"}, "invalid"},
		"nothing at all":   {connectorv1.Outcome_OUTCOME_INVALID, nil, "invalid"},
		"no cause":         {connectorv1.Outcome_OUTCOME_DENIED, &connectorv1.Fault{Attribute: "title"}, "denied"},
		"an object's id":   {connectorv1.Outcome_OUTCOME_DENIED, &connectorv1.Fault{Cause: "no", NextStep: "ask", Object: "<GUID=guid-0001>", Attribute: "title"}, "denied"},
		"a place not here": {connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Attribute: "title", Raw: "0000200B"}, "invalid"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a := watching(t)
			a.w.Refuse = func(*connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) { return row.outcome, row.fault }
			a.w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Gräfin"))
			a.w.Settle()
			var list []client.Obstacle
			if a.items("/v1/problems", &list); len(list) != 1 || list[0].Kind != row.kind {
				t.Fatalf("problems = %+v; want one, %s", list, row.kind)
			}
			f := list[0].Fault
			if f.Cause == "" || f.NextStep == "" || !strings.HasPrefix(f.Object, "CN=Ada Lovelace") {
				t.Errorf("%+v; want cause, next step and the object as people know it", f)
			}
			if want := row.fault.GetAttribute() != ""; (f.Attribute != "") != want || want && f.Length != 6 {
				t.Errorf("%+v; want the attribute and the 6 characters of its value", f)
			}
		})
	}
}
