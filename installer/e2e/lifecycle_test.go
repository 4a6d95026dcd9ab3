package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// crowd is how many others there are: enough that what happens to single
// people stays below the thresholds.
const crowd = 60

// A worker as HR would write one that nothing is special about.
func worker(id, first, last, department string) workers.Worker {
	return workers.Worker{EmployeeID: id, FirstName: first, LastName: last, Title: "Analyst", Department: department,
		Location: "Berlin", Phone: "+49 30 1234567", HireDate: "2020-03-01", Status: "A"}
}

// The life of people, from the row in the HR file to the directory: each part
// goes on from where the one before it has left everything.
func TestLifecycle(t *testing.T) {
	onEachDomain(t, func(t *testing.T, s *stage.Stage) {
		if err := s.Seed(
			stage.Existing{Name: "Ida Long-Before", SAM: "ida", EmployeeID: "E7"},
			stage.Existing{Name: "Twin One", SAM: "twin1", EmployeeID: "E8"},
			stage.Existing{Name: "Twin Two", SAM: "twin2", EmployeeID: "E8"},
		); err != nil {
			t.Fatal(err)
		}
		if err := s.Configure(t.Context()); err != nil {
			t.Fatal(err)
		}
		parts := []struct {
			name string
			play func(*testing.T, *stage.Stage)
		}{
			{"hire", hire}, {"change", change}, {"marriage", marriage}, {"move", move}, {"manager later", managerLater},
			{"leave", leave}, {"termination at an instant", terminationAtAnInstant}, {"rehire", rehire},
			{"future hire", futureHire}, {"half a file", halfAFile}, {"undone", undone}, {"explained", explained}, {"deleted in the end", deletedInTheEnd},
		}
		for _, part := range parts {
			if !t.Run(part.name, func(t *testing.T) { part.play(t, s) }) {
				return
			}
		}
	})
}

func hire(t *testing.T, s *stage.Stage) {
	ana := worker("E2", "Ana", "Lopes", "Sales")
	ana.ManagerID = "E1"
	s.File.Put(worker("E1", "Jürgen", "Großmann", "Sales"), ana,
		worker("E3", "Ana", "Lopes", "Legal"), // the same name
		worker("E4", "Zoë", "O'Brien, Jr. #1 (Zoë) *", "Research"),
		worker("E7", "Ida", "Long-Before", "Finance"),
		worker("E8", "Twin", "One", "Finance"),
		worker("E9", "Otto", "Contractor", "Contractors"))
	for i := range crowd {
		s.File.Put(workers.At(i))
	}
	export(t, s)

	want(t, s, "E1", map[string]string{"dn": "CN=Jürgen Großmann,OU=Sales,OU=Staff", "enabled": "true", "sAMAccountName": "jgrossmann",
		"userPrincipalName": "jurgen.grossmann@corp.example", "mail": "jurgen.grossmann@corp.example", "givenName": "Jürgen", "sn": "Großmann",
		"title": "Analyst", "groups": "Sales staff, Staff"})
	want(t, s, "E2", map[string]string{"sAMAccountName": "alopes", "userPrincipalName": "ana.lopes@corp.example", "manager": "Jürgen Großmann"})
	want(t, s, "E3", map[string]string{"sAMAccountName": "alopes2", "userPrincipalName": "ana.lopes2@corp.example"})
	want(t, s, "E4", map[string]string{"sn": "O'Brien, Jr. #1 (Zoë) *", "cn": "Zoë O'Brien, Jr. #1 (Zoë) *", "enabled": "true"})
	want(t, s, "E7", map[string]string{"sAMAccountName": "ida", "dn": "CN=Ida Long-Before,OU=Finance,OU=Staff", "enabled": "true", "title": "Analyst"})

	if e := account(t, s, "E9"); e != nil {
		t.Errorf("a contractor, out of scope, has the account %s", e.DN)
	}
	problems, err := s.CLI(t.Context(), "problem", "list")
	if err != nil || !strings.Contains(strings.ToUpper(string(problems)), "E8") || !strings.Contains(string(problems), "ambiguous") {
		t.Errorf("problem list = %s, %v; want E8 as ambiguous", problems, err)
	}
	for i := range crowd {
		if account(t, s, workers.ID(i)) == nil {
			t.Errorf("no account has employeeID %s", workers.ID(i))
		}
	}
}

func change(t *testing.T, s *stage.Stage) {
	w := s.File.Get("E1")
	w.Title, w.Phone = "Head of Sales", ""
	s.File.Put(w)
	export(t, s)
	want(t, s, "E1", map[string]string{"title": "Head of Sales", "telephoneNumber": ""})
}

// The CN follows the name, the user name stays, the old address stays as an alias.
func marriage(t *testing.T, s *stage.Stage) {
	w := s.File.Get("E2")
	w.LastName, w.EmailAlias = "Silva", "ana.lopes@corp.example"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E2", map[string]string{"dn": "CN=Ana Silva,OU=Sales,OU=Staff", "sn": "Silva", "sAMAccountName": "alopes",
		"userPrincipalName": "ana.lopes@corp.example", "mail": "ana.silva@corp.example",
		"proxyAddresses": "SMTP:ana.silva@corp.example smtp:ana.lopes@corp.example"})
}

func move(t *testing.T, s *stage.Stage) {
	w := s.File.Get("E3")
	w.Department = "Production"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E3", map[string]string{"dn": "CN=Ana Lopes,OU=Production,OU=Staff", "department": "Production", "groups": "Production staff, Staff"})
}

func managerLater(t *testing.T, s *stage.Stage) {
	w := s.File.Get("E3")
	w.ManagerID = "E5"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E3", map[string]string{"manager": ""})
	s.File.Put(worker("E5", "Benoît", "Beaulieu", "Production"))
	export(t, s)
	want(t, s, "E3", map[string]string{"manager": "Benoît Beaulieu"})
}

func leave(t *testing.T, s *stage.Stage) {
	w := s.File.Get("E4")
	w.Status = "T"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E4", map[string]string{"enabled": "false", "groups": "", "dn": `CN=Zoë O'Brien\, Jr. #1 (Zoë) *,OU=Leavers`})
}

func terminationAtAnInstant(t *testing.T, s *stage.Stage) {
	instant := time.Now().Add(6 * time.Second)
	w := s.File.Get("E5")
	w.TermDate = instant.UTC().Format(time.RFC3339)
	s.File.Put(w)
	export(t, s)
	if time.Now().Before(instant.Truncate(time.Second)) {
		want(t, s, "E5", map[string]string{"enabled": "true"})
	}
	eventually(t, time.Until(instant)+15*time.Second, func() string {
		if e := account(t, s, "E5"); e == nil || stage.Enabled(e) || !strings.Contains(e.DN, "OU=Leavers") {
			return "E5 is not disabled and among the leavers"
		}
		return ""
	})
}

// The same account comes back: its objectGUID is what it was.
func rehire(t *testing.T, s *stage.Stage) {
	before := account(t, s, "E4")
	w := s.File.Get("E4")
	w.Status, w.Department = "A", "Service"
	s.File.Put(w)
	export(t, s)
	want(t, s, "E4", map[string]string{"enabled": "true", "groups": "Service staff, Staff", "dn": `CN=Zoë O'Brien\, Jr. #1 (Zoë) *,OU=Service,OU=Staff`})
	if after := account(t, s, "E4"); !slices.Equal(after.GetRawAttributeValue("objectGUID"), before.GetRawAttributeValue("objectGUID")) {
		t.Error("the returner got another account")
	}
}

// The account is made days ahead and opens at the instant of the first day.
func futureHire(t *testing.T, s *stage.Stage) {
	start := time.Now().Add(8 * time.Second)
	soon := worker("E6", "Frida", "Svensson", "Research")
	soon.HireDate = start.UTC().Format(time.RFC3339)
	far := worker("E10", "Göran", "Åberg", "Research")
	far.HireDate = time.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	s.File.Put(soon, far)
	export(t, s)
	if time.Now().Before(start.Truncate(time.Second)) {
		want(t, s, "E6", map[string]string{"enabled": "false"})
	}
	if e := account(t, s, "E10"); e != nil {
		t.Errorf("%s has an account 30 days ahead; the mapping says 7", e.DN)
	}
	eventually(t, time.Until(start)+15*time.Second, func() string {
		if e := account(t, s, "E6"); e == nil || !stage.Enabled(e) {
			return "E6 is not enabled"
		}
		return ""
	})
}

// A file that lost 40 % of its rows is held, not obeyed.
func halfAFile(t *testing.T, s *stage.Stage) {
	all := s.File.List()
	for _, w := range all[len(all)*6/10:] {
		s.File.Remove(w.EmployeeID)
	}
	export(t, s)
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Cycles) != 1 || status.Cycles[0].State != "held" {
		t.Errorf("cycles open or held = %+v; want one, held", status.Cycles)
	}
	for _, w := range all {
		if w.Status == "A" && w.TermDate == "" && !slices.Contains([]string{"E8", "E9", "E10"}, w.EmployeeID) {
			want(t, s, w.EmployeeID, map[string]string{"enabled": "true"})
		}
	}
	s.File.Put(all...)
	export(t, s)
}

// What was done is taken back at the directory: one change after the other (membership,
// move, disable, create), all that a cycle did, all that was done to a person; and it stays so.
func undone(t *testing.T, s *stage.Stage) {
	s.File.Put(worker("E11", "Lena", "Vogt", "Sales"), worker("E12", "Omar", "Haddad", "Sales"), worker("E13", "Pia", "Roth", "Sales"))
	export(t, s)
	omar := s.File.Get("E12")
	omar.Status = "T"
	s.File.Put(omar)
	export(t, s)
	before := map[string]string{"enabled": "true", "groups": "Sales staff, Staff", "dn": "CN=Omar Haddad,OU=Sales,OU=Staff"}
	want(t, s, "E12", map[string]string{"enabled": "false", "groups": "", "dn": "CN=Omar Haddad,OU=Leavers"})
	for _, class := range []string{"membership", "move", "disable"} {
		undo(t, s, "--job", jobOf(t, s, "E12", class))
	}
	want(t, s, "E12", before)
	undo(t, s, "--job", jobOf(t, s, "E13", "create"))
	if e := account(t, s, "E13"); e != nil {
		t.Errorf("%s is there, though its creation was undone", e.DN)
	}

	lena := s.File.Get("E11")
	lena.Department = "Production"
	s.File.Put(lena)
	export(t, s)
	moved := map[string]string{"department": "Production", "groups": "Production staff, Staff", "dn": "CN=Lena Vogt,OU=Production,OU=Staff"}
	want(t, s, "E11", moved)
	var cycles []client.Cycle
	if err := s.API.Items(t.Context(), "/v1/cycles", url.Values{"system": {stage.HR}}, &cycles); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cycles, func(c client.Cycle) bool { return c.Changed > 0 })
	if i < 0 {
		t.Fatalf("cycles = %+v; want one that changed something", cycles)
	}
	undo(t, s, "--cycle", fmt.Sprint(cycles[i].ID))
	back := map[string]string{"department": "Sales", "groups": "Sales staff, Staff", "dn": "CN=Lena Vogt,OU=Sales,OU=Staff"}
	want(t, s, "E11", back)

	since := time.Now()
	lena.Title, lena.Phone = "Head of Production", ""
	s.File.Put(lena)
	export(t, s)
	want(t, s, "E11", map[string]string{"title": "Head of Production", "telephoneNumber": ""})
	undo(t, s, "--person", "E11", "--since", since.UTC().Format(time.RFC3339Nano)) // the undo before is hardly a second old
	want(t, s, "E11", map[string]string{"title": "Analyst", "telephoneNumber": "+49 30 1234567"})
	export(t, s)
	want(t, s, "E11", back)
	want(t, s, "E12", before)
	for _, id := range []string{"E11", "E12", "E13"} {
		s.File.Remove(id)
	}
	export(t, s)
}

// undo undoes what the arguments say, by the command line, and waits until it is done.
func undo(t *testing.T, s *stage.Stage, args ...string) {
	t.Helper()
	out, err := s.CLI(t.Context(), append([]string{"undo", "-o", "json"}, args...)...)
	var plan client.Plan
	if err != nil || json.Unmarshal(out, &plan) != nil || plan.Hash == "" {
		t.Fatalf("undo %v = %s, %v; want a sealed plan", args, out, err)
	}
	if out, err := s.CLI(t.Context(), "plan", "approve", fmt.Sprint(plan.ID), "--hash", plan.Hash); err != nil {
		t.Fatalf("approving the undo of %v: %v\n%s", args, err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Settle(ctx, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// jobOf gives the number of the latest done job of a class for somebody.
func jobOf(t *testing.T, s *stage.Stage, key, class string) string {
	t.Helper()
	jobs, err := s.Jobs(t.Context(), url.Values{"person": {key}, "class": {class}, "state": {"done"}})
	if err != nil || len(jobs) == 0 {
		t.Fatalf("no %s of %s is done: %v", class, key, err)
	}
	return fmt.Sprint(jobs[0].ID)
}

// person show names for each value the row, the rule, and when it was written.
func explained(t *testing.T, s *stage.Stage) {
	out, err := s.CLI(t.Context(), "person", "show", "E2")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Ana Silva", "sAMAccountName", "alopes", "last_name", "userPrincipalName", "firstUnique", "written"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("person show says nothing of %q:\n%s", word, out)
		}
	}
}

func deletedInTheEnd(t *testing.T, s *stage.Stage) {
	_, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	ad = strings.Replace(ad, "delete: 90d after end", "delete: 5s after end", 1)
	if err := s.Apply(t.Context(), "corp-ad.yaml", ad); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() string {
		if e := account(t, s, "E5"); e != nil {
			return fmt.Sprintf("%s, who left, is still there", e.DN)
		}
		return ""
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Settle(ctx, time.Time{}); err != nil {
		t.Error(err)
	}
}
