package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func jobCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "job", Short: "Jobs: what agents are asked to do"}
	c.AddCommand(jobList(s))
	return c
}

func jobList(s *session) *cobra.Command {
	var system, state, class, person string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Job
			query := values("system", system, "state", state, "class", class, "person", person, "limit", fmt.Sprint(limit))
			if err := s.api.Items(cmd.Context(), "/v1/jobs", query, &list); err != nil {
				return err
			}
			return s.show(list, func() { s.jobs(list) })
		},
	}
	c.Flags().StringVar(&system, "system", "", "only of this system")
	c.Flags().StringVar(&state, "state", "", "only in this state: held, queued, waiting, sent, done, failed, dropped, or open")
	c.Flags().StringVar(&class, "class", "", "only of this class")
	c.Flags().StringVar(&person, "person", "", "only of the person with this key")
	c.Flags().IntVarP(&limit, "limit", "n", 50, "how many")
	s.completeFlag(c, "system", "/v1/systems", "name")
	must(c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(
		[]string{"held", "queued", "waiting", "sent", "done", "failed", "dropped", "open"}, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (s *session) jobs(list []client.Job) {
	t := newTable("JOB", "PLANNED", "SYSTEM", "PERSON", "STATE", "WHAT")
	for _, j := range list {
		what := j.Text
		if j.Fault != nil {
			what += ": " + j.Fault.Cause
		}
		t.row(fmt.Sprint(j.ID), stamp(j.Made), j.System, orDash(j.Person), j.State, what)
	}
	t.print(s, "No such jobs.")
}
