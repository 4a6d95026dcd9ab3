package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func runCommand(s *session) *cobra.Command {
	var in client.Run
	var wait bool
	c := &cobra.Command{
		Use:   "run SYSTEM",
		Short: "Read a system now, and act on what is found",
		Example: `  drawbridge run hr                     read what changed
  drawbridge run hr --full              read everything
  drawbridge run corp-ad --person E1001 look at one person now`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var started client.Started
			if err := s.api.Post(cmd.Context(), "/v1/systems/"+segment(args[0])+"/run", in, &started); err != nil {
				return err
			}
			if wait && started.Cycle != 0 {
				return s.follow(cmd.Context(), fmt.Sprint(started.Cycle))
			}
			return s.show(started, func() { s.printf("%s", started.Detail) })
		},
	}
	c.Flags().StringVar(&in.Person, "person", "", "key of one person")
	c.Flags().BoolVar(&in.Full, "full", false, "read everything, not only changes")
	c.Flags().BoolVar(&wait, "wait", false, "show how far it is, until everything that came of it is done")
	c.MarkFlagsMutuallyExclusive("person", "full")
	c.MarkFlagsMutuallyExclusive("person", "wait")
	c.Flags().BoolVar(&in.Preview, "preview", false, "do nothing of what comes of it before it is approved as a plan")
	c.MarkFlagsMutuallyExclusive("person", "preview")
	return c
}

func cycleCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "cycle", Short: "Cycles: reads of systems, and what came of them"}
	c.AddCommand(cycleList(s), cycleShow(s),
		cycleDecide(s, "approve", "Believe a held cycle: what it found gone is gone"),
		cycleDecide(s, "reject", "Disbelieve a held cycle: what it found gone stays"))
	return c
}

func cycleList(s *session) *cobra.Command {
	var system, state string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List the latest cycles",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Cycle
			query := values("system", system, "state", state, "limit", fmt.Sprint(limit))
			if err := s.api.Items(cmd.Context(), "/v1/cycles", query, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("CYCLE", "SYSTEM", "BEGAN", "TOOK", "STATE", "SEEN", "CHANGED", "GONE", "BAD", "NOTE")
				for _, y := range list {
					t.row(fmt.Sprint(y.ID), y.System, stamp(y.Began), took(y), y.State, fmt.Sprint(y.Seen), fmt.Sprint(y.Changed),
						fmt.Sprint(y.Deleted), fmt.Sprint(y.Rejected), y.Reason)
				}
				t.print(s, "No cycles yet. Start one with: drawbridge run SYSTEM")
			})
		},
	}
	c.Flags().StringVar(&system, "system", "", "only of this system")
	c.Flags().StringVar(&state, "state", "", "only in this state: reading, applied, held, failed, rejected")
	c.Flags().IntVarP(&limit, "limit", "n", 20, "how many")
	s.completeFlag(c, "system", "/v1/systems", "name")
	return c
}

func took(y client.Cycle) string {
	if y.Ended.IsZero() {
		return "–"
	}
	return span(y.Ended.Sub(y.Began))
}

func counts(y client.Cycle) string {
	return fmt.Sprintf("%d seen, %d changed, %d gone, %d set aside", y.Seen, y.Changed, y.Deleted, y.Rejected)
}

func cycleShow(s *session) *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use:               "show CYCLE",
		Short:             "Show a cycle and the jobs that came of it",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/cycles", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if follow {
				return s.follow(cmd.Context(), args[0])
			}
			var y client.CycleDetail
			if err := s.api.Get(cmd.Context(), "/v1/cycles/"+segment(args[0]), nil, &y); err != nil {
				return err
			}
			return s.show(y, func() { s.cycle(y) })
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "show how far it is, until everything that came of it is done")
	return c
}

func (s *session) cycle(y client.CycleDetail) {
	p := s.paint()
	s.printf("%s  %s", p.bold(fmt.Sprintf("cycle %d of %s", y.ID, y.System)), stateWord(p, y.State))
	t := newTable("", "")
	t.row("cause", y.Cause)
	t.row("began", stamp(y.Began))
	t.row("took", took(y.Cycle))
	t.row("found", counts(y.Cycle))
	if y.Reason != "" {
		t.row("reason", y.Reason)
	}
	t.bare(s)
	if len(y.Differences) > 0 {
		s.printf("")
		t := newTable("SYSTEM", "CHANGE", "PLANNED", "HELD", "DONE", "FAILED")
		for _, d := range y.Differences {
			t.row(d.System, d.Class, fmt.Sprint(d.Planned), fmt.Sprint(d.Held), fmt.Sprint(d.Done), fmt.Sprint(d.Failed))
		}
		t.print(s, "")
	}
	if len(y.Held) > 0 {
		s.printf("")
		t := newTable("RECORD", "PERSON", "WHAT IS ODD")
		for _, h := range y.Held {
			t.row(h.Record, h.Person, h.Why)
		}
		t.print(s, "")
	}
	if y.State == "held" {
		s.printf("\nBelieve it with: drawbridge cycle approve %d\nElse:            drawbridge cycle reject %d\nRead it again:   drawbridge run %s", y.ID, y.ID, y.System)
		s.exact("Of the read, ", y.ID)
	}
}

func cycleDecide(s *session, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " CYCLE",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/cycles?state=held", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var y client.Cycle
			if err := s.api.Post(cmd.Context(), "/v1/cycles/"+segment(args[0])+"/"+verb, nil, &y); err != nil {
				return err
			}
			return s.show(y, func() { s.printf("Cycle %d of %s is %s.", y.ID, y.System, y.State) })
		},
	}
}

// values makes a query of pairs; empty values are left out.
func values(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
