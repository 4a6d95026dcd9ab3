package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// Whatever people give us that cannot be, the answer names the place and the
// cure, and nothing else stands still for it.
func TestBadInput(t *testing.T) {
	onEachDomain(t, func(t *testing.T, s *stage.Stage) {
		t.Run("documents", func(t *testing.T) { badDocuments(t, s) })
		t.Run("join token twice", func(t *testing.T) { tokenTwice(t, s) })
		t.Run("bind password", func(t *testing.T) { wrongPassword(t, s) })
		t.Run("values and places", func(t *testing.T) { wrongValues(t, s) })
	})
}

// All faults at once, each with its line.
func badDocuments(t *testing.T, s *stage.Stage) {
	hr, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	ad = strings.Replace(ad, "make_containers:", "make_container:", 1)
	ad = strings.Replace(ad, "sn: name.familyName", "sn: name.famliyName", 1)
	ad = strings.Replace(ad, `title: title`, `title: lower(startDate)`, 1)
	hr = strings.Replace(hr, "trim(first_name)", "trim(first_name", 1)
	path := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(path, []byte(ad+"---\n"+hr), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.CLI(t.Context(), "system", "apply", "-f", path)
	if err == nil {
		t.Fatalf("system apply took it: %s", out)
	}
	for _, words := range []string{"make_container", "make_containers", "famliyName", "familyName", "startDate", "first_name", "bad.yaml:"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the answer says nothing of %q:\n%v", words, err)
		}
	}
	status, err := s.Status(t.Context())
	if err != nil || len(status.Systems) != 0 {
		t.Errorf("systems = %v, %v; want none: a file is taken whole or not at all", status.Systems, err)
	}
}

func tokenTwice(t *testing.T, s *stage.Stage) {
	token := newToken(t, s)
	if err := s.EnrollAnother(t.Context(), filepath.Join(t.TempDir(), "second"), token); err != nil {
		t.Fatal(err)
	}
	err := s.EnrollAnother(t.Context(), filepath.Join(t.TempDir(), "third"), token)
	if err == nil || !strings.Contains(err.Error(), "used") || !strings.Contains(err.Error(), "token create") {
		t.Errorf("enrolling with a used token = %v; want that it was used, and how to get another", err)
	}
}

func newToken(t *testing.T, s *stage.Stage) string {
	t.Helper()
	out, err := s.CLI(t.Context(), "token", "create", "--site", stage.Site, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var token client.JoinToken
	if err := json.Unmarshal(out, &token); err != nil {
		t.Fatal(err)
	}
	return token.Token
}

func wrongPassword(t *testing.T, s *stage.Stage) {
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSecret(t.Context(), stage.AD, "password", "certainly wrong"); err != nil {
		t.Fatal(err)
	}
	s.File.Put(worker("E1", "Ada", "Bauer", "Sales"))
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() string {
		out, err := s.CLI(t.Context(), "system", "show", stage.AD)
		if err != nil || !strings.Contains(string(out), "password") || !strings.Contains(string(out), "secret set") {
			return "system show does not name the password and its cure: " + string(out)
		}
		return ""
	})
	if err := s.SetSecret(t.Context(), stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() string {
		if account(t, s, "E1") == nil {
			return "E1 has no account, though the password is right now"
		}
		return ""
	})
}

func wrongValues(t *testing.T, s *stage.Stage) {
	long := worker("E2", "Long", "Title", "Sales")
	long.Title = strings.Repeat("Chief ", 30)
	s.File.Put(long, worker("E3", "Next", "Fine", "Sales"))
	export(t, s)
	if account(t, s, "E3") == nil {
		t.Error("E3, with whom nothing is wrong, has no account")
	}
	expectProblem(t, s, "E2", "title", "180", "128")

	_, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), "corp-ad.yaml", strings.Replace(ad, "make_containers: true", "make_containers: false", 1)); err != nil {
		t.Fatal(err)
	}
	s.File.Put(worker("E4", "No", "Where", "Nowhere"))
	export(t, s)
	expectProblem(t, s, "E4", "OU=Nowhere", "make_containers")
}

// expectProblem wants the person's problem to say all the words.
func expectProblem(t *testing.T, s *stage.Stage, person string, words ...string) {
	t.Helper()
	var problems []client.Obstacle
	if err := s.API.Items(t.Context(), "/v1/problems", nil, &problems); err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.EqualFold(p.Person, person) {
			continue
		}
		text := p.Fault.Cause + " " + p.Fault.Object + " " + p.Fault.Attribute + " " + p.Fault.NextStep
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("problem of %s says nothing of %q: %s", person, word, text)
			}
		}
		return
	}
	t.Errorf("%s has no problem; want one about %q: %v", person, words, problems)
}
