package mapping_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping/entra"
)

// An exported schema becomes documents that compile and do what it did.
func TestImport_workday(t *testing.T) {
	t.Parallel()
	im, err := entra.Import(read(t, "entra-workday.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "entra-workday.golden.yaml", string(im.Document)+"# Not carried over:\n# "+strings.Join(im.Notes, "\n# ")+"\n")
	// Only the domain that DefaultDomain gives has to be filled in.
	text := strings.Replace(string(im.Document), "system: active-directory\n", "system: active-directory\ndefault_domain: contoso.com\n", 1)
	systems, err := mapping.ParseFile("entra-workday.golden.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	target := systems[1].Target
	v := target.View(person("employeeNumber", "21023", "name.givenName", "Zoë", "name.familyName", "Smith", "userName", "zoe[smith]..", "addresses.work.country", "DE",
		"addresses.work.locality", "Dallas", "StatusTerminationDate", "2020-12-31-08:00", "manager", "100"), time.Now())
	defer v.Close()
	values := map[string][]string{}
	for _, r := range append(target.Rules, target.Container, target.Name) {
		x, err := v.Eval(r)
		if err != nil {
			t.Fatal(err)
		}
		values[r.Attribute] = x.All()
	}
	if diff := cmp.Diff(map[string][]string{
		"accountExpires": {"132539615990000000"}, "company": {"Contoso 'Ltd'"}, "department": {"None"}, "employeeID": {"21023"},
		"extensionAttribute1": {"abroad"}, "manager": {"100"}, "sAMAccountName": {"zoesmith"},
		"userPrincipalName": {"Zoe.Smith@contoso.com", "Z.Smith@contoso.com"},
		"container":         {"OU=Dallas,OU=Users,DC=contoso,DC=com"}, "cn": {"Zoë Smith"},
	}, values); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, c := range []struct {
		pairs []any
		want  bool
	}{
		{[]any{"employeeNumber", "1", "WorkerType", "Regular"}, true},
		{[]any{"employeeNumber", "1", "WorkerType", "Intern"}, false},
		{[]any{"employeeNumber", "1"}, false}, // what is empty fails a clause
		{[]any{"department", "IT Support"}, true},
		{nil, false},
	} {
		v := target.View(person(c.pairs...), time.Now())
		if in, err := v.InScope(); err != nil || in != c.want {
			t.Errorf("%v in scope: %t, %v", c.pairs, in, err)
		}
		v.Close()
	}
}

func TestImport_refuses(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		`{`:                            "no exported synchronization schema",
		`{"synchronizationRules": []}`: "no mapping of people",
	} {
		if _, err := entra.Import([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Whatever an expression is, it is translated or refused.
func FuzzImport(f *testing.F) {
	for _, text := range []string{`Join("-", [a], , "x\"")`, `IIF([a]<>"b", 1, &HF)`, `[`, `F(`, `Left([a],-1)`, `"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.Map(func(r rune) rune {
			if r < ' ' && r != '\n' {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(text, "?")))
		im, err := entra.Import([]byte(`{"synchronizationRules": [{"objectMappings": [{"sourceObjectName": "user", "targetObjectName": "user", "attributeMappings": [` +
			`{"targetAttributeName": "title", "source": {"type": "Function", "expression": "` + quoted + `"}}]}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(im.Document), "title:") && len(im.Notes) < 2 {
			t.Fatalf("%q is neither carried over nor noted", text)
		}
	})
}
