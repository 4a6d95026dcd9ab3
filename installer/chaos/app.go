package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/plugins/fake"
)

// app is a second target, whose connector is at times a hostile one: it hangs,
// crashes, floods, lies, answers with garbage or with too much. Nobody else may
// suffer by that, and when it is honest again it holds what everybody should have.
const app = "app"

const appDocument = `system: app
site: hq
connector: moody
settings:
  state: %q
read:
  every: 15m
target:
  class: user
  match: {employeeNumber: employeeNumber}
  container: '"staff"'
  name: employeeNumber
  attributes:
    login: {value: lower(employeeNumber), apply: create}
    employeeNumber: employeeNumber
    displayName: displayName
    title: title
    department: department
  password: {length: 20}
  lifecycle:
    create: 7d before start
    enable: at start
    leave: {at: at end, disable: true}
    rehire: restore
`

func (r *rig) appState() string { return filepath.Join(r.stage.Dir, "hr", "app.jsonl") }

// installApp configures the second target.
func (r *rig) installApp(ctx context.Context) error {
	return r.stage.Apply(ctx, "app.yaml", fmt.Sprintf(appDocument, r.appState()))
}

// upset has the connector of the second target be in a mood for a while.
func (r *rig) upset() error {
	moods := fake.Moods()
	mood := moods[r.rnd.IntN(len(moods))]
	path := fake.MoodFile(r.appState())
	if err := os.WriteFile(path, []byte(mood), 0o600); err != nil {
		return err
	}
	r.wait(300*time.Millisecond, 2*time.Second)
	r.report.Faults["hostile connector: "+mood]++
	return os.Remove(path)
}

// compareApp looks at every account of the second target.
func (m *model) compareApp(state string) ([]finding, error) {
	users, err := fake.Users(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []finding
	complain := func(kind, format string, args ...any) {
		found = append(found, finding{kind, app + ": " + fmt.Sprintf(format, args...)})
	}
	accounts := map[string][]fake.Account{}
	for _, u := range users {
		id := first(u, "employeeNumber")
		accounts[id] = append(accounts[id], u)
	}
	for _, w := range m.file.List() {
		list := accounts[w.EmployeeID]
		delete(accounts, w.EmployeeID)
		switch {
		case len(list) == 0 && w.Status == "T":
		case len(list) == 0:
			complain("lost", "%s has no account", w.EmployeeID)
		case len(list) > 1:
			complain("doubled", "%s has %d accounts", w.EmployeeID, len(list))
		default:
			for _, text := range appDifferences(w, list[0]) {
				complain("wrong", "%s: %s", w.EmployeeID, text)
			}
		}
	}
	for id := range accounts {
		complain("wrong", "%q has an account and is nobody", id)
	}
	return found, nil
}

func first(a fake.Account, attribute string) string {
	if values := a.Attributes[attribute]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func appDifferences(w workers.Worker, a fake.Account) (out []string) {
	if enabled, active := first(a, "enabled") == "true", w.Status != "T"; enabled != active {
		out = append(out, fmt.Sprintf("enabled is %v, not %v", enabled, active))
	}
	if w.Status == "T" {
		return out
	}
	for attribute, want := range map[string]string{"title": w.Title, "department": w.Department} {
		if got := first(a, attribute); got != want {
			out = append(out, fmt.Sprintf("%s is %q, not %q", attribute, got, want))
		}
	}
	return out
}
