package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func driftCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "drift",
		Short: "What others changed at systems, and what was undone",
		Long: `Drift is where an account is other than its rules want, and that is known: somebody changed it at the
system, or a change of ours was undone. The drift of a rule in its document says whether it is put back,
adopted, or left until somebody decides.`,
	}
	c.AddCommand(driftList(s),
		driftDecide(s, "adopt", "Let it stand, until the rules want something else"),
		driftDecide(s, "revert", "Write again what the rules want"))
	return c
}

func driftList(s *session) *cobra.Command {
	var system, kind string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List drift, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Drift
			if err := s.api.Items(cmd.Context(), "/v1/drift", values("system", system, "kind", kind, "limit", fmt.Sprint(limit)), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("SEEN", "PERSON", "SYSTEM", "ATTRIBUTE", "KIND", "IS", "NOT WRITTEN")
				for _, d := range list {
					t.row(stamp(d.At), strings.TrimSpace(d.Person+" "+d.Display), d.System, d.Attribute, d.Kind, held(d.Found), held(d.Refused))
				}
				t.print(s, "No drift is known.")
			})
		},
	}
	c.Flags().StringVar(&system, "system", "", "only of this system")
	c.Flags().StringVar(&kind, "kind", "", "only of this kind: found, left, adopted, undone")
	c.Flags().IntVarP(&limit, "limit", "n", 50, "how many")
	s.completeFlag(c, "system", "/v1/systems", "name")
	return c
}

func driftDecide(s *session, verb, text string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " PERSON SYSTEM [ATTRIBUTE]",
		Short: text,
		Args:  cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := client.DriftDecision{Person: args[0], System: args[1]}
			if len(args) == 3 {
				in.Attribute = args[2]
			}
			var done client.Decided
			if err := s.api.Post(cmd.Context(), "/v1/drift/"+verb, in, &done); err != nil {
				return err
			}
			return s.show(done, func() { s.printf("%d of %s. %s", done.Jobs, args[0], done.Detail) })
		},
	}
}

func personPreview(s *session) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "preview KEY",
		Short: "Look a person up now, and show what is to be done for them without doing it",
		Long: `Preview has the person's records looked up where they come from, and makes a plan of what is to be done.
Approve it to have just that done; undecided, it is planned as ever after a quarter of an hour.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/people/" + segment(args[0]) + "/preview"
			if err := s.api.Post(cmd.Context(), path, nil, nil); err != nil {
				return err
			}
			seen, err := s.awaitPreview(cmd.Context(), path, wait)
			if err != nil {
				return err
			}
			if seen.Plan != nil {
				return s.showPlan(cmd, *seen.Plan)
			}
			return s.show(seen, func() { s.printf("Nothing is to be done for %s.", args[0]) })
		},
	}
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the systems that are asked")
	return c
}

// awaitPreview asks until the preview of a person is complete, at least once.
func (s *session) awaitPreview(ctx context.Context, path string, wait time.Duration) (seen client.Preview, err error) {
	late, err := poll(ctx, wait, func() (bool, error) {
		err := s.api.Get(ctx, path, nil, &seen)
		return seen.State == "nothing" || seen.State == "planned", err
	})
	if late {
		err = errors.New("the systems have not answered in time; what was planned will be in: drawbridge plan list")
	}
	return seen, err
}

// poll asks, at least once, until all is there. late tells that the time was over sooner.
func poll(ctx context.Context, wait time.Duration, ask func() (all bool, err error)) (late bool, err error) {
	over := time.After(wait)
	for {
		if all, err := ask(); all || err != nil {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-over:
			return true, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func personRun(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "run KEY",
		Short:             "Look a person up now, and do what is to be done for them",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var started client.Started
			if err := s.api.Post(cmd.Context(), "/v1/people/"+segment(args[0])+"/run", nil, &started); err != nil {
				return err
			}
			return s.show(started, func() { s.printf("%s", started.Detail) })
		},
	}
}
