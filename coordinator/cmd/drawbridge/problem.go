package main

import (
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func problemCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "problem", Short: "What stops accounts from being as wanted"}
	c.AddCommand(problemList(s), problemRetry(s))
	return c
}

func problemList(s *session) *cobra.Command {
	var system string
	c := &cobra.Command{
		Use:   "list",
		Short: "List problems with cause and next step",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Obstacle
			if err := s.api.Items(cmd.Context(), "/v1/problems", values("system", system), &list); err != nil {
				return err
			}
			return s.show(list, func() { s.problems(list) })
		},
	}
	c.Flags().StringVar(&system, "system", "", "only of this system")
	s.completeFlag(c, "system", "/v1/systems", "name")
	return c
}

func (s *session) problems(list []client.Obstacle) {
	p := s.paint()
	if len(list) == 0 {
		s.printf("No problems.")
	}
	for i, o := range list {
		if i > 0 {
			s.printf("")
		}
		s.printf("%s in %s  %s since %s", p.bold(o.Person+" "+o.Display), o.System, o.Kind, stamp(o.At))
		s.trouble("  ", o.Fault)
		s.exact("  ", o.Job)
		s.printf("  try again now: drawbridge problem retry --person %s --system %s", o.Person, o.System)
		if !o.Retry.IsZero() {
			s.printf("  tried %d times, again %s", o.Tries, stamp(o.Retry))
		}
	}
}

func problemRetry(s *session) *cobra.Command {
	var in client.Retry
	var all bool
	c := &cobra.Command{
		Use:   "retry (--person KEY | --system SYSTEM | --all)",
		Short: "Try again now what was stopped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done client.Decided
			if err := s.api.Post(cmd.Context(), "/v1/problems/retry", in, &done); err != nil {
				return err
			}
			return s.show(done, func() { s.printf("%s", done.Detail) })
		},
	}
	c.Flags().StringVar(&in.Person, "person", "", "of the person with this key")
	c.Flags().StringVar(&in.System, "system", "", "in this system")
	c.Flags().BoolVar(&all, "all", false, "all of them")
	c.MarkFlagsOneRequired("person", "system", "all")
	s.completeFlag(c, "system", "/v1/systems", "name")
	return c
}
