package mapping_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// document parses a file of testdata.
func document(t testing.TB, name string) *mapping.System {
	t.Helper()
	s, err := mapping.Parse(name, read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.Split(string(read(t, name)), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, diff)
	}
}

// Everything wrong is told at once, each with its place and what to do.
func TestParseFile_allFaultsAtOnce(t *testing.T) {
	t.Parallel()
	systems, err := mapping.ParseFile("faulty.yaml", read(t, "faulty.yaml"))
	var faults mapping.Faults
	if !errors.As(err, &faults) || systems != nil {
		t.Fatalf("ParseFile = %v, %v; want faults", systems, err)
	}
	golden(t, "faulty.golden", err.Error()+"\n")
}

func TestParse_noYAML(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "x.yaml:1: the document is empty; begin with system: and a name",
		"# nothing":              "x.yaml:1: the document is empty; begin with system: and a name",
		"[]":                     "x.yaml:1:1: the document must hold keys and values",
		"system: a\n  site: b":   "x.yaml:1:9: ",
		"system: a\nsystem: b\n": "x.yaml:2:1: ",
		"system: &x a\nsite: *x": "anchors and aliases are not read",
		"system: [1\n":           "x.yaml:",
	} {
		_, err := mapping.Parse("x.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v; want %s", text, err, want)
		}
	}
}

// No document makes the parser panic or hang.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"hr.yaml", "corp-ad.yaml", "faulty.yaml"} {
		f.Add(string(read(f, name)))
	}
	f.Fuzz(func(_ *testing.T, text string) { _, _ = mapping.ParseFile("x", []byte(text)) })
}

func TestParse_sample(t *testing.T) {
	t.Parallel()
	hr, ad := document(t, "hr.yaml"), document(t, "corp-ad.yaml")
	if got, want := string(hr.Settings), `{"delimiter":";","key":"employee_id","path":"/srv/hr/workers.csv"}`; got != want {
		t.Errorf("settings %s, want %s", got, want)
	}
	if want := (mapping.Schedule{Watch: true, Every: 15 * time.Minute, FullEvery: 24 * time.Hour}); hr.Read != want {
		t.Errorf("read %+v", hr.Read)
	}
	if got := strings.Join(hr.Attributes(), " "); got != "department email_alias employee_id first_name hire_date last_name location manager_id phone status term_date title" {
		t.Errorf("attributes of hr: %s", got)
	}
	if got := strings.Join(ad.Attributes(), " "); got != "cn company department displayName employeeID enabled givenName l mail manager memberOf proxyAddresses sAMAccountName sn telephoneNumber title userPrincipalName" {
		t.Errorf("attributes of corp-ad: %s", got)
	}
	for class, want := range map[string]string{"disable": "10%", "delete": "5", "create": "none", "modify": "30%"} {
		if got := ad.Target.Threshold(class).String(); got != want {
			t.Errorf("threshold of %s: %s, want %s", class, got, want)
		}
	}
	if !hr.Gate.Holds(201, 1000) || hr.Gate.Holds(200, 1000) || hr.Gate.Holds(4, 4) {
		t.Error("the gate does not hold what loses more than 20 % and at least 5 rows")
	}
	if l := ad.Target.Threshold("disable"); l.Holds(5, 10) || !l.Holds(6, 10) || l.Holds(100, 1000) || !l.Holds(101, 1000) {
		t.Error("the threshold of disable does not hold what is more than 10 % and more than 5")
	}
}

// One file may hold several documents; lines of faults count from its start.
func TestParseFile_several(t *testing.T) {
	t.Parallel()
	file := append(append([]byte("# both\n---\n"), read(t, "hr.yaml")...), append([]byte("---\n"), read(t, "corp-ad.yaml")...)...)
	systems, err := mapping.ParseFile("all.yaml", file)
	if err != nil || len(systems) != 2 || systems[1].Name != "corp-ad" {
		t.Fatalf("ParseFile = %v, %v", systems, err)
	}
	if again, err := mapping.Parse("stored", []byte(systems[1].Document)); err != nil || again.Name != "corp-ad" {
		t.Errorf("a document's text does not parse by itself: %v", err)
	}
	if _, err := mapping.ParseFile("twice.yaml", append(append(file, "---\n"...), read(t, "hr.yaml")...)); err == nil || !strings.Contains(err.Error(), "two systems called hr") {
		t.Errorf("two systems of one name: %v", err)
	}
}

func TestSystem_checkSchema(t *testing.T) {
	t.Parallel()
	text := func(names ...string) (list []*connectorv1.AttributeType) {
		for _, n := range names {
			list = append(list, &connectorv1.AttributeType{Name: n, Type: connectorv1.Type_TYPE_STRING})
		}
		return list
	}
	hr, ad := document(t, "hr.yaml"), document(t, "corp-ad.yaml")
	rows := &connectorv1.SchemaResponse{Classes: []*connectorv1.Class{{Name: "row", Attributes: text("employee_id", "first_name", "last_name", "title",
		"departement", "location", "phone", "manager_id", "hire_date", "term_date", "status", "email_alias")}}}
	user := &connectorv1.SchemaResponse{Classes: []*connectorv1.Class{{Name: "USER", Attributes: append(text("employeeId", "sAMAccountName", "userPrincipalName",
		"givenName", "sn", "displayname", "title", "department", "company", "l", "mail", "proxyAddresses"),
		&connectorv1.AttributeType{Name: "manager", Type: connectorv1.Type_TYPE_STRING},
		&connectorv1.AttributeType{Name: "title2"})}}}
	user.Classes[0].Attributes[2].ReadOnly = true
	var got strings.Builder
	for _, f := range append(append(hr.CheckSchema(rows), ad.CheckSchema(user)...), ad.CheckSchema(rows)...) {
		got.WriteString(f.Error() + "\n")
	}
	golden(t, "schema.golden", got.String())
	if faults := hr.CheckSchema(nil); faults != nil {
		t.Errorf("a schema that could not be read finds %v", faults)
	}
}
