package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func agentCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "agent", Short: "Agents that have joined"}
	c.AddCommand(agentList(s), agentRevoke(s))
	return c
}

func agentList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List agents",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Agent
			if err := s.api.Items(cmd.Context(), "/v1/agents", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("AGENT", "SITE", "HOST", "STATE", "SINCE", "VERSION", "CERTIFICATE ENDS")
				for _, a := range list {
					t.row(a.ID, a.Site, a.Host, a.State, stamp(since(a)), a.Version, stamp(a.CertExpires))
				}
				t.print(s, "No agents yet. Make a token for the first with: drawbridge token create --site SITE")
			})
		},
	}
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
