package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func agentCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "agent", Short: "Agents that have joined"}
	c.AddCommand(agentList(s), agentShow(s), agentApprove(s), agentDecline(s), agentRevoke(s), agentRing(s))
	return c
}

func agentList(s *session) *cobra.Command {
	var site, state, ring, text string
	c := &cobra.Command{
		Use:   "list",
		Short: "List agents",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := values("site", site, "state", state, "ring", ring, "q", text)
			var list []client.Agent
			if err := s.api.Items(cmd.Context(), "/v1/agents", q, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("AGENT", "SITE", "HOST", "STATE", "SINCE", "VERSION", "RING", "UPDATE", "CERTIFICATE ENDS", "GUARDRAIL")
				for _, a := range list {
					t.row(a.ID, a.Site, a.Host, standing(a), stamp(since(a)), a.Version, orDash(a.Ring), updateState(a.Update), stamp(a.CertExpires), guardrail(a.Guardrail))
				}
				if len(q) > 0 {
					t.print(s, "No agent matches.")
					return
				}
				t.print(s, "No agents yet. Make a token for the first with: drawbridge token create --site SITE")
			})
		},
	}
	c.Flags().StringVar(&site, "site", "", "only of this site")
	c.Flags().StringVar(&state, "state", "", "only connected, away, revoked, or asking for approval")
	c.Flags().StringVar(&ring, "ring", "", "only of this ring of updates")
	c.Flags().StringVar(&text, "search", "", "only whose host's name holds this, or whose id it is")
	return c
}

func agentRing(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "ring AGENT [RING]",
		Short: "Say in which ring of updates an agent is; without a ring, in none",
		Long: `Ring says which agents get a new release together: canary first, then stable, say.
"drawbridge ring set" moves a ring to a release. An agent updates itself only if
agent.yaml of its host names who must have signed the release.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: s.complete("/v1/agents", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var in client.Ring
			if len(args) == 2 {
				in.Ring = args[1]
			}
			var a client.Agent
			if err := s.api.Post(cmd.Context(), "/v1/agents/"+segment(args[0])+"/ring", in, &a); err != nil {
				return err
			}
			return s.show(a, func() { s.printf("The agent on %s is in ring %s.", a.Host, orDash(a.Ring)) })
		},
	}
}

// updateState says in a few words how an update stands.
func updateState(u *client.AgentUpdate) string {
	switch {
	case u == nil:
		return "-"
	case u.State == "current":
		return u.State
	}
	return u.State + " " + u.Version
}

// standing is an agent's state, and that it waits for somebody.
func standing(a client.Agent) string {
	if asks(a) {
		return a.State + ", asks for approval"
	}
	return a.State
}

// guardrail says in a few words what an agent obeys, and what it holds back.
func guardrail(g client.Guardrail) string {
	text := orDash(g.Mode)
	if g.Digest != "" {
		text += fmt.Sprintf(" %.12s", g.Digest)
	}
	if g.Waiting > 0 {
		text += fmt.Sprintf(", %d wait", g.Waiting)
	}
	if g.Denied > 0 {
		text += fmt.Sprintf(", %d denied", g.Denied)
	}
	return text
}

func asks(a client.Agent) bool { return a.Approval != nil && a.Approval.State == "waiting" }

func agentShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "show AGENT",
		Short:             "Show an agent, and what it asks for",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/agents", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var a client.Agent
			if err := s.api.Get(cmd.Context(), "/v1/agents/"+segment(args[0]), nil, &a); err != nil {
				return err
			}
			return s.show(a, func() { s.agent(a) })
		},
	}
}

func (s *session) agent(a client.Agent) {
	t := newTable("", "")
	t.row("agent", a.ID)
	t.row("site", a.Site)
	t.row("host", a.Host+", "+orDash(a.Platform))
	t.row("state", a.State+" since "+stamp(since(a)))
	t.row("release", a.Version)
	t.row("ring", orDash(a.Ring))
	t.row("update", updateState(a.Update))
	if u := a.Update; u != nil {
		if u.Cause != "" {
			t.row("", u.Cause)
		}
		t.row("", "since "+stamp(u.Since))
		if u.Previous != "" {
			t.row("", "would go back to "+u.Previous)
		}
	}
	t.row("connectors", orDash(strings.Join(a.Connectors, ", ")))
	t.row("joined", stamp(a.Enrolled))
	t.row("certificate", fmt.Sprintf("ends %s, attested %d×", stamp(a.CertExpires), a.Generation))
	t.row("guardrail", guardrail(a.Guardrail))
	for _, line := range a.Guardrail.Summary {
		t.row("", line)
	}
	t.bare(s)
	if f := a.Guardrail.Fault; f != nil {
		s.printf("\nThe guardrail cannot be used, and everything is denied: %s\n%s", f.Cause, f.NextStep)
	}
	if a.Approval == nil {
		return
	}
	s.printf("")
	t = newTable("", "")
	t.row("approval", a.Approval.State+", asked for "+stamp(a.Approval.At))
	t.row("from host", a.Approval.Host)
	t.row("key", a.Approval.Key)
	t.bare(s)
	s.printf("  %s", a.Approval.Why)
	if asks(a) {
		s.printf("\nIf that is as it should be, and `drawbridge-agent status` on that host shows the same key:\n  drawbridge agent approve %s --key %s\nelse:\n  drawbridge agent decline %s", a.ID, a.Approval.Key, a.ID)
	}
}

func agentApprove(s *session) *cobra.Command {
	return s.decision(&cobra.Command{
		Use:   "approve AGENT",
		Short: "Let an agent be attested anew that cannot just be believed",
		Long: `Approve lets an agent be attested anew: one that was away for longer than its
certificate and the grace, was restored from a snapshot, or replaces a host that
it is a clone of. It fetches a certificate for the key that it made; those from
before are good for nothing from then on, and a stream by one of them is cut.
"drawbridge agent show" says why it asks.`,
	}, "approve", "Agent %s is let in again on host %s: it fetches its certificate within a minute.")
}

func agentDecline(s *session) *cobra.Command {
	return s.decision(&cobra.Command{
		Use:   "decline AGENT",
		Short: "Do not let an agent be attested anew",
		Long: `Decline refuses what an agent asks for. Nothing changes for the host that has the
identity now; the one that asked needs a join token of its own.`,
	}, "decline", "What agent %s asked for from host %s is declined.")
}

func (s *session) decision(c *cobra.Command, verb, done string) *cobra.Command {
	var key string
	c.Args, c.ValidArgsFunction = cobra.ExactArgs(1), s.complete("/v1/agents", "id")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var a client.Agent
		if err := s.api.Post(cmd.Context(), "/v1/agents/"+segment(args[0])+"/"+verb, client.AgentDecision{Key: key}, &a); err != nil {
			return err
		}
		host := a.Host
		if a.Approval != nil {
			host = a.Approval.Host
		}
		return s.show(a, func() { s.printf(done, a.ID, host) })
	}
	c.Flags().StringVar(&key, "key", "", "fingerprint that the request must have, as drawbridge-agent status on that host shows it")
	return c
}

// since gives the instant that matters for the agent's state.
func since(a client.Agent) time.Time {
	if a.State == "connected" {
		return a.Connected
	}
	return a.Seen
}

func agentRevoke(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke AGENT",
		Short: "Shut an agent out for good",
		Long: `Revoke shuts an agent out for good: its stream ends, its certificate is no longer taken.
Work that it holds goes to the other agents of its site. To return it must join with a new token.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/agents", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var a client.Agent
			if err := s.api.Post(cmd.Context(), "/v1/agents/"+segment(args[0])+"/revoke", nil, &a); err != nil {
				return err
			}
			return s.show(a, func() { s.printf("Agent %s (%s, site %s) is shut out.", a.ID, a.Host, a.Site) })
		},
	}
}
