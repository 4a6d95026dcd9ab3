package agent_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// command runs the agent's command line and checks its exit status and what it prints.
func (s *site) command(stdin string, status int, says []string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(binary(s.t, "drawbridge-agent"), append([]string{"--config", s.config}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("%v: exit status %d; want %d\n%s", args, got, status, out.String())
	}
	for _, text := range says {
		if !strings.Contains(out.String(), text) {
			s.t.Errorf("%v printed\n%s\nwant it to say %q", args, out.String(), text)
		}
	}
	if strings.Contains(out.String(), "s3cret") {
		s.t.Errorf("%v printed the secret", args)
	}
}

// output runs the agent's command line, which must go well, and returns what it prints.
func (s *site) output(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(binary(s.t, "drawbridge-agent"), append([]string{"--config", s.config}, args...)...).Output()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return string(out)
}

// The way of an admin: join, give a secret, look; and what is said when a step goes wrong.
func TestCommands(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t, &linkv1.Systems{Systems: []*linkv1.System{{
		Name: "dir", Connector: "fake", Revision: 1, Settings: `{"server": "ours.example", "expect": "s3cret"}`,
	}}})
	s := newSite(t, c)
	other := newCoordinator(t, nil)

	s.command("", 1, []string{"has joined already", "--again"}, "enroll", "--token", c.token.Reveal())
	s.command(c.token.Reveal()+"\n", 1, []string{"used already", "make another"}, "enroll", "--again", "--token", "-")
	s.command("", 1, []string{"not our coordinator", "authority"}, "enroll", "--again", "--token", other.token.Reveal())

	s.start()
	defer func() { s.kill() }()
	c.add(&linkv1.Job{Id: 1, System: "dir", Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
	c.wait(t, 1, time.Minute)
	if r := c.results[1]; r.GetOutcome() != connectorv1.Outcome_OUTCOME_DENIED || !strings.Contains(r.GetFault().GetNextStep(), "secret set") {
		t.Errorf("probe without the password = %v; want DENIED that says what to do", r)
	}
	s.command("", 0, []string{"agent-1 at site hq", "connected since", "dir", "fake", "ready"}, "status")
	s.command("", 6, []string{"the password is not the one expected"}, "doctor")
	s.command("s3cret\n", 1, []string{`takes no secret "pasword"`, "it takes: password"}, "secret", "set", "dir", "pasword")
	s.command("s3cret\n", 1, []string{`"nowhere" is not known`, "system apply"}, "secret", "set", "nowhere", "password")
	s.command("\n", 1, []string{"empty"}, "secret", "set", "dir", "password")
	s.command("s3cret\n", 0, []string{"sealed on this host"}, "secret", "set", "dir", "password")
	s.command("", 0, []string{"system dir"}, "doctor")
	c.add(&linkv1.Job{Id: 2, System: "dir", Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
	c.wait(t, 2, time.Minute)
	if r := c.results[2]; r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		t.Errorf("probe with the password = %v; want DONE", r)
	}

	second := *s
	second.agent = nil
	second.command("", 1, []string{"held by another process"}, "run")
	s.kill()
	s.command("", 5, []string{"not running"}, "status")
	s.command("s3cret\n", 0, []string{"sealed"}, "secret", "set", "dir", "password")
	s.command("", 0, []string{"system dir"}, "doctor")
	s.start()
}
