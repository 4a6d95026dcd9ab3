package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// A cycle of the past is replayed with other documents, and explained, as it was:
// though people, accounts and the documents in force are others by now.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Apply(strings.Replace(rehearsal.Documents, "target:\n  class: user\n", "target:\n  class: user\n  scope: department != \"Guests\"\n", 1))
	api := &client.Client{URL: w.Serve(), Token: w.Token(rehearsal.Tenant, "ada")}
	guest, later := rehearsal.Worker("E1003", "Guy", "Guest", "department", "Guests"), rehearsal.Worker("E1004", "Lea", "Later", "hire_date", "2999-01-01")
	ada := func(title string) {
		w.ReadWhole("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", title), rehearsal.Worker("E1002", "Grace", "Hopper"), guest, later)
		w.Settle()
	}
	ada("Engineer")
	ada("Countess")
	ada("Chief")
	var cycles []client.Cycle
	if err := api.Items(t.Context(), "/v1/cycles?system=hr", nil, &cycles); err != nil || len(cycles) != 3 {
		t.Fatalf("cycles = %+v, %v; want three", cycles, err)
	}
	first, second := cycles[2].ID, cycles[1].ID

	document := strings.SplitAfter(rehearsal.Documents, "---\n")[1]
	other := strings.Replace(document, "    title: title\n", "    title: title + \"!\"\n", 1)
	var f client.Forecast
	if err := api.Post(t.Context(), fmt.Sprintf("/v1/cycles/%d/replay", second), client.Replay{Files: []client.File{{Name: "ad.yaml", Text: other}}}, &f); err != nil {
		t.Fatal(err)
	}
	if f.People != 1 || f.Changed != 1 || len(f.Targets) != 1 || len(f.Targets[0].Attributes) != 1 {
		t.Fatalf("replay = %+v; want one of one person changed, in one attribute", f)
	}
	if e := f.Targets[0].Attributes[0].Examples[0]; e.Person != "E1001" || !slices.Equal(e.Before, []string{"Countess"}) || !slices.Equal(e.After, []string{"Countess!"}) {
		t.Errorf("replay = %+v; want Countess!, where the cycle made it Countess", e)
	}
	if err := api.Post(t.Context(), fmt.Sprintf("/v1/cycles/%d/replay", second), client.Replay{}, &f); err != nil || f.Changed != 0 {
		t.Errorf("replay by the documents of then = %+v, %v; want no difference", f, err)
	}
	if err := api.Post(t.Context(), fmt.Sprintf("/v1/cycles/%d/replay", first), client.Replay{Files: []client.File{{Name: "ad.yaml", Text: document}}}, &f); err != nil || f.Changed != 1 ||
		f.Targets[0].Classes[0].Class != "create" || f.Targets[0].Classes[0].Examples[0].Person != "E1003" {
		t.Errorf("replay without the scope = %+v, %v; want an account made for the guest", f, err)
	}

	hr := strings.Replace(strings.SplitAfter(rehearsal.Documents, "---\n")[0], "    title: title\n", "    title: upper(title)\n", 1)
	if err := api.Post(t.Context(), fmt.Sprintf("/v1/cycles/%d/replay", second), client.Replay{Files: []client.File{{Name: "hr.yaml", Text: hr}}}, &f); err != nil || f.Changed != 1 || len(f.Targets) != 1 {
		t.Fatalf("replay by another document of the source = %+v, %v; want one changed", f, err)
	}
	if e := f.Targets[0].Attributes[0].Examples[0]; e.Person != "E1001" || !slices.Equal(e.Before, []string{"Countess"}) || !slices.Equal(e.After, []string{"COUNTESS"}) {
		t.Errorf("replay by another document of the source = %+v; want what it makes of the record of then", e)
	}

	hr = strings.Replace(hr, "  key: employee_id\n", "  key: '\"X\" + employee_id'\n", 1) // not the key of the settings
	if err := api.Post(t.Context(), fmt.Sprintf("/v1/cycles/%d/replay", second), client.Replay{Files: []client.File{{Name: "hr.yaml", Text: hr}}}, &f); err != nil ||
		!slices.ContainsFunc(f.Summary, func(line string) bool { return strings.HasPrefix(line, "1 records say another key") }) {
		t.Errorf("replay by another key = %q, %v; want it to say that whose the record would be is not replayed", f.Summary, err)
	}

	past := func(cycle int64, key string) (account client.TriedAccount) {
		t.Helper()
		var trial client.Trial
		if err := api.Get(t.Context(), fmt.Sprintf("/v1/cycles/%d/people/%s", cycle, key), nil, &trial); err != nil || len(trial.Accounts) != 1 {
			t.Fatalf("%s in cycle %d = %+v, %v; want an account", key, cycle, trial, err)
		}
		return trial.Accounts[0]
	}
	why := past(second, "E1001")
	i := slices.IndexFunc(why.Values, func(v client.TriedValue) bool { return v.Attribute == "title" })
	if v := why.Values[i]; !slices.Equal(v.Now, []string{"Engineer"}) || !slices.Equal(v.Values, []string{"Countess"}) || !v.Changes || v.Inputs[0] != (client.Term{Name: "title", Value: "Countess"}) {
		t.Errorf("why this value = %+v; want Engineer made Countess, because of title", v)
	}
	var whole client.Trial
	if err := api.Get(t.Context(), fmt.Sprintf("/v1/cycles/%d/people/E1001", second), nil, &whole); err != nil || len(whole.Records) != 1 ||
		!slices.ContainsFunc(whole.Records[0].Columns, func(c client.Term) bool { return c.Name == "title" && c.Value == "Countess" }) {
		t.Errorf("records = %+v, %v; want what the row said then", whole.Records, err)
	}
	if skipped := past(first, "E1003"); skipped.Scope == nil || skipped.Scope.Values[0] != "false" || len(skipped.Steps) != 0 {
		t.Errorf("why skipped = %+v; want the scope that is false", skipped)
	}
	if notYet := past(first, "E1004"); len(notYet.Alarms) == 0 || notYet.Alarms[0].At.Year() != 2998 || len(notYet.Steps) != 0 {
		t.Errorf("why not yet = %+v; want the instant a week before the start", notYet)
	}
	if err := api.Get(t.Context(), fmt.Sprintf("/v1/cycles/%d/people/E1002", second), nil, nil); err == nil || !strings.Contains(err.Error(), "did not touch") {
		t.Errorf("somebody whom the cycle did not touch: %v; want a refusal that says so", err)
	}
}
