package examples_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/examples"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

var now = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

func parse(t *testing.T, files ...string) (systems []*mapping.System) {
	t.Helper()
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		list, err := mapping.ParseFile(f, text)
		if err != nil {
			t.Fatal(err)
		}
		systems = append(systems, list...)
	}
	return systems
}

// The samples of the reference do what their examples say.
func TestRun_samples(t *testing.T) {
	t.Parallel()
	run, failures := examples.Run(parse(t, "../mapping/testdata/hr.yaml", "../mapping/testdata/corp-ad.yaml", "../mapping/testdata/groups.yaml",
		"../mapping/testdata/both-ways.yaml", "../mapping/testdata/guests.yaml"), now)
	for _, f := range failures {
		t.Error(f)
	}
	if run != 14 {
		t.Errorf("%d examples were run", run)
	}
}

const wrong = `system: hr
site: hq
connector: csv
settings: {path: /x}
source:
  class: row
  key: id
  attributes: {title: title, startDate: date(start)}
examples:
  - given: {id: A, title: Boss}
    expect: {title: boss, key: a}
  - name: no date
    given: {id: A, start: soon}
    expect: {key: a}
---
system: ad
site: hq
connector: fake
target:
  class: user
  name: '"Mr " + title'
  attributes:
    title: title
    manager: {person: manager}
examples:
  - name: several things
    at: 2026-06-01T00:00:00Z
    given: {hr: {id: A, title: Boss}}
    expect:
      title: [Boss, Chief]
      name: Mr Boss
      enabled: false
  - given: {hrr: {id: A}}
    expect: {account: made}
  - person: {title: null}
    expect: {title: ""}
`

// What does not hold is told with its line and both values.
func TestRun_failures(t *testing.T) {
	t.Parallel()
	systems, err := mapping.ParseFile("x.yaml", []byte(wrong))
	if err != nil {
		t.Fatal(err)
	}
	run, failures := examples.Run(systems, now)
	var got []string
	for _, f := range failures {
		got = append(got, f.String())
	}
	want := []string{
		`x.yaml:11: title is "Boss", not "boss"`,
		`x.yaml:12: no date: given: hr: startDate: "soon" cannot be read: it is neither a day such as "2006-01-31" nor an instant such as "2006-01-31T17:00:00+01:00"; give date its layout (line 8: date(start))`,
		`x.yaml:30: several things: title is "Boss", not "Boss", "Chief"`,
		`x.yaml:32: several things: enabled is "true", not "false"`,
		`x.yaml:33: given: no document here describes a system hrr`,
	}
	if diff := cmp.Diff(want, got); diff != "" || run != 5 {
		t.Errorf("%d examples, (-want +got)\n%s", run, diff)
	}
}

// Faults within examples are faults of the document.
func TestParse_faultyExamples(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("{title: boss, key: a}", "{titel: boss}", "{title: null}", "{titel: null}", "name: no date\n", "nam: no date\n",
		"{account: made}", "{acount: made}").Replace(wrong)
	_, err := mapping.ParseFile("x.yaml", []byte(text))
	for _, want := range []string{"x.yaml:11:14: no rule gives titel; did you mean title?", "x.yaml:12:5: the example has no key nam", "no rule gives acount; did you mean account?",
		"a person has no attribute titel"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
