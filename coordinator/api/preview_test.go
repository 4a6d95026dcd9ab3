package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// What is to be done for one person is seen before it is done, and then just that is done.
func TestPreviewPerson(t *testing.T) {
	t.Parallel()
	w := populated(t)
	api := &client.Client{URL: w.Serve(), Token: w.Token(rehearsal.Tenant, "ada")}
	preview := func() (got client.Preview) {
		t.Helper()
		if err := api.Get(t.Context(), "/v1/people/e1001/preview", nil, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if err := api.Post(t.Context(), "/v1/people/e1001/preview", nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := preview(); got.State != "looking" {
		t.Errorf("before anybody has looked: %+v; want looking", got)
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess", "manager_id", "E1002"))
	if done := w.Settle(); done != 1 { // the record is looked up
		t.Errorf("%d jobs were carried out; want the search alone", done)
	}
	got := preview()
	if got.State != "planned" || got.Plan == nil || len(got.Plan.Counts) != 1 || got.Plan.Counts[0] != (client.PlanCount{System: "corp-ad", Class: "modify", Changes: 1, Waiting: 1}) {
		t.Fatalf("preview = %+v; want a plan of one modify", got)
	}
	var changes []client.PlanChange
	if err := api.Items(t.Context(), fmt.Sprintf("/v1/plans/%d/changes", got.Plan.ID), nil, &changes); err != nil || len(changes) != 1 ||
		len(changes[0].Reasons) != 1 || changes[0].Reasons[0].Attribute != "title" || changes[0].Reasons[0].Before[0] != "Engineer" || changes[0].Reasons[0].After[0] != "Countess" {
		t.Fatalf("changes = %+v, %v; want the title, from Engineer to Countess", changes, err)
	}
	var decided client.Plan
	path := fmt.Sprintf("/v1/plans/%d/approve", got.Plan.ID)
	if err := api.Post(t.Context(), path, client.PlanDecision{}, &decided); err != nil || decided.State != "approved" || decided.By == "" {
		t.Fatalf("approving = %+v, %v", decided, err)
	}
	if err := api.Post(t.Context(), path, client.PlanDecision{}, nil); err == nil || !strings.Contains(err.Error(), "it is approved") {
		t.Errorf("approving it again: %v; want a refusal", err)
	}
	if w.Settle() == 0 {
		t.Error("what was approved was not done")
	}
	if err := api.Post(t.Context(), "/v1/people/e1001/preview", nil, nil); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := preview(); got.State != "nothing" {
		t.Errorf("once it is done: %+v; want nothing to do", got)
	}

	// And it is taken back, and stays so.
	var undo client.Plan
	if err := api.Post(t.Context(), "/v1/undo", client.Undo{Job: changes[0].ID}, &undo); err != nil || undo.Cause != fmt.Sprintf("undo of job %d", changes[0].ID) {
		t.Fatalf("undo = %+v, %v", undo, err)
	}
	if err := api.Post(t.Context(), fmt.Sprintf("/v1/plans/%d/approve", undo.ID), client.PlanDecision{Hash: undo.Hash}, nil); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	title := func() string { return w.Value("CN=Ada Lovelace,OU=Research,DC=corp,DC=example", "title") }
	if title() != "Engineer" {
		t.Errorf("title = %q; want the one before", title())
	}
	var drift []client.Drift
	if err := api.Items(t.Context(), "/v1/drift?kind=undone", nil, &drift); err != nil || len(drift) != 1 || drift[0].Attribute != "title" || drift[0].Job <= changes[0].ID {
		t.Fatalf("drift = %+v, %v; want the title, undone", drift, err)
	}
	var shown client.Person
	if err := api.Get(t.Context(), "/v1/people/e1001", nil, &shown); err != nil || len(shown.Accounts) != 1 || len(shown.Accounts[0].Drift) != 1 || shown.Accounts[0].Drift[0].Kind != "undone" {
		t.Errorf("person = %+v, %v; want their account with the title, undone", shown.Accounts, err)
	}
	if err := api.Post(t.Context(), "/v1/drift/revert", client.DriftDecision{Person: "E1001", System: "corp-ad", Attribute: "Title"}, nil); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if title() != "Countess" {
		t.Errorf("title = %q after the rules were let write again", title())
	}
}
