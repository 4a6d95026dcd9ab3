package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func statusCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Everything at a glance",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var st client.Status
			if err := s.api.Get(cmd.Context(), "/v1/status", nil, &st); err != nil {
				return err
			}
			return s.show(st, func() { s.status(st) })
		},
	}
}

func (s *session) status(st client.Status) {
	p := s.paint()
	s.printf("%s  coordinator %s, %s", p.bold("Drawbridge"), orDash(st.Version), stamp(st.Now))
	t := newTable("", "")
	t.row("people", fmt.Sprintf("%d, %d due now, %d changes ahead by date", st.People, st.Due, st.Alarms))
	var open []string
	for _, state := range []string{"held", "waiting", "queued", "sent"} {
		if n := st.Jobs[state]; n > 0 {
			open = append(open, fmt.Sprintf("%d %s", n, state))
		}
	}
	if n := st.Jobs["placed"]; n > 0 {
		open = append(open, fmt.Sprintf("%d placed with agents for an instant ahead", n))
	}
	if len(open) == 0 {
		open = []string{"none open"}
	}
	t.row("jobs", strings.Join(open, ", "))
	t.row("problems", fmt.Sprint(st.Problems))
	t.bare(s)
	if len(st.Systems) > 0 {
		s.printf("")
		systemTable(st.Systems).print(s, "")
	}
	if len(st.Agents) > 0 {
		s.printf("")
		agents := newTable("AGENT", "SITE", "HOST", "STATE", "SINCE", "VERSION")
		for _, a := range st.Agents {
			agents.row(a.ID, a.Site, a.Host, standing(a), stamp(since(a)), a.Version)
		}
		agents.print(s, "")
	}
	s.attention(st)
}

// attention lists what waits for a person, with the command that looks closer.
func (s *session) attention(st client.Status) {
	p := s.paint()
	var lines []string
	for _, y := range st.Systems {
		if y.State == "failing" {
			cause := "it cannot be reached or read"
			if y.Fault != nil {
				cause = y.Fault.Cause
			}
			lines = append(lines, fmt.Sprintf("%s does not work: %s: drawbridge system show %s", y.Name, cause, y.Name))
		}
	}
	for _, h := range st.Held {
		lines = append(lines, fmt.Sprintf("%d × %s in %s are held: drawbridge held list", h.Count, h.Class, h.System))
	}
	for _, y := range st.Cycles {
		if y.State == "held" {
			lines = append(lines, fmt.Sprintf("cycle %d of %s is held: drawbridge cycle show %d", y.ID, y.System, y.ID))
		}
	}
	for _, a := range st.Agents {
		if asks(a) {
			lines = append(lines, fmt.Sprintf("agent %s on %s asks for approval: drawbridge agent show %s", a.ID, a.Approval.Host, a.ID))
		}
	}
	if st.Problems > 0 {
		lines = append(lines, fmt.Sprintf("%d problems: drawbridge problem list", st.Problems))
	}
	if len(lines) > 0 {
		s.printf("\n%s", p.warn("Needs somebody"))
	}
	for _, line := range lines {
		s.printf("  %s", line)
	}
}
