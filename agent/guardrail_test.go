package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// The way of the domain's admin: see what is asked for, write and sign a
// policy, see a job wait, let it pass, and see everything denied when somebody
// changes the file. The coordinator is told of all of it.
func TestGuardrail(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t, nil)
	s := newSite(t, c)
	c.systems = &linkv1.Systems{Systems: []*linkv1.System{{
		Name: "dir", Connector: "fake", Revision: 1, Attributes: []string{"login"}, Settings: fmt.Sprintf(`{"state": %q}`, filepath.Join(s.dir, "state")),
	}}}
	next := uint64(0)
	hire := func(login string) uint64 {
		next++
		c.add(&linkv1.Job{Id: next, System: "dir", Object: login, Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{
			Class: "user", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
				Container: "staff", Name: login, Attributes: []*connectorv1.Attribute{{Name: "login", Values: []string{login}}},
				Anchor: &connectorv1.Attribute{Name: "login", Values: []string{login}},
			}}}}})
		return next
	}
	s.start()
	defer func() { s.kill() }()
	hire("first")
	c.wait(t, 1, time.Minute)
	c.waitGuardrail(t, "built-in rules are told", func(g *linkv1.Guardrail) bool { return g.GetMode() == "built-in" })
	s.command("", 0, []string{"built-in rules", "dir create: 1 in the last hour"}, "guard", "show")
	s.command("", 0, []string{"mode: observe", `"dir":`, `connector: "fake"`, `- "create"`, `- "login"`, `- "staff"`}, "guard", "draft")

	policy, key := filepath.Join(s.dir, "guardrail.yaml"), filepath.Join(s.dir, "guard.key")
	text := "mode: enforce\nsystems:\n  dir:\n    budgets:\n      create: {hour: 2}\n"
	if err := os.WriteFile(policy, []byte(strings.Replace(text, "create", "creat", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command("", 3, []string{"guardrail.yaml:5:", `"creat" is none of`}, "guard", "check")
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command("", 0, []string{"serves: mode enforce", "dir: all verbs, all classes, create 2/hour"}, "guard", "check")
	out := s.output("guard", "key", key)
	pin := regexp.MustCompile(`key: (\S+=)`).FindStringSubmatch(out)
	if pin == nil {
		t.Fatalf("guard key printed %q; want the public key", out)
	}
	s.command("", 1, []string{"exists"}, "guard", "key", key)
	time.Sleep(3 * time.Second) // what no budget is for is counted on disk within two
	s.kill()
	conf, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, append(conf, "guardrail: {key: "+pin[1]+"}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command("", 1, []string{"is not signed", "guard sign"}, "guard", "check")
	s.command("", 0, []string{"signed"}, "guard", "sign", "--key", key, policy)
	s.command("", 0, []string{"serves"}, "guard", "check")
	s.start()
	c.waitGuardrail(t, "the signed policy is told", func(g *linkv1.Guardrail) bool {
		return g.GetMode() == "enforce" && g.GetSigned() && len(g.GetDigest()) == 64
	})

	hire("second")
	c.wait(t, 2, time.Minute)
	third := hire("third")
	c.waitGuardrail(t, "the third waits", func(g *linkv1.Guardrail) bool {
		return len(g.GetWaiting()) == 1 && g.GetWaiting()[0].GetJob() == third && strings.Contains(g.GetWaiting()[0].GetCause(), "guardrail.yaml:5 systems.dir.budgets.create.hour")
	})
	s.command("", 0, []string{fmt.Sprint(third), "dir", "2 of 2 a hour", "guardrail.yaml:5"}, "approve")
	s.command("", 1, []string{"no such job waits", "4711"}, "approve", "4711")
	s.command("", 0, []string{"may pass, once"}, "approve", fmt.Sprint(third))
	c.wait(t, 3, time.Minute)
	c.waitGuardrail(t, "nobody waits", func(g *linkv1.Guardrail) bool { return len(g.GetWaiting()) == 0 })

	if err := os.WriteFile(policy, []byte(strings.Replace(text, "hour: 2", "hour: 2000", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.waitGuardrail(t, "a changed file is told", func(g *linkv1.Guardrail) bool {
		return g.GetMode() == "broken" && strings.Contains(g.GetFault().GetCause(), "does not fit")
	})
	fourth := hire("fourth")
	c.wait(t, 4, time.Minute)
	for id, r := range c.results {
		want := connectorv1.Outcome_OUTCOME_DONE
		if id == fourth {
			want = connectorv1.Outcome_OUTCOME_DENIED
		}
		if r.GetOutcome() != want {
			t.Errorf("job %d = %v; want %v", id, r, want)
		}
	}
	s.command("", 6, []string{"broken", "does not fit"}, "guard", "show")
	s.command("", 6, []string{"everything is denied"}, "status")
}
