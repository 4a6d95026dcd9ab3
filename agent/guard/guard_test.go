package guard_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/guard"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// All faults of a policy are told at once, each with its line.
func TestParse_faultsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := guard.Parse("guardrail.yaml", []byte(`mode: strict
systems:
  ad:
    connector: activedirectory
    verbs: [create, destroy]
    classes:
    bases: ["OU=Staff,DC=corp", "Staff", "<GUID=1>"]
    attributes:
      create: [cn]
      move: [cn]
    never_set: [0x80000, 3, delegation]
    groups: ["below nothing", "Domain Admins", S-1-5-21-1-2-3-1104]
    never_touch: [1104, Administrators]
    budgets:
      create: {hour: -1, week: 5}
      buy: {day: 1}
    hours: {zone: Middle-Earth, from: "9", to: "08:00", days: [monday]}
    wihthold: [salary]
`))
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("Parse() = %v; want faults", err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Error())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		`:1:7: mode "strict" is none of`, `:5:21: systems.ad.verbs[1] "destroy"`, `:6:`, `systems.ad.classes is empty`, `:7:33: systems.ad.bases[1] "Staff"`,
		`:7:42: systems.ad.bases[2] "<GUID=1>"`, `:10:`, `systems.ad.attributes.move "move" is none of create, modify`, `:11:26: systems.ad.never_set[1]`, `systems.ad.never_set[2]`,
		`:12:14: systems.ad.groups[0]`, `systems.ad.groups[1]`, `:13:25: systems.ad.never_touch[1]`, `:15:`, `-1 is less than none`, `"week" is none of hour, day`,
		`:16:`, `"buy" is none of`, `:17:`, `"Middle-Earth" is no time zone`, `"9" is no time of day`, `"monday" is none of`, `:18:5: unknown key "systems.ad.wihthold"; did you mean "withhold"?`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("faults do not say %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "groups[2]") {
		t.Errorf("the SID among the groups is called a fault:\n%s", all)
	}
}

// A policy that cannot be trusted allows nothing, and says why.
func TestGuard_failsClosed(t *testing.T) {
	t.Parallel()
	const good = "mode: enforce\nsystems: {app: {}}\n"
	for name, tt := range map[string]struct {
		breaks func(t *testing.T, path string)
		says   string
	}{
		"fault":    {func(t *testing.T, path string) { rewrite(t, path, "mode: enforce\nsystems: {app: {verb: [create]}}\n") }, `unknown key "systems.app.verb"`},
		"no YAML":  {func(t *testing.T, path string) { rewrite(t, path, "mode: [") }, "guardrail.yaml:1"},
		"gone":     {func(t *testing.T, path string) { os.Remove(path) }, "was there and is gone"},
		"a folder": {func(t *testing.T, path string) { os.Remove(path); os.Mkdir(path, 0o700) }, "is no file"},
		"others may write": {func(t *testing.T, path string) {
			if runtime.GOOS == "windows" {
				t.Skip("modes mean nothing there")
			}
			rewrite(t, path, good+"#\n")
			os.Chmod(path, 0o666)
		}, "can be written by others"},
		"others may replace": {func(t *testing.T, path string) {
			if runtime.GOOS == "windows" {
				t.Skip("modes mean nothing there")
			}
			rewrite(t, path, good+"#\n")
			os.Chmod(filepath.Dir(path), 0o777)
		}, "can be written by others"},
		"another's": {func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			rewrite(t, path, good+"#\n")
			os.Chown(path, 12345, -1)
		}, "must belong to root"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, good)
			if v := d.check(d.job(remove("1"))); v.Decision != guard.Allow {
				t.Fatalf("before: %+v; want it to pass", v)
			}
			tt.breaks(t, filepath.Join(d.dir, "guardrail.yaml"))
			d.now = d.now.Add(time.Minute)
			v := d.check(d.job(remove("1")))
			if v.Decision != guard.Deny || v.Outcome != connectorv1.Outcome_OUTCOME_DENIED || !strings.Contains(v.Fault.GetCause(), tt.says) {
				t.Errorf("verdict = %+v; want a denial that says %q", v, tt.says)
			}
			if s := d.State(); s.GetMode() != "broken" || !strings.Contains(s.GetFault().GetCause(), tt.says) {
				t.Errorf("State() = %v; want broken, and why", s)
			}
			os.Chmod(d.dir, 0o700)
			os.RemoveAll(filepath.Join(d.dir, "guardrail.yaml"))
			d.write(good)
			d.now = d.now.Add(time.Minute)
			if v := d.check(d.job(remove("1"))); v.Decision != guard.Allow {
				t.Errorf("after it was mended: %+v; want it to pass", v)
			}
		})
	}
}

func rewrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// With a pinned key, only what that key has signed counts.
func TestRead_signature(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := base64.StdEncoding.EncodeToString(public)
	path := filepath.Join(t.TempDir(), "guardrail.yaml")
	text := []byte("mode: built-in\n")
	rewrite(t, path, string(text))
	if _, err := guard.Read(path, key); err == nil || !strings.Contains(err.Error(), "is not signed") {
		t.Errorf("without a signature: %v; want it refused", err)
	}
	rewrite(t, guard.SignatureFile(path), guard.Sign(text, stranger))
	if _, err := guard.Read(path, key); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("signed by a stranger: %v; want it refused", err)
	}
	rewrite(t, guard.SignatureFile(path), guard.Sign(text, private))
	if p, err := guard.Read(path, key); err != nil || !p.Signed {
		t.Errorf("signed: %+v, %v; want it taken", p, err)
	}
	rewrite(t, path, "mode: built-in\n#\n")
	if _, err := guard.Read(path, key); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("changed after it was signed: %v; want it refused", err)
	}
	os.Remove(path)
	g, err := guard.Open(guard.Options{Policy: path, Key: key, Data: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if mode := g.State().GetMode(); mode != "broken" {
		t.Errorf("with a pinned key and no file: %s; want broken", mode)
	}
}

// The rules that need no directory hold for every system.
func TestGuard_systemsOfAllKinds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, `mode: enforce
systems:
  app:
    connector: sql
    verbs: [create, modify, password]
    classes: [row]
    attributes: {create: [name], modify: [name, mail]}
    recipients: [age1desk]
    withhold: [salary]
`)
	row := func(verb any) *connectorv1.Operation {
		op := &connectorv1.Operation{Class: "row", Id: "1"}
		switch v := verb.(type) {
		case *connectorv1.Create:
			op.Verb = &connectorv1.Operation_Create{Create: v}
		case *connectorv1.Modify:
			op.Verb = &connectorv1.Operation_Modify{Modify: v}
		case *connectorv1.SetPassword:
			op.Verb = &connectorv1.Operation_SetPassword{SetPassword: v}
		}
		return op
	}
	password := func(to ...string) *connectorv1.PasswordRule {
		return &connectorv1.PasswordRule{Length: 20, Recipients: to}
	}
	other := remove("1")
	other.Verb = nil
	table := modify("1", "name", "x")
	table.Class = "table"
	for name, tt := range map[string]struct {
		op   *connectorv1.Operation
		rule string
	}{
		"allowed":                 {row(&connectorv1.Create{Attributes: []*connectorv1.Attribute{attribute("Name", "x")}}), ""},
		"no password leaves":      {row(&connectorv1.SetPassword{Rule: password()}), ""},
		"to the desk":             {row(&connectorv1.SetPassword{Rule: password("age1desk")}), ""},
		"verb":                    {remove("1"), "guardrail.yaml:5 systems.app.verbs"},
		"unknown verb":            {other, "built-in rule verbs"},
		"class":                   {table, "guardrail.yaml:6 systems.app.classes"},
		"attribute at birth":      {row(&connectorv1.Create{Attributes: []*connectorv1.Attribute{attribute("mail", "x")}}), "guardrail.yaml:7 systems.app.attributes.create"},
		"attribute":               {row(&connectorv1.Modify{Changes: []*connectorv1.Change{{Name: "mail"}, {Name: "rights"}}}), "guardrail.yaml:7 systems.app.attributes.modify"},
		"to a stranger":           {row(&connectorv1.SetPassword{Rule: password("age1desk", "age1evil")}), "guardrail.yaml:8 systems.app.recipients"},
		"to a stranger, at birth": {row(&connectorv1.Create{Password: password("age1evil")}), "guardrail.yaml:8 systems.app.recipients"},
	} {
		v := d.check(d.job(tt.op))
		if tt.rule == "" && v.Decision != guard.Allow || tt.rule != "" && (v.Decision != guard.Deny || v.Fault.GetRaw() != tt.rule) {
			t.Errorf("%s: %v by %q; want rule %q", name, v.Decision, v.Fault.GetRaw(), tt.rule)
		}
	}

	for name, system := range map[string]*linkv1.System{
		"systems":               {Name: "another", Connector: "sql"},
		"systems.app.connector": {Name: "app", Connector: "ldap"},
	} {
		v := d.Check(t.Context(), guard.Question{System: system, Job: d.job(row(&connectorv1.Modify{}))})
		if v.Decision != guard.Deny || !strings.Contains(v.Fault.GetRaw(), "systems") {
			t.Errorf("%s: %+v; want it denied", name, v)
		}
	}

	// What is withheld neither leaves nor is asked for.
	app := &linkv1.System{Name: "app", Connector: "sql", Attributes: []string{"name", "Salary", "mail"}}
	if got := d.MayLeave(app); !slices.Equal(got, []string{"name", "mail"}) {
		t.Errorf("MayLeave() = %v; want name and mail", got)
	}
	find := &linkv1.Job{Id: 1, Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{Class: "row", Attribute: "SALARY", Values: []string{"100000"}}}}
	if v := d.Check(t.Context(), guard.Question{System: app, Job: find}); v.Decision != guard.Deny || v.Fault.GetRaw() != "guardrail.yaml:9 systems.app.withhold[0]" {
		t.Errorf("look-up by salary = %+v; want it denied", v)
	}
}

// Observing reports and lets pass; the draft of what was seen is a policy that
// allows it, and no more.
func TestGuard_observeAndDraft(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "mode: observe\nsystems: {other: {}}\n")
	op := modify("1", "mail", "x")
	if v := d.check(d.job(op)); v.Decision != guard.Allow {
		t.Fatalf("verdict = %+v; want it to pass", v)
	}
	if s := d.State(); s.GetDenied() != 1 || s.GetMode() != "observe" {
		t.Errorf("State() = %v; want what would have been denied counted", s)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d.open()
	draft := d.Draft()
	p, err := guard.Parse("draft", []byte(draft))
	if err != nil || p.Mode != guard.Observe {
		t.Fatalf("draft = %v\n%s", err, draft)
	}
	d.write(strings.Replace(draft, "mode: observe", "mode: enforce", 1))
	d.now = d.now.Add(time.Minute)
	if v := d.check(d.job(op)); v.Decision != guard.Allow {
		t.Errorf("what was seen = %+v; want the draft to allow it", v)
	}
	for name, op := range map[string]*connectorv1.Operation{"another attribute": modify("1", "title", "x"), "another verb": remove("1")} {
		if v := d.check(d.job(op)); v.Decision != guard.Deny {
			t.Errorf("%s = %v; want the draft to deny it", name, v.Decision)
		}
	}
}

// The policy that README.md shows serves as it is.
func TestREADME_showsAPolicyThatServes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "<!-- guardrail.yaml -->\n```yaml\n")
	sample, _, ends := strings.Cut(rest, "```")
	if !found || !ends {
		t.Fatal("README.md shows no guardrail.yaml")
	}
	p, err := guard.Parse("guardrail.yaml", []byte(sample))
	if err != nil || len(p.Systems) < 2 || p.Mode != guard.Enforce {
		t.Errorf("Parse(sample) = %v, %v", p, err)
	}
}

// Whatever a file holds, reading it ends, and what it takes for a policy can be asked.
func FuzzParse(f *testing.F) {
	f.Add("mode: enforce\nsystems:\n  ad: {connector: activedirectory, bases: [\"OU=a,DC=b\"], budgets: {create: {hour: 1}}}\n")
	f.Add("mode: built-in\n")
	f.Add("systems: {\"\": {\"\": {}}}\n\"\": {verbs: []}\n")
	f.Add("mode: &a [*a]\n")
	f.Add(staffPolicy)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := guard.Parse("guardrail.yaml", []byte(text))
		if err == nil {
			_ = p.Summary()
			if p.Mode == "" {
				t.Errorf("a policy without a mode was taken: %q", text)
			}
		}
	})
}
