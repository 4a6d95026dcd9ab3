package api_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

var update = flag.Bool("update", false, "write the golden files of this package anew")

// A route that names no role would be refused to everybody, and one whose role is misspelled to most.
func TestRoutes_eachNamesItsRole(t *testing.T) {
	t.Parallel()
	for id, least := range populated(t).API().LeastRoles() {
		if !slices.Contains(access.Roles(), least) {
			t.Errorf("operation %s takes the role %q; want one of %v", id, least, access.Roles())
		}
	}
}

// Every route is really asked with each role. The table is looked at when a
// route is added: -update writes it.
func TestRoutes_byRole(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	tokens := map[access.Role]string{}
	for _, role := range access.Roles() {
		tokens[role] = f.TokenAs(rehearsal.Tenant, string(role), role)
	}
	rows := map[string]string{}
	var changing []func()
	row := func(name, method, path string) {
		cells := make([]string, len(access.Roles()))
		for i, role := range access.Roles() {
			ask := func() string {
				if status, _ := f.ask(method, path, tokens[role]); status == http.StatusForbidden {
					return "-"
				}
				return "yes"
			}
			if role == access.Administrator { // what may change what the others are asked about is asked last
				changing = append(changing, func() {
					cells[i] = ask()
					rows[name] = strings.Join(cells, " | ")
				})
				continue
			}
			cells[i] = ask()
		}
	}
	for _, r := range f.API().Routes() {
		if streams(r[1]) || r[1] == "/v1/me/sign-out" { // which ends the token; it is tried by the command line's scripts
			continue
		}
		row(r[0]+" "+r[1], r[0], r[1])
	}
	f.bodies["/v1/problems/retry"], f.bodies["/v1/systems/{name}/run"] = `{}`, `{}`
	f.bodies["/v1/configuration/trial"] = `{"person":"e1001","files":[{"name":"a.yaml","text":"system: hr"}]}`
	row("POST /v1/configuration/trial, of other documents", "POST", "/v1/configuration/trial")
	row("POST /v1/problems/retry, of everybody", "POST", "/v1/problems/retry")
	row("POST /v1/systems/{name}/run, of everybody", "POST", "/v1/systems/{name}/run")
	for _, ask := range changing {
		ask()
	}
	compare(t, "roles.golden", rows)
}

// compare compares rows with those of a golden file.
func compare(t *testing.T, name string, rows map[string]string) {
	t.Helper()
	var lines []string
	for route, cells := range rows {
		lines = append(lines, fmt.Sprintf("%-50s %s", route, cells))
	}
	slices.Sort(lines)
	got := fmt.Sprintf("%-50s %s\n%s\n", "", strings.Trim(fmt.Sprint(access.Roles()), "[]"), strings.Join(lines, "\n"))
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if diff := cmp.Diff(string(want), got); err != nil || diff != "" {
		t.Errorf("who may ask what (-golden +now), %v:\n%s\nif that is meant: go test ./coordinator/api -run Routes_byRole -update", err, diff)
	}
}
