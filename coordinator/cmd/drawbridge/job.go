package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func jobCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "job", Short: "Jobs: what agents are asked to do"}
	var system, state, class, person, cycle string
	export := s.exportCommand("Export jobs with what they change: a plan, or what was done", "/v1/jobs/export", func() url.Values {
		return values("system", system, "state", state, "class", class, "person", person, "cycle", cycle)
	})
	export.Flags().StringVar(&system, "system", "", "only of this system")
	export.Flags().StringVar(&state, "state", "", "only in this state: held, queued, waiting, sent, done, failed, dropped, or open")
	export.Flags().StringVar(&class, "class", "", "only of this class")
	export.Flags().StringVar(&person, "person", "", "only of the person with this key")
	export.Flags().StringVar(&cycle, "cycle", "", "only planned out of this cycle")
	c.AddCommand(jobList(s), jobShow(s), export)
	return c
}

func jobShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "show JOB",
		Short:             "Show a job with the exact request and answer",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/jobs?limit=50", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var j client.JobDetail
			if err := s.api.Get(cmd.Context(), "/v1/jobs/"+segment(args[0]), nil, &j); err != nil {
				return err
			}
			return s.show(j, func() { s.job(j) })
		},
	}
}

func (s *session) job(j client.JobDetail) {
	p := s.paint()
	s.printf("%s  %s", p.bold(fmt.Sprintf("job %d in %s: %s", j.ID, j.System, j.Text)), stateWord(p, j.State))
	t := newTable("", "")
	t.row("person", orDash(strings.TrimSpace(j.Person+" "+j.Display)))
	t.row("planned", stamp(j.Made))
	t.row("sent", stamp(j.Sent)+" to "+orDash(j.Agent))
	t.row("ended", strings.TrimSpace(stamp(j.Ended)+" "+j.Outcome))
	t.bare(s)
	if j.Fault != nil {
		s.trouble("", *j.Fault)
	}
	if len(j.Reasons) > 0 {
		s.printf("")
		t = newTable("ATTRIBUTE", "BEFORE", "AFTER", "RULE")
		for _, r := range j.Reasons {
			rule := "–"
			if r.Rule != nil {
				rule = r.Rule.Text
			}
			t.row(r.Attribute, orDash(strings.Join(r.Before, ", ")), orDash(strings.Join(r.After, ", ")), rule)
		}
		t.print(s, "")
	}
	s.raw("request", j.Request)
	s.raw("answer", j.Answer)
}

// raw shows JSON as it was sent.
func (s *session) raw(what string, text json.RawMessage) {
	var pretty bytes.Buffer
	if len(text) > 0 && json.Indent(&pretty, text, "  ", "  ") == nil {
		s.printf("\n%s\n  %s", s.paint().bold(what), pretty.String())
	}
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
