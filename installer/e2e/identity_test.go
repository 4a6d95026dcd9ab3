package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
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

// Of certificates that live for seconds: long enough that a busy machine renews in time.
const (
	certificateLife = 12 * time.Second
	renewalGrace    = 2 * time.Second
)

// Pain 7: the life of an identity, from its renewal under load to its end, each part
// going on from where the one before it has left everything.
func TestPain07_identity(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	t.Setenv("DRAWBRIDGE_CERTIFICATE_LIFE", certificateLife.String())
	t.Setenv("DRAWBRIDGE_RENEWAL_GRACE", renewalGrace.String())
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		name string
		play func(*testing.T, *stage.Stage)
	}{
		{"renewed under load", renewedUnderLoad}, {"away for too long", awayForTooLong}, {"cloned", cloned},
		{"restored", restored}, {"revoked", revoked},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.play(t, s) }) {
			return
		}
	}
}

// Certificates change while people are hired, and the stream is the same all the time.
func renewedUnderLoad(t *testing.T, s *stage.Stage) {
	eventually(t, 20*time.Second, func() string { return unless(theAgent(t, s).State == "connected", "the agent is not connected") })
	before := theAgent(t, s)
	last, renewals := before.CertExpires, 0
	for round := 0; renewals < 2 && round < 20; round++ {
		s.File.Put(workers.List(40 * (round + 1))...)
		export(t, s)
		if a := theAgent(t, s); a.CertExpires.After(last) {
			last, renewals = a.CertExpires, renewals+1
		} else {
			time.Sleep(time.Second)
		}
	}
	after := theAgent(t, s)
	if renewals < 2 {
		t.Errorf("%d renewals; want at least 2", renewals)
	}
	if !after.Connected.Equal(before.Connected) || after.Generation != before.Generation {
		t.Errorf("connected since %v in generation %d; want still since %v in %d", after.Connected, after.Generation, before.Connected, before.Generation)
	}
}

// An agent that was away beyond the grace asks, an admin approves, and it works
// again: nothing is installed anew, no password given again.
func awayForTooLong(t *testing.T, s *stage.Stage) {
	s.Agent.Stop()
	time.Sleep(certificateLife + renewalGrace + time.Second)
	if err := s.Agent.Start(); err != nil {
		t.Fatal(err)
	}
	a := asksFor(t, s, "ended")
	pid := s.Agent.PID()
	late := worker("E900", "Late", "Comer", "Sales")
	s.File.Put(late)
	if err := s.File.Save(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CLI(t.Context(), "agent", "approve", a.ID, "--key", "0000000000000000"); err == nil {
		t.Error("another key than the one that asks was approved")
	}
	if account(t, s, "E900") != nil {
		t.Error("an agent that nobody has let in has worked")
	}
	approve(t, s, a, 2)
	if s.Agent.PID() != pid {
		t.Error("the process ended by the approval; want it to begin anew by itself")
	}
	if kept, err := filepath.Glob(filepath.Join(s.Dir, "agent", "spool.db.before-*")); err != nil || len(kept) == 0 {
		t.Errorf("journals set aside: %v, %v; want one", kept, err)
	}
	export(t, s)
	want(t, s, "E900", map[string]string{"enabled": "true", "title": "Analyst"})
}

// Of two hosts with one identity the first goes on, and the second is told why not.
func cloned(t *testing.T, s *stage.Stage) {
	s.Agent.Stop()
	// From here on a certificate that has ended is renewed: what is asked about is something else.
	t.Setenv("DRAWBRIDGE_RENEWAL_GRACE", "1h")
	s.Coordinator.Stop()
	if err := s.Coordinator.Start(); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, filepath.Join(s.Dir, "agent"), filepath.Join(s.Dir, "twin"))
	copyFolder(t, filepath.Join(s.Dir, "agent"), filepath.Join(s.Dir, "old"))
	if err := s.Agent.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() string {
		_, err := s.Status(t.Context())
		return unless(err == nil, "the coordinator is not back")
	})
	eventually(t, 20*time.Second, func() string { return unless(theAgent(t, s).State == "connected", "the first is not connected") })
	since := theAgent(t, s).Connected

	text, err := os.ReadFile(filepath.Join(s.Dir, "agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.Dir, "twin.yaml")
	twins := strings.Replace(string(text), filepath.Join(s.Dir, "agent")+"\n", filepath.Join(s.Dir, "twin")+"\n", 1)
	if err := os.WriteFile(config, []byte(twins), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	twin := exec.CommandContext(ctx, filepath.Join(bin, "drawbridge-agent"), "run", "--config", config)
	var said bytes.Buffer
	twin.Stdout, twin.Stderr = &said, &said
	if err := twin.Start(); err != nil {
		t.Fatal(err)
	}
	a := asksFor(t, s, "one is a clone of the other")
	cancel()
	_ = twin.Wait() // it was killed
	if a.State != "connected" || !a.Connected.Equal(since) {
		t.Errorf("the first is %s since %v; want connected since %v\n%s", a.State, a.Connected, since, said.String())
	}
	if _, err := s.CLI(t.Context(), "agent", "decline", a.ID); err != nil {
		t.Error(err)
	}
}

// A host that was set back is told from a clone, and is let in again.
func restored(t *testing.T, s *stage.Stage) {
	s.Agent.Stop()
	if err := os.RemoveAll(filepath.Join(s.Dir, "agent")); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, filepath.Join(s.Dir, "old"), filepath.Join(s.Dir, "agent"))
	if err := s.Agent.Start(); err != nil {
		t.Fatal(err)
	}
	approve(t, s, asksFor(t, s, "restored from a snapshot"), 3)
	s.File.Put(worker("E901", "Set", "Back", "Sales"))
	export(t, s)
	want(t, s, "E901", map[string]string{"enabled": "true"})
}

// The stream of a revoked agent is cut within five seconds, and it does not come back.
func revoked(t *testing.T, s *stage.Stage) {
	if !linked(t, s) {
		t.Fatal("the agent is not connected")
	}
	began := time.Now()
	if _, err := s.CLI(t.Context(), "agent", "revoke", theAgent(t, s).ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second-time.Since(began), func() string { return unless(!linked(t, s), "the agent is still connected") })
	t.Logf("cut %v after the command was given", time.Since(began).Round(time.Millisecond))
	s.Agent.Kill()
	if err := s.Agent.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() string {
		return unless(strings.Count(s.Agent.Log(), "was revoked at") > 0, "the agent does not say that it was revoked")
	})
	if a := theAgent(t, s); a.State != "revoked" || linked(t, s) {
		t.Errorf("the agent is %s; want it revoked and away", a.State)
	}
}

// theAgent is the only one of the stage, as the coordinator shows it.
func theAgent(t *testing.T, s *stage.Stage) client.Agent {
	t.Helper()
	var list []client.Agent
	if err := s.API.Items(t.Context(), "/v1/agents", nil, &list); err != nil || len(list) != 1 {
		t.Fatalf("agents = %v, %v; want one", list, err)
	}
	return list[0]
}

// asksFor waits until the agent asks an admin, and tells why.
func asksFor(t *testing.T, s *stage.Stage, why string) client.Agent {
	t.Helper()
	var a client.Agent
	eventually(t, 90*time.Second, func() string {
		a = theAgent(t, s)
		return unless(a.Approval != nil && a.Approval.State == "waiting" && strings.Contains(a.Approval.Why, why), "the agent does not ask because it "+why)
	})
	return a
}

// approve lets the agent in, which then has that generation.
func approve(t *testing.T, s *stage.Stage, a client.Agent, generation int64) {
	t.Helper()
	if _, err := s.CLI(t.Context(), "agent", "approve", a.ID, "--key", a.Approval.Key); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() string {
		a := theAgent(t, s)
		return unless(a.State == "connected" && a.Generation == generation && linked(t, s), "the agent is not back")
	})
}

// linked is what the agent itself says about its connection.
func linked(t *testing.T, s *stage.Stage) bool {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), filepath.Join(bin, "drawbridge-agent"), "status", "--json", "--config", filepath.Join(s.Dir, "agent.yaml")).Output()
	var status struct {
		Connected bool `json:"connected"`
	}
	return json.Unmarshal(out, &status) == nil && status.Connected
}

func unless(good bool, complaint string) string {
	if good {
		return ""
	}
	return complaint
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v: %s", from, err, out)
	}
}
