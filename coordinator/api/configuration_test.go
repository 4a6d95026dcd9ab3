package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

func problemOf(t *testing.T, err error) *client.Problem {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v; want a problem", err)
	}
	return p
}

// What was looked at and what is stored are the same, or nothing is stored.
func TestApplyConfiguration_base(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	files := []client.File{{Name: "all.yaml", Text: strings.Replace(rehearsal.Documents, "title: title\n  lifecycle", "title: upper(title)\n  lifecycle", 1)}}
	files[0].Text = strings.Replace(files[0].Text, "sn: name.familyName", "sn: upper(name.familyName)", 1)
	f, err := c.Plan(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	w.Apply(rehearsal.Documents + "# another\n") // somebody else, meanwhile
	_, err = c.ApplyAll(t.Context(), client.NewConfiguration{Configuration: client.Configuration{Files: files}, Base: f.Base})
	if p := problemOf(t, err); p.Status != http.StatusConflict {
		t.Errorf("ApplyAll() on another configuration = %d; want a conflict", p.Status)
	}
	again, err := c.Plan(t.Context(), files)
	if err != nil || again.Base == f.Base {
		t.Fatalf("Plan() = base %s, %v; want another base", again.Base, err)
	}
	done, err := c.ApplyAll(t.Context(), client.NewConfiguration{Configuration: client.Configuration{Files: files}, Base: again.Base})
	if err != nil || len(done.Systems) != 2 || done.Systems[1].Action != "changed" {
		t.Errorf("ApplyAll() = %+v, %v; want corp-ad changed", done, err)
	}
}

// One document with a fault keeps all of them out.
func TestApplyConfiguration_allOrNone(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	good := client.File{Name: "good.yaml", Text: "system: extra\nsite: hq\nconnector: csv\nsource: {class: row, key: id, attributes: {title: title}}\n"}
	bad := client.File{Name: "bad.yaml", Text: "system: other\nsite: hq\nconnector: csv\nsource: {class: row, key: id, attributes: {titel: title}}\n"}
	_, err := c.ApplyAll(t.Context(), client.NewConfiguration{Configuration: client.Configuration{Files: []client.File{good, bad}}})
	if p := problemOf(t, err); len(p.Errors) != 1 || p.Errors[0].Document != "bad.yaml" || p.Errors[0].Line != 4 || !strings.Contains(p.Errors[0].Text, "titel") {
		t.Errorf("ApplyAll() = %+v; want the fault with its line", p)
	}
	twice := good
	twice.Name = "twice.yaml"
	_, err = c.ApplyAll(t.Context(), client.NewConfiguration{Configuration: client.Configuration{Files: []client.File{good, twice}}})
	if p := problemOf(t, err); len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Message, "is in good.yaml, too") {
		t.Errorf("ApplyAll() of a system twice = %+v", p)
	}
	if err := c.Get(t.Context(), "/v1/systems/extra", nil, &client.SystemDetail{}); problemOf(t, err).Status != http.StatusNotFound {
		t.Errorf("system extra: %v; want none", err)
	}
}

// A mapping that is not stored is tried on a person whom one record tells of otherwise.
func TestTryConfiguration(t *testing.T) {
	t.Parallel()
	w := populated(t)
	c := connect(t, w)
	var trial client.Trial
	ask := client.AskTrial{Files: []client.File{{Name: "draft", Text: rehearsal.Documents}}, Person: "e1001", Record: map[string][]string{"title": {"Countess"}}}
	if err := c.Post(t.Context(), "/v1/configuration/trial", ask, &trial); err != nil {
		t.Fatal(err)
	}
	if len(trial.Accounts) != 1 || len(trial.Accounts[0].Steps) != 1 || trial.Accounts[0].Steps[0].Text != "modify title" {
		t.Errorf("trial = %+v; want title modified", trial)
	}
	ask.System = "nosuch"
	if p := problemOf(t, c.Post(t.Context(), "/v1/configuration/trial", ask, &trial)); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("trial of a record that is not there = %+v", p)
	}
	ask.Person = "e9"
	if p := problemOf(t, c.Post(t.Context(), "/v1/configuration/trial", ask, &trial)); p.Status != http.StatusNotFound {
		t.Errorf("trial of nobody = %+v", p)
	}
}
