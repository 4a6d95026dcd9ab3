package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// Who leaves at an instant of Melbourne's time is locked out within a second of
// it although the coordinator was killed before; who was to leave and stays
// after all is not; and meanwhile their accounts change as ever.
func TestLeaversWithTheCoordinatorAway(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	hr, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	const layout = "2006-01-02 15:04:05"
	zoned := strings.Replace(hr, "dateEnd(term_date)", `dateEnd(term_date, "`+layout+`", "Australia/Melbourne")`, 1)
	if zoned == hr {
		t.Fatal("the document's rule for the end date is another one")
	}
	zoned, _, _ = strings.Cut(zoned, "\nexamples:") // they are of the other rule
	for name, text := range map[string]string{"corp-ad.yaml": ad, "hr.yaml": zoned} {
		if err := s.Apply(t.Context(), name, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetSecret(t.Context(), stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}
	melbourne, err := time.LoadLocation("Australia/Melbourne")
	if err != nil {
		t.Fatal(err)
	}
	s.File.Put(workers.List(60)...)
	leaver, stays, later := worker("E1", "Mia", "Walker", "Sales"), worker("E2", "Jack", "Stone", "Sales"), worker("E3", "Zara", "Field", "Sales")
	instant := time.Now().Add(25 * time.Second).Truncate(time.Second)
	for _, w := range []*workers.Worker{&leaver, &stays, &later} {
		w.TermDate = instant.In(melbourne).Format(layout)
	}
	s.File.Put(leaver, stays, later)
	export(t, s)
	out, err := s.CLI(t.Context(), "status")
	if err != nil || !strings.Contains(string(out), "3 placed with agents") {
		t.Errorf("status = %s, %v; want three placed", out, err)
	}
	leaver.Title, stays.TermDate, later.TermDate = "Advisor", "", instant.Add(time.Hour).In(melbourne).Format(layout)
	s.File.Put(leaver, stays, later)
	export(t, s)
	want(t, s, "E1", map[string]string{"title": "Advisor", "enabled": "true"})
	eventually(t, 5*time.Second, func() string {
		out, err := s.CLI(t.Context(), "job", "list", "--state", "rescinding")
		if err != nil || strings.Contains(string(out), "E2") || strings.Contains(string(out), "E3") {
			return "what was taken back is still open:\n" + string(out)
		}
		return ""
	})
	s.Coordinator.Kill()
	if left := time.Until(instant); left < 2*time.Second {
		t.Fatalf("only %v are left to the instant: this host is too slow for the test", left)
	}
	time.Sleep(time.Until(instant) - 500*time.Millisecond)
	want(t, s, "E1", map[string]string{"enabled": "true"})
	time.Sleep(time.Until(instant) + time.Second)
	want(t, s, "E1", map[string]string{"enabled": "false"})
	want(t, s, "E2", map[string]string{"enabled": "true"})
	want(t, s, "E3", map[string]string{"enabled": "true"})
	if err := s.Coordinator.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, func() string { // the agent may pause for a minute after so many vain tries
		if e := account(t, s, "E1"); e == nil || stage.Enabled(e) || !strings.Contains(e.DN, "OU=Leavers") {
			return "E1 is not among the leavers"
		}
		return ""
	})
	out, err = s.CLI(t.Context(), "log", "--person", "E1")
	if err != nil || !strings.Contains(string(out), "s after the instant it was placed for") {
		t.Errorf("log = %s, %v; want how long after the instant", out, err)
	}
	want(t, s, "E2", map[string]string{"enabled": "true"})
	want(t, s, "E3", map[string]string{"enabled": "true"})
}
