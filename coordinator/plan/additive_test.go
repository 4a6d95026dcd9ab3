package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// phones has several hands fill an attribute.
const phones = `system: hr
site: hq
connector: csv
settings: {path: /srv/hr/workers.csv, key: employee_id}
source:
  class: row
  key: employee_id
  attributes:
    employeeNumber: employee_id
    displayName: first_name + " " + last_name
    phoneNumbers.mobile: mobile
    phoneNumbers.other: other
    active: status == "A"
---
system: corp-ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=Staff,DC=corp,DC=example"'
  name: displayName
  attributes:
    employeeID: employeeNumber
    otherTelephone: {value: 'list(phoneNumbers.mobile, phoneNumbers.other)', keep: additive}
  thresholds: {modify: none}
`

// A worker's account whose numbers several hands write.
type phoned struct {
	*rehearsal.World
	t *testing.T
}

func (w phoned) account() *connectorv1.Object {
	for _, o := range w.Objects {
		if o.GetClass() == "user" {
			return o
		}
	}
	w.t.Fatal("there is no account")
	return nil
}

// numbers gives those at the system, in order.
func (w phoned) numbers() []string {
	for _, a := range w.account().GetAttributes() {
		if a.GetName() == "otherTelephone" {
			return slices.Sorted(slices.Values(a.GetValues()))
		}
	}
	return nil
}

// writes has somebody else write the numbers at the system, and that read.
func (w phoned) writes(numbers ...string) {
	o := w.account()
	i := slices.IndexFunc(o.Attributes, func(a *connectorv1.Attribute) bool { return a.GetName() == "otherTelephone" })
	o.Attributes[i].Values = numbers
	w.Read("corp-ad", proto.CloneOf(o))
	w.Settle()
}

func (w phoned) says(mobile, other string) {
	w.Read("hr", rehearsal.Worker("E1", "Ann", "Doe", "mobile", mobile, "other", other))
	w.Settle()
}

func (w phoned) want(what string, numbers ...string) {
	w.t.Helper()
	if diff := cmp.Diff(numbers, w.numbers()); diff != "" {
		w.t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
	if n := w.Settle(); n != 0 {
		w.t.Errorf("%s: %d more operations", what, n)
	}
}

// drifts gives of what the log says that somebody changed it.
func (w phoned) drifts() (n int) {
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.ListHistory(rehearsal.Tenant, store.LogFilter{Kind: history.Drift}, 100)
		for _, h := range rows {
			if strings.HasPrefix(h.Text, "otherTelephone was changed") {
				n++
			}
		}
		return err
	})
	return n
}

// Of an additive attribute only values that we added are ever taken away, by a
// rule, a drift or an undo; those of others stay, and are shown as theirs.
func TestAdditive_onlyOursIsTakenAway(t *testing.T) {
	t.Parallel()
	w := phoned{rehearsal.New(t), t}
	w.Apply(phones)
	old := rehearsal.Object("user", "guid-old", "CN=Ann Doe,OU=Staff,DC=corp,DC=example", "cn", "Ann Doe", "employeeID", "E1", "otherTelephone", "7", "enabled", "true")
	w.Objects["guid-old"] = old
	w.Read("corp-ad", proto.CloneOf(old))
	w.says("1", "7")
	w.want("an account that was there, with a number that the rule gives as well", "1", "7")
	w.says("2", "")
	w.want("another number instead of ours; what was there stays", "2", "7")
	w.writes("2", "7", "9")
	w.want("somebody adds one", "2", "7", "9")
	if n := w.drifts(); n != 0 {
		t.Errorf("what others write besides is called drift %d times", n)
	}
	w.writes("7", "9")
	w.want("somebody takes ours away: it is put back", "2", "7", "9")
	if n := w.drifts(); n != 1 {
		t.Errorf("what somebody takes away of ours is called drift %d times; want once", n)
	}
	w.says("", "")
	w.want("the rule gives nothing any more", "7", "9")
	w.says("3", "")
	w.want("and something again", "3", "7", "9")

	w.writes("3", "7", "9", "8")
	var last int64
	w.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1"})
		if err != nil {
			return err
		}
		jobs, err := tx.JobsOfPerson(rehearsal.Tenant, people[0].ID, 1)
		if err != nil {
			return err
		}
		last = jobs[0].ID
		shown, err := history.Explain(tx, func(row store.System) (*mapping.System, error) { return mapping.Parse(row.Name, []byte(row.Document)) }, people[0])
		for _, v := range shown.Accounts[0].Values {
			if v.Attribute == "otherTelephone" && strings.Join(slices.Sorted(slices.Values(v.Others)), " ") != "7 8 9" {
				t.Errorf("shown as others': %q; want 7, 8 and 9", v.Others)
			}
		}
		return err
	})
	made, err := w.Planner.PlanUndo(t.Context(), rehearsal.Tenant, "ann", plan.Undo{Job: last})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Planner.ApprovePlan(t.Context(), rehearsal.Tenant, "ann", fmt.Sprint(made.ID), made.Hash, false); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.want("an undo takes ours away, and not what came since", "7", "8", "9")
	w.says("4", "")
	w.want("the rule gives another: the undo is over", "4", "7", "8", "9")
}
