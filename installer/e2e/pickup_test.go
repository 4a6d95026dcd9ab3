package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// A picked is what the browser saw of a one-time link.
type picked struct {
	Says, Address string
	Passwords     []string
	Names         []string
	Before        bool
	Quiet         int
	Sent, Faults  []string
}

// Somebody who is hired picks their first password up in a browser, with a link
// and nothing else: the account waits for the link, the password is sealed to it
// in the connector, opened in the browser, is the one of the account, and is
// shown once. The key of the link is in nothing that the browser sent, and in
// nothing that the coordinator keeps.
func TestPickup_inABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	node, chromium := needBrowser(t)
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	hr, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	if ad, err = withRecipients(ad, "pickup"); err != nil {
		t.Fatal(err)
	}
	for name, document := range map[string]string{"hr.yaml": hr, "corp-ad.yaml": ad} {
		if err := s.Apply(t.Context(), name, document); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetSecret(t.Context(), stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}
	hired := workers.ID(0)
	s.File.Put(workers.List(3)...)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() string {
		out, err := s.CLI(t.Context(), "problem", "list")
		return unless(err == nil && strings.Contains(string(out), "one-time link"), fmt.Sprintf("nobody says that a link is missing: %s %v", out, err))
	})
	if account(t, s, hired) != nil {
		t.Fatal("the account was made, and nobody could open its password")
	}
	var made struct{ Link string }
	out, err := s.CLI(t.Context(), "password", "link", hired, "-o", "json")
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		t.Fatalf("password link: %v\n%s", err, out)
	}
	var waits client.Items[client.Password]
	eventually(t, time.Minute, func() string {
		waits.Items = nil
		err := s.API.Get(t.Context(), "/v1/passwords", url.Values{"person": {hired}}, &waits)
		return unless(err == nil && len(waits.Items) == 1, fmt.Sprintf("passwords that wait: %v, %v; want one", waits.Items, err))
	})

	pick := func(link string) (p picked) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), node, "browser/pick.mjs")
		cmd.Dir = "../../coordinator/pickup"
		cmd.Env = append(os.Environ(), "PICK_LINK="+link, "PICK_CHROMIUM="+chromium, "PICK_PICTURE="+filepath.Join(t.TempDir(), "page.png"))
		out, err := cmd.CombinedOutput()
		if err == nil {
			err = json.Unmarshal(out, &p)
		}
		if err != nil {
			t.Fatalf("the browser: %v\n%s", err, out)
		}
		if len(p.Faults) > 0 || p.Quiet != 0 {
			t.Errorf("the page: %v; %d requests for boxes before anybody clicked; want none of either", p.Faults, p.Quiet)
		}
		return p
	}
	_, key, _ := strings.Cut(made.Link, "#")
	other := made.Link[:len(made.Link)-1] + "A"
	if strings.HasSuffix(made.Link, "A") {
		other = made.Link[:len(made.Link)-1] + "C"
	}
	if p := pick(other); len(p.Passwords) != 0 || !strings.Contains(p.Says, "not known") {
		t.Errorf("another link shows %q and says %q; want it refused", p.Passwords, p.Says)
	}
	first := pick(made.Link)
	if len(first.Passwords) != 1 || first.Before || strings.Contains(first.Address, "#") {
		t.Fatalf("the link shows %d passwords, says %q, used before: %v, address %s; want one, and no key in the address", len(first.Passwords), first.Says, first.Before, first.Address)
	}
	opens(t, s, waits.Items[0], first.Passwords[0])
	for _, request := range first.Sent[1:] { // the first is what the test asked the browser to open
		if strings.Contains(request, key) {
			t.Errorf("the browser sent the key of the link: %s", request)
		}
	}
	if second := pick(made.Link); len(second.Passwords) != 0 || !second.Before {
		t.Errorf("used again, the link shows %q, warns: %v; want nothing but the warning", second.Passwords, second.Before)
	}
	places := map[string][]byte{}
	collect(t, s.Dir, places)
	for name, text := range places {
		if strings.Contains(string(text), key) || strings.Contains(string(text), first.Passwords[0]) {
			t.Errorf("%s holds the key of the link, or the password", name)
		}
	}
}
