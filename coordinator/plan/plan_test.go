package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const research = ",OU=Research,DC=corp,DC=example"

func world(t testing.TB) *rehearsal.World {
	w := rehearsal.New(t)
	w.Apply(rehearsal.Documents)
	return w
}

// jobs gives class and state of the person's jobs in the order they were made; of everybody when key is "".
func jobs(t testing.TB, w *rehearsal.World, f store.JobFilter) []string {
	t.Helper()
	var out []string
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.ListJobs(rehearsal.Tenant, f, 10_000)
		for _, j := range slices.Backward(rows) {
			out = append(out, j.Class+" "+j.State)
		}
		return err
	})
	return out
}

func tally(list []string) map[string]int {
	n := map[string]int{}
	for _, s := range list {
		n[s]++
	}
	return n
}

func TestStep_hiresInOneOperation(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	if got, want := w.Addresses(), []string{"CN=Ada Lovelace" + research}; !slices.Equal(got, want) {
		t.Fatalf("directory holds %q; want %q", got, want)
	}
	if got, want := w.Value("CN=Ada Lovelace"+research, "sAMAccountName"), "alovelace"; got != want {
		t.Errorf("sAMAccountName = %q; want %q", got, want)
	}
	if got, want := jobs(t, w, store.JobFilter{}), []string{"create done"}; !slices.Equal(got, want) {
		t.Errorf("jobs = %q; want %q", got, want)
	}
}

// The names must not depend on the order in which a source tells of people.
func TestStep_givesNamesInOrderOfKeys(t *testing.T) {
	t.Parallel()
	rows := []*connectorv1.Object{
		rehearsal.Worker("E1003", "Jane", "Doe", "department", "Sales"), rehearsal.Worker("E1001", "John", "Doe"), rehearsal.Worker("E1002", "Jim", "Doe"),
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		w := world(t)
		w.Read("hr", rows...)
		w.Write(func(tx *store.Tx) error { // whoever marks them may do it in any order
			people, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1001", "e1002", "e1003"})
			if err != nil {
				return err
			}
			ids := make([]string, 3)
			for i, at := range order {
				ids[at] = people[i].ID
			}
			return errors.Join(tx.RemoveDue(rehearsal.Tenant, ids), tx.MarkDue(rehearsal.Tenant, tx.Now, "test", ids))
		})
		w.Settle()
		got := []string{w.Value("CN=John Doe"+research, "sAMAccountName"), w.Value("CN=Jim Doe"+research, "sAMAccountName"),
			w.Value("CN=Jane Doe,OU=Sales,DC=corp,DC=example", "sAMAccountName")}
		if want := []string{"jdoe", "jdoe2", "jdoe3"}; !slices.Equal(got, want) {
			t.Errorf("read in order %v: names = %q; want %q", order, got, want)
		}
	}
}

func TestStep_waitsForTheManager(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "manager_id", "E1002"))
	w.Settle()
	if got := w.Value("CN=Ada Lovelace"+research, "manager"); got != "" {
		t.Fatalf("manager = %q before there is one", got)
	}
	w.Read("hr", rehearsal.Worker("E1002", "Charles", "Babbage"))
	w.Settle()
	if got, want := w.Value("CN=Ada Lovelace"+research, "manager"), "guid-0002"; got != want {
		t.Errorf("manager = %q; want %q", got, want)
	}
}

func TestStep_joinsTheAccountThatIsThere(t *testing.T) {
	t.Parallel()
	w := world(t)
	there := rehearsal.Object("user", "guid-9", "CN=Countess"+research, "employeeID", "E1001", "cn", "Countess", "enabled", "true")
	w.Objects["guid-9"] = there
	w.Read("corp-ad", there)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Plan()
	if mine := accountsOf(t, w, "e1001"); !slices.Contains(mine, "guid-9") {
		t.Errorf("accounts = %q; want the one that was there joined at once", mine)
	}
	w.Settle()
	if got, want := w.Addresses(), []string{"CN=Ada Lovelace" + research}; !slices.Equal(got, want) {
		t.Errorf("directory holds %q; want the account that was there, renamed: %q", got, want)
	}
}

// accountsOf gives the native ids of somebody's accounts.
func accountsOf(t testing.TB, w *rehearsal.World, key string) (ids []string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(rehearsal.Tenant, []string{key})
		if err != nil {
			return err
		}
		accounts, err := tx.AccountsOf(rehearsal.Tenant, []string{people[0].ID})
		for _, a := range accounts {
			ids = append(ids, a.ID)
		}
		return err
	})
	return ids
}

func TestStep_holdsAmbiguousMatches(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("corp-ad", rehearsal.Object("user", "g1", "CN=A"+research, "employeeID", "E1001"), rehearsal.Object("user", "g2", "CN=B"+research, "employeeID", "E1001"))
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	if got := jobs(t, w, store.JobFilter{}); len(got) != 0 {
		t.Errorf("jobs = %q; want none", got)
	}
	if got := problems(t, w); !slices.Equal(got, []string{"E1001 ambiguous"}) {
		t.Errorf("problems = %q; want one of E1001", got)
	}
}

func problems(t testing.TB, w *rehearsal.World) []string {
	t.Helper()
	var out []string
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.Problems(rehearsal.Tenant, 100)
		for _, r := range rows {
			people, err := tx.People(rehearsal.Tenant, []string{r.Person})
			if err != nil {
				return err
			}
			out = append(out, "e"+people[0].Key[1:]+" "+r.Kind)
		}
		slices.Sort(out)
		for i := range out {
			out[i] = "E" + out[i][1:]
		}
		return err
	})
	return out
}

// A harmless-looking change that would disable many must wait, and nothing else with it.
func TestStep_holdsTheClassThatBreaksItsThreshold(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	changed := rehearsal.Workers(40)[:8]
	for i, row := range changed[:6] {
		changed[i] = rehearsal.Worker(row.GetId(), fmt.Sprintf("Given%d", i+1), fmt.Sprintf("Family%d", i+1), "status", "T")
	}
	changed[6] = rehearsal.Worker("E0007", "Given7", "Family7", "title", "Chief")
	w.Read("hr", changed...)
	w.Settle()
	got := tally(jobs(t, w, store.JobFilter{State: "open"}))
	if got["disable held"] != 6 {
		t.Fatalf("open jobs = %v; want 6 disables held", got)
	}
	if got := w.Value("CN=Given7 Family7"+research, "title"); got != "Chief" {
		t.Errorf("title of a bystander = %q; want it changed all the same", got)
	}

	w.Write(func(tx *store.Tx) error {
		n, err := plan.Approve(tx, rehearsal.Tenant, "tester", store.HeldFilter{System: "corp-ad", Class: "disable"})
		if n != 6 {
			t.Errorf("Approve() = %d jobs; want 6", n)
		}
		return err
	})
	w.Settle()
	for i := range 6 {
		at := fmt.Sprintf("CN=Given%d Family%d,OU=Leavers,DC=corp,DC=example", i+1, i+1)
		if got := w.Value(at, "enabled"); got != "false" {
			t.Errorf("account at %s is enabled %q after approval; want it disabled and moved there", at, got)
		}
	}
}

// A held move does not keep the rest of its object's changes waiting.
func TestStep_goesOnBesideWhatIsHeld(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	w.Read("hr", rehearsal.Workers(40, "department", "Sales")...)
	w.Settle()
	approve := func(class string) map[string]int {
		w.Write(func(tx *store.Tx) error {
			_, err := plan.Approve(tx, rehearsal.Tenant, "tester", store.HeldFilter{Class: class})
			return err
		})
		w.Settle()
		return tally(jobs(t, w, store.JobFilter{}))
	}
	if got := approve("modify"); got["move held"] != 40 || got["modify done"] != 40 {
		t.Errorf("with modifies approved: jobs = %v; want 40 done, and 40 moves held", got)
	}
	if got := approve("move"); got["move done"] != 40 {
		t.Errorf("with moves approved, too: jobs = %v; want 40 done", got)
	}
}

// The threshold is ten percent, and more than five: five leavers go without asking.
func TestStep_letsAFewLeaversGo(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	w.Read("hr", rehearsal.Workers(5, "status", "T")...)
	w.Settle()
	if got := jobs(t, w, store.JobFilter{State: "open"}); len(got) != 0 {
		t.Errorf("open jobs = %q; want none", got)
	}
}

// One leaver every minute is a mass change, too.
func TestStep_countsOverAnHour(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	for i := range 7 {
		w.Read("hr", rehearsal.Worker(fmt.Sprintf("E%04d", i+1), fmt.Sprintf("Given%d", i+1), fmt.Sprintf("Family%d", i+1), "status", "T"))
		if i == 3 { // the count must survive a restart
			w.Planner = plan.New(w.Store, discard)
		}
		w.Settle()
	}
	if got := tally(jobs(t, w, store.JobFilter{Class: "disable"})); got["disable done"] != 5 || got["disable held"] != 2 {
		t.Errorf("disables = %v; want 5 done, 2 held", got)
	}
}

// What a person has rejected is not wanted again until something changes.
func TestReject_lasts(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Workers(40)...)
	w.Settle()
	w.Read("hr", rehearsal.Workers(6, "status", "T")...)
	w.Settle()
	w.Write(func(tx *store.Tx) error {
		_, err := plan.Reject(tx, rehearsal.Tenant, "tester", store.HeldFilter{Class: "disable"})
		return err
	})
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	w.Settle()
	if got := jobs(t, w, store.JobFilter{State: "open"}); len(got) != 0 {
		t.Errorf("open jobs after rejecting = %q; want none", got)
	}
	if got := len(problems(t, w)); got != 6 {
		t.Errorf("%d problems; want 6 that say who rejected", got)
	}
	for _, at := range w.Addresses() {
		if w.Value(at, "enabled") != "true" {
			t.Errorf("%s was disabled", at)
		}
	}
	w.Read("hr", rehearsal.Workers(6)...) // the source is corrected
	w.Settle()
	if got := problems(t, w); len(got) != 0 {
		t.Errorf("problems once cured = %q; want none", got)
	}
}

// What a system will not take is not sent again at once, and the rest goes on.
func TestStep_doesNotRepeatWhatWasRefused(t *testing.T) {
	t.Parallel()
	w := world(t)
	sent := 0
	w.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
		if op.GetModify() == nil {
			return 0, nil
		}
		sent++
		return connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "title is too long", Attribute: "title", NextStep: "shorten it"}
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Settle()
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess"))
	w.Settle()
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	w.Settle()
	if sent != 1 {
		t.Errorf("sent %d times; want once", sent)
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess", "department", "Sales"))
	w.Settle()
	if got, want := w.Addresses(), []string{"CN=Ada Lovelace,OU=Sales,DC=corp,DC=example"}; !slices.Equal(got, want) {
		t.Errorf("directory holds %q; want %q: what was refused must not stop the move", got, want)
	}
	if got := problems(t, w); !slices.Equal(got, []string{"E1001 invalid"}) {
		t.Errorf("problems = %q; want the refusal", got)
	}
}

// Jobs that no agent has yet follow what is wanted now.
func TestStep_plansAnewWhatNobodyHas(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Plan()
	w.Write(func(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "test", 0) })
	w.Plan()
	if got, want := jobs(t, w, store.JobFilter{}), []string{"create queued"}; !slices.Equal(got, want) {
		t.Fatalf("jobs = %q; want the first one to stay: %q", got, want)
	}
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "King"))
	w.Plan()
	if got, want := jobs(t, w, store.JobFilter{}), []string{"create dropped", "create queued"}; !slices.Equal(got, want) {
		t.Fatalf("jobs = %q; want %q", got, want)
	}
	w.Settle()
	if got, want := w.Addresses(), []string{"CN=Ada King" + research}; !slices.Equal(got, want) {
		t.Errorf("directory holds %q; want %q", got, want)
	}
}

// While an agent has a job, nothing else is planned for the person there.
func TestStep_leavesWhatAnAgentHasAlone(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Plan()
	w.Claim(10)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "King"))
	w.Plan()
	if got, want := jobs(t, w, store.JobFilter{}), []string{"create sent"}; !slices.Equal(got, want) {
		t.Errorf("jobs = %q; want %q", got, want)
	}
}

// A create after which nothing can follow is not planned again; but whoever
// became due while the agent had it must not be forgotten.
func TestStep_looksAgainAtWhoChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Plan()
	w.Meanwhile = func() {
		w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "title", "Countess"))
		w.Plan()
		w.Meanwhile = nil
	}
	w.Work(10)
	w.Settle()
	if got := w.Value("CN=Ada Lovelace"+research, "title"); got != "Countess" {
		t.Errorf("title = %q; want what it became while the account was made", got)
	}
	w.Read("hr", rehearsal.Worker("E1002", "Charles", "Babbage"))
	w.Plan()
	w.Work(10)
	w.Write(func(tx *store.Tx) error {
		due, _, err := tx.CountDue(rehearsal.Tenant)
		if due != 0 {
			t.Errorf("%d people due after a create that left what it wanted; want 0", due)
		}
		return err
	})
}

// An account must be known to be absent before one is made.
func TestStep_waitsUntilTheTargetWasRead(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.Write(func(tx *store.Tx) error { return tx.SetReadAs(rehearsal.Tenant, "corp-ad", 0) })
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace"))
	w.Plan()
	if got := jobs(t, w, store.JobFilter{}); len(got) != 0 {
		t.Errorf("jobs = %q before the target was read; want none", got)
	}
}

func TestStep_setsAlarms(t *testing.T) {
	t.Parallel()
	w := world(t)
	start := time.Now().Add(20 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "hire_date", start.Format(time.DateOnly)))
	w.Settle()
	var got []time.Time
	w.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1001"})
		if err != nil {
			return err
		}
		alarms, err := tx.AlarmsOf(rehearsal.Tenant, []string{people[0].ID})
		for _, a := range alarms {
			got = append(got, a.At.Time())
		}
		return err
	})
	if want := []time.Time{start.AddDate(0, 0, -7), start}; !cmp.Equal(got, want) {
		t.Errorf("alarms = %v; want %v", got, want)
	}
}

// What has been done within the window counts after a restart as well, overwritten
// values and new accounts too: whoever restarts the coordinator opens no gate.
func TestStep_countsOverARestart(t *testing.T) {
	t.Parallel()
	for class, c := range map[string]struct {
		limit string
		row   func(i int) *connectorv1.Object
	}{
		"modify":     {"{modify: 3}", func(i int) *connectorv1.Object { return numbered(i, "title", "Chief") }},
		"clear":      {"{clear: 3}", func(i int) *connectorv1.Object { return numbered(i, "title", "") }},
		"move":       {"{move: 3}", func(i int) *connectorv1.Object { return numbered(i, "department", "Sales") }},
		"disable":    {"{disable: 3}", func(i int) *connectorv1.Object { return numbered(i, "status", "T") }},
		"membership": {"{membership: 3}", func(i int) *connectorv1.Object { return numbered(i, "title", "Guest") }},
		"create":     {"{create: 13}", func(i int) *connectorv1.Object { return numbered(10 + i) }},
	} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			w := rehearsal.New(t)
			w.Apply(strings.Replace(rehearsal.Documents, "  lifecycle:\n", `  groups: ['title == "Guest" ? "" : "staff"']`+"\n  thresholds: "+c.limit+"\n  lifecycle:\n", 1))
			w.Read("corp-ad", rehearsal.Object("group", "g-staff", "CN=staff,DC=corp,DC=example", "sAMAccountName", "staff"))
			w.Read("hr", rehearsal.Workers(10)...)
			w.Settle()
			for i := 1; i <= 4; i++ {
				w.Read("hr", c.row(i))
				if i == 3 {
					w.Planner = plan.New(w.Store, discard)
				}
				w.Settle()
			}
			if got := tally(jobs(t, w, store.JobFilter{Class: class})); got[class+" held"] != 1 {
				t.Errorf("%v; want the fourth held", got)
			}
		})
	}
}

// numbered gives the row of the ith worker, with other values.
func numbered(i int, pairs ...string) *connectorv1.Object {
	return rehearsal.Worker(fmt.Sprintf("E%04d", i), fmt.Sprintf("Given%d", i), fmt.Sprintf("Family%d", i), pairs...)
}
