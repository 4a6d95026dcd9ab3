package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func heldCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "held",
		Short: "Changes that wait for a person's approval",
		Long: `A class of change that would touch more accounts than its threshold allows is held, and only
that class; everything else goes on. Approve lets exactly the jobs go that are held now.`,
	}
	c.AddCommand(heldList(s),
		heldDecide(s, "approve", "Let held jobs go", "approved"),
		heldDecide(s, "reject", "Drop held jobs; they come again only when something of the person changes", "rejected"))
	return c
}

func heldList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what is held, by system and class",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Held
			if err := s.api.Items(cmd.Context(), "/v1/held", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() { s.held(list) })
		},
	}
}

func (s *session) held(list []client.Held) {
	p := s.paint()
	if len(list) == 0 {
		s.printf("Nothing is held.")
	}
	for i, h := range list {
		if i > 0 {
			s.printf("")
		}
		s.printf("%s  since %s", p.bold(fmt.Sprintf("%s: %d × %s", h.System, h.Count, h.Class)), stamp(h.Since))
		s.printf("  %s", h.Reason)
		t := newTable("  JOB", "PERSON", "WHAT")
		for _, j := range h.Jobs {
			t.row(fmt.Sprintf("  %d", j.ID), who(j), j.Text)
		}
		t.print(s, "")
		if more := h.Count - int64(len(h.Jobs)); more > 0 {
			s.printf("  … and %d more: drawbridge job list --state held --system %s --class %s", more, h.System, h.Class)
		}
		if len(h.Jobs) > 0 {
			s.printf("  exactly what is asked for: drawbridge job show %d", h.Jobs[0].ID)
		}
		s.printf("  let them go: drawbridge held approve --system %s --class %s", h.System, h.Class)
	}
}

func who(j client.Job) string {
	if j.Display == "" || j.Display == j.Person {
		return orDash(j.Person)
	}
	return j.Person + " " + j.Display
}

func heldDecide(s *session, verb, short, past string) *cobra.Command {
	var in client.Decision
	c := &cobra.Command{
		Use:   verb + " (--system SYSTEM [--class CLASS] | --all | JOB...)",
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil {
					return usageError{cmd, fmt.Errorf("%q is no number of a job", arg)}
				}
				in.Jobs = append(in.Jobs, id)
			}
			if in.System == "" && in.Class == "" && len(in.Jobs) == 0 && !in.All {
				return usageError{cmd, fmt.Errorf("name jobs, --system, --class, or --all")}
			}
			var done client.Decided
			if err := s.api.Post(cmd.Context(), "/v1/held/"+verb, in, &done); err != nil {
				return err
			}
			return s.show(done, func() { s.printf("%d jobs %s. %s", done.Jobs, past, done.Detail) })
		},
	}
	c.Flags().StringVar(&in.System, "system", "", "jobs of this system")
	c.Flags().StringVar(&in.Class, "class", "", "jobs of this class: create, modify, move, enable, disable, membership, delete")
	c.Flags().BoolVar(&in.All, "all", false, "everything that is held")
	s.completeFlag(c, "system", "/v1/systems", "name")
	return c
}
