// Package e2e_test takes the product as a user gets it: built programs, real
// processes, a real domain. Every test sets a stage of its own; each runs
// against the double of Active Directory and against Samba.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "drawbridge-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	bin = dir
	if err := stage.Build(context.Background(), dir, "./installer/demo"); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// onEachDomain runs the test against the double and against Samba.
func onEachDomain(t *testing.T, test func(t *testing.T, s *stage.Stage)) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	for _, domain := range []string{"double", "samba"} {
		t.Run(domain, func(t *testing.T) {
			if domain == "samba" {
				needSamba(t)
			}
			s := set(t, domain)
			if err := s.Furnish(); err != nil {
				t.Fatal(err)
			}
			test(t, s)
		})
	}
}

// set starts a stage that is closed at the end of the test; where the test
// failed, the programs' last words are shown.
func set(t *testing.T, domain string, args ...string) *stage.Stage {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "stage")
	s, err := stage.Start(t.Context(), stage.Options{Bin: bin, Dir: dir, Domain: domain, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	return s
}

// closeStage closes a stage at the end of the test.
func closeStage(t *testing.T, s *stage.Stage) {
	if t.Failed() {
		for _, words := range []string{"status", "cycle list", "problem list", "held list", "job list --state open"} {
			out, err := s.CLI(context.Background(), strings.Fields(words)...)
			t.Logf("$ drawbridge %s\n%s%v", words, lastLines(string(out), 30), err)
		}
	}
	s.Close()
	if t.Failed() {
		for _, p := range []*stage.Process{s.Coordinator, s.Agent} {
			t.Logf("…%s", lastLines(p.Log(), 40))
		}
	}
}

func needSamba(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("samba"); err == nil {
		return
	}
	if _, err := os.Stat("/usr/sbin/samba"); err == nil {
		return
	}
	message := "LEFT OUT: samba: end-to-end tests on a real domain; install samba-ad-dc and its companions (make rigs)"
	if os.Getenv("CI") != "" || strings.Contains(os.Getenv("TEST_REQUIRE"), "samba") {
		t.Fatal(message)
	}
	t.Skip(message)
}

// export saves the HR file and waits until everything that follows is done.
func export(t *testing.T, s *stage.Stage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.Export(ctx); err != nil {
		t.Fatal(err)
	}
}

// account returns the one account of the employee; nil where there is none.
func account(t *testing.T, s *stage.Stage, employee string) *ldap.Entry {
	t.Helper()
	found, err := s.Domain.Search("(employeeID="+ldap.EscapeFilter(employee)+")", "*", "memberOf")
	if err != nil {
		t.Fatal(err)
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	t.Fatalf("%d accounts have employeeID %s; want one", len(found), employee)
	return nil
}

// want compares attributes of the employee's account; "dn" is its DN without
// the base, "enabled" whether it may be used, "groups" its groups' names.
func want(t *testing.T, s *stage.Stage, employee string, values map[string]string) {
	t.Helper()
	entry := account(t, s, employee)
	if entry == nil {
		t.Errorf("no account has employeeID %s", employee)
		return
	}
	for name, value := range values {
		var got string
		switch name {
		case "dn":
			got = strings.TrimSuffix(entry.DN, ","+s.Domain.Base)
			if sameDN(got, value) { // servers escape more than they must
				continue
			}
		case "enabled":
			got = fmt.Sprint(stage.Enabled(entry))
		case "groups":
			got = groups(entry)
		case "manager":
			got, _, _ = strings.Cut(strings.TrimPrefix(entry.GetAttributeValue("manager"), "CN="), ",OU=")
		default:
			all := entry.GetAttributeValues(name)
			slices.Sort(all)
			got = strings.Join(all, " ")
		}
		if !strings.EqualFold(got, value) {
			t.Errorf("%s of %s = %q; want %q", name, employee, got, value)
		}
	}
}

func sameDN(a, b string) bool {
	x, err := ldap.ParseDN(a)
	if err != nil {
		return false
	}
	y, err := ldap.ParseDN(b)
	return err == nil && x.EqualFold(y)
}

func groups(entry *ldap.Entry) string {
	var names []string
	for _, dn := range entry.GetAttributeValues("memberOf") {
		name, _, _ := strings.Cut(strings.TrimPrefix(dn, "CN="), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// eventually repeats check until it gives nothing to complain about.
func eventually(t *testing.T, within time.Duration, check func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v still: %s", within, complaint)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
