package plan_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// reset is a world whose documents give passwords that a desk can read, and Ada in it.
func reset(t *testing.T, recipients string) *rehearsal.World {
	t.Helper()
	w := rehearsal.New(t)
	w.Apply(strings.Replace(rehearsal.Documents, "  lifecycle:", "  password: {recipients: ["+recipients+"]}\n  lifecycle:", 1))
	w.Read("hr", rehearsal.Worker("E1", "Ada", "Lovelace"))
	w.Settle()
	return w
}

func desk(t *testing.T) string {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key.Recipient().String()
}

// ask has a new password made for Ada.
func ask(t *testing.T, w *rehearsal.World) ([]store.Job, error) {
	t.Helper()
	var people []store.Person
	w.Write(func(tx *store.Tx) (err error) {
		people, err = tx.PeopleByKey(rehearsal.Tenant, []string{"e1"})
		return err
	})
	if len(people) != 1 {
		t.Fatalf("%d people; want Ada", len(people))
	}
	return w.Planner.NewPassword(t.Context(), rehearsal.Tenant, "tester", people[0].ID, "")
}

func passwords(w *rehearsal.World) (rows []store.Password) {
	w.Write(func(tx *store.Tx) (err error) {
		rows, err = tx.Passwords(rehearsal.Tenant, "", 10)
		return err
	})
	return rows
}

// Somebody asks for a new password: planning in between neither drops nor repeats
// it, and that of before is forgotten.
func TestNewPassword(t *testing.T) {
	t.Parallel()
	w := reset(t, desk(t))
	first := passwords(w)
	asked, err := ask(t, w)
	if err != nil || len(asked) != 1 || asked[0].Class != "password" {
		t.Fatalf("NewPassword() = %+v, %v; want one job", asked, err)
	}
	w.Touch()
	w.Plan()
	done := w.Settle()
	rows := passwords(w)
	if done != 1 || len(first) != 1 || len(rows) != 1 || rows[0].Job != asked[0].ID || rows[0].Account != asked[0].Object {
		t.Errorf("%d jobs, passwords %+v, before %+v; want one of job %d", done, rows, first, asked[0].ID)
	}
	w.Touch()
	if n := w.Settle(); n != 0 {
		t.Errorf("%d jobs after it; want none", n)
	}
}

// A leaver is locked out while a password of theirs is on its way.
func TestNewPassword_keepsNoLeaver(t *testing.T) {
	t.Parallel()
	w := reset(t, desk(t))
	if _, err := ask(t, w); err != nil {
		t.Fatal(err)
	}
	w.Read("hr", rehearsal.Worker("E1", "Ada", "Lovelace", "status", "T"))
	w.Plan()
	var classes []string
	w.Write(func(tx *store.Tx) error {
		jobs, err := tx.ListJobs(rehearsal.Tenant, store.JobFilter{State: "open"}, 10)
		for _, j := range jobs {
			classes = append(classes, j.Class)
		}
		return err
	})
	if !slices.Contains(classes, "disable") || !slices.Contains(classes, "password") {
		t.Errorf("open jobs %v; want the disable beside the password", classes)
	}
}

// What is refused says so, and is not asked for again by itself.
func TestNewPassword_refused(t *testing.T) {
	t.Parallel()
	w := reset(t, desk(t))
	w.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
		if op.GetSetPassword() == nil {
			return connectorv1.Outcome_OUTCOME_DONE, nil
		}
		return connectorv1.Outcome_OUTCOME_DENIED, &connectorv1.Fault{Cause: "no right to reset passwords"}
	}
	asked, err := ask(t, w)
	if err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.Write(func(tx *store.Tx) error {
		jobs, err := tx.Jobs(rehearsal.Tenant, []int64{asked[0].ID})
		if err == nil && (jobs[0].State != store.JobFailed || !strings.Contains(jobs[0].Fault, "no right to reset")) {
			t.Errorf("job %+v; want it failed, with the cause", jobs[0])
		}
		return err
	})
	w.Touch()
	if n := w.Settle(); n != 0 {
		t.Errorf("%d jobs after it; want none", n)
	}
}

// Where nobody would learn it, or nothing may be written, none is made, and the error says why.
func TestNewPassword_saysWhyNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		recipients string
		spoil      func(*rehearsal.World)
		want       string
	}{
		"no recipients": {"", nil, "nobody would learn the new one"},
		"no account": {desk(t), func(w *rehearsal.World) {
			w.Read("hr", rehearsal.Worker("E1", "Ada", "Lovelace", "hire_date", "2999-01-01"))
			w.Write(func(tx *store.Tx) error {
				return w.Intake.Gone(tx, rehearsal.Tenant, "corp-ad", slices.Collect(maps.Keys(w.Objects)))
			})
		}, "no account"},
		"disabled": {desk(t), func(w *rehearsal.World) {
			w.Read("hr", rehearsal.Worker("E1", "Ada", "Lovelace", "status", "T"))
			w.Settle()
		}, "disabled"},
		"preview": {desk(t), func(w *rehearsal.World) {
			w.Write(func(tx *store.Tx) error {
				return tx.PutSystemMode(store.SystemMode{Tenant: rehearsal.Tenant, System: "corp-ad", Mode: plan.ModePreview})
			})
		}, "mode preview"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := reset(t, c.recipients)
			if c.spoil != nil {
				c.spoil(w)
			}
			if jobs, err := ask(t, w); !errors.Is(err, plan.ErrNoPassword) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("NewPassword() = %v, %v; want %q", jobs, err, c.want)
			}
		})
	}
}
