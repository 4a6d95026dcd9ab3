package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// dashboardPeople is how many the HR file of the browser's journeys has.
const dashboardPeople = 40

// A new admin gets from nothing to accounts in a directory by the dashboard
// alone, in a real browser, and lives with it for a while: leavers are held and
// approved, a change is undone, somebody changes an account by hand. Every page is kept
// as pictures in build/pictures, light and dark, wide and narrow, and held to the rules of axe. The journeys are in coordinator/dashboard/browser.
func TestDashboard_journeys(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	node, chromium := needBrowser(t)
	t.Setenv("DRAWBRIDGE_REQUIRE_REASON", "set-ring") // as some organisations want
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	s.File.Put(workers.List(dashboardPeople)...)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	around, o := newOutside(t, s)
	cmd := exec.CommandContext(ctx, node, "browser/main.mjs")
	cmd.Dir = "../../coordinator/dashboard"
	cmd.Env = append(os.Environ(), "PLAY_URL="+s.URL, "PLAY_LINK="+adminLink(t, s), "PLAY_TOKEN="+s.API.Token,
		"PLAY_STAGE="+plot(t, s, around), "PLAY_PICTURES="+pictures(t), "PLAY_CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the journeys: %v", err)
	}
	w := workers.At(moved)
	if e := account(t, s, w.EmployeeID); e == nil || e.GetAttributeValue("displayName") != strings.ToUpper(w.LastName)+", "+w.FirstName {
		t.Errorf("account of %s in the directory = %v; want it as the browser mapped it", w.EmployeeID, e)
	}
	for i, want := range map[int]string{moved: workers.At(moved).Title, byHand: workers.At(byHand).Title, byHand + 1: byHandText} {
		if e := account(t, s, workers.ID(i)); e == nil || e.GetAttributeValue("title") != want {
			t.Errorf("title of %s in the directory = %v; want %q: undone, put back, left", workers.ID(i), e, want)
		}
	}
	for i := range dashboardPeople {
		gone := i >= firstGone && i < firstGone+goneFirst
		if e := account(t, s, workers.ID(i)); e == nil || stage.Enabled(e) == gone {
			t.Errorf("account of %s in the directory = %v; want it enabled: %v, as was approved", workers.ID(i), e, !gone)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.posted) == 0 || !strings.Contains(o.posted[0], `"type":"test"`) {
		t.Errorf("posted to the customer's program: %q; want the test event first", o.posted)
	}
}

// pictures gives the folder for pictures of the pages.
func pictures(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../build/pictures")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// plot tells the browser what an admin of the stage knows.
func plot(t *testing.T, s *stage.Stage, around string) string {
	t.Helper()
	w, first := workers.At(moved), workers.At(0)
	second := filepath.Join(s.Dir, "second.yaml") // of the host that another agent is enrolled on
	if err := os.WriteFile(second, []byte("coordinator: "+s.Link+"\ndata: "+filepath.Join(s.Dir, "second")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"agent": filepath.Join(bin, "drawbridge-agent"), "config": filepath.Join(s.Dir, "agent.yaml"), "secondAgent": second,
		"outside": around, "people": dashboardPeople, "title": w.Title, "movedTitle": movedTitle, "gone": goneFirst, "goneLater": goneLater,
		"byHand": []string{nameOf(byHand), nameOf(byHand + 1)}, "byHandText": byHandText, "leaver": workers.ID(firstGone),
		"person": map[string]string{"key": w.EmployeeID, "name": w.FirstName + " " + w.LastName},
		"same":   []map[string]string{{"key": workers.ID(sameAs), "name": nameOf(sameAs)}, {"key": workers.ID(sameAs + 1), "name": nameOf(sameAs + 1)}},
		"shown":  strings.ToUpper(first.LastName) + ", " + first.FirstName,
		"hr": map[string]any{"path": s.File.Path, "rules": map[string]string{
			"name.givenName": "trim(first_name)", "name.familyName": "trim(last_name)", "displayName": `join(" ", first_name, last_name)`,
			"title": "title", "department": "department", "manager": "manager_id", "startDate": "date(hire_date)", "active": `upper(status) == "A"`,
		}},
		"ad": map[string]string{"server": s.Directory, "bind": s.Domain.Bind, "base": s.Domain.Base, "ca": s.Domain.CA, "password": s.Domain.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func nameOf(i int) string { return workers.At(i).FirstName + " " + workers.At(i).LastName }

// adminLink has the coordinator's host make a link that signs in.
func adminLink(t *testing.T, s *stage.Stage) string {
	t.Helper()
	api := strings.TrimPrefix(s.URL, "http://")
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "drawbridge-coordinator"), "admin-link", "--data", filepath.Join(s.Dir, "coordinator"), "--api", api).CombinedOutput()
	link := regexp.MustCompile(`https?://\S+`).FindString(string(out))
	if err != nil || link == "" {
		t.Fatalf("admin-link: %v\n%s", err, out)
	}
	return link
}

// needBrowser gives Node and Chromium, or leaves the test out where they, or
// the dashboard itself, are not there.
func needBrowser(t *testing.T) (node, chromium string) {
	t.Helper()
	fail := t.Skipf
	if strings.Contains(os.Getenv("TEST_REQUIRE"), "chromium") {
		fail = t.Fatalf
	}
	for _, file := range []string{"static/app/index.html", "node_modules/playwright-core/package.json"} {
		if _, err := os.Stat("../../coordinator/dashboard/" + file); errors.Is(err, fs.ErrNotExist) {
			fail("LEFT OUT: chromium: journeys by the dashboard, which was not built (make dashboard)")
		}
	}
	node, err := filepath.Abs("../../build/node/node_modules/node/bin/node")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(node); err != nil {
		if node, err = exec.LookPath("node"); err != nil {
			fail("LEFT OUT: chromium: journeys by the dashboard need node (make dashboard)")
		}
	}
	chromium, err = exec.LookPath("chromium")
	if err != nil {
		fail("LEFT OUT: chromium: journeys by the dashboard need chromium (make rigs)")
	}
	return node, chromium
}
