package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func planList(s *session) *cobra.Command {
	var state string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List plans that wait for somebody, or did",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Plan
			if err := s.api.Items(cmd.Context(), "/v1/plans", values("state", state, "limit", fmt.Sprint(limit)), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("PLAN", "WHY", "MADE", "STATE", "CHANGES", "HASH")
				for _, p := range list {
					t.row(fmt.Sprint(p.ID), p.Cause, stamp(p.Made), p.State, orDash(summed(p)), orDash(short(p.Hash)))
				}
				t.print(s, "No plans. A system in mode preview, a run with --preview and undo make them.")
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only in this state: open, sealed, approved, rejected, lapsed")
	c.Flags().IntVarP(&limit, "limit", "n", 20, "how many")
	return c
}

// summed says of what a plan is made, in one line.
func summed(p client.Plan) string {
	parts := make([]string, len(p.Counts))
	for i, c := range p.Counts {
		parts[i] = fmt.Sprintf("%s %s %d", c.System, c.Class, c.Changes)
	}
	return strings.Join(parts, ", ")
}

func short(hash string) string { return hash[:min(len(hash), 12)] }

func planShow(s *session) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:               "show PLAN",
		Short:             "Show a plan: each change with the values before, and why",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/plans", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var shown struct {
				client.Plan
				Changes []client.PlanChange `json:"changes"`
			}
			path := "/v1/plans/" + segment(args[0])
			if err := s.api.Get(cmd.Context(), path, nil, &shown.Plan); err != nil {
				return err
			}
			if err := s.api.Items(cmd.Context(), path+"/changes", values("limit", fmt.Sprint(limit)), &shown.Changes); err != nil {
				return err
			}
			return s.show(shown, func() { s.plan(shown.Plan, shown.Changes) })
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 100, "how many changes")
	return c
}

// plan prints a plan with its changes, each as
//
//	E1001 Ada Lovelace  corp-ad: modify title
//	    title  Clerk → Countess
func (s *session) plan(p client.Plan, changes []client.PlanChange) {
	ink := s.paint()
	s.printf("%s  %s  %s", ink.bold(fmt.Sprintf("plan %d of %s", p.ID, p.Cause)), stateWord(ink, p.State), ink.dim(p.Hash))
	if p.By != "" {
		s.printf("%s %s by %s", p.State, stamp(p.Decided), p.By)
	}
	if len(p.Counts) > 0 {
		s.printf("")
		t := newTable("SYSTEM", "CLASS", "CHANGES", "STILL WAITING")
		for _, c := range p.Counts {
			t.row(c.System, c.Class, fmt.Sprint(c.Changes), fmt.Sprint(c.Waiting))
		}
		t.print(s, "")
	}
	total := int64(0)
	for _, c := range p.Counts {
		total += c.Changes
	}
	for _, c := range changes {
		s.printf("\n%s  %s: %s%s", ink.bold(who(c.Job)), c.System, c.Text, map[bool]string{true: "", false: "  (" + c.State + ")"}[c.State == "held"])
		for _, r := range c.Reasons {
			line := fmt.Sprintf("    %s  %s → %s", r.Attribute, held(r.Before), held(r.After))
			if r.Rule != nil {
				line += ink.dim("  " + rule(*r.Rule))
			}
			s.printf("%s", line)
		}
	}
	if more := total - int64(len(changes)); more > 0 {
		s.printf("\n… and %d more: drawbridge plan show %d -n %d", more, p.ID, total)
	}
	for _, n := range p.Notes {
		s.printf("\n%s %s", ink.warn("not in it:"), n)
	}
	if p.State == "open" || p.State == "sealed" {
		s.printf("\nDo it with: drawbridge plan approve %d --hash %s\nElse:       drawbridge plan reject %d", p.ID, orDash(short(p.Hash)), p.ID)
	}
}

func planDecide(s *session, verb, text string) *cobra.Command {
	var in client.PlanDecision
	c := &cobra.Command{
		Use:               verb + " PLAN",
		Short:             text,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/plans?state=sealed", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p client.Plan
			if err := s.api.Post(cmd.Context(), "/v1/plans/"+segment(args[0])+"/"+verb, in, &p); err != nil {
				return err
			}
			return s.show(p, func() { s.printf("Plan %d of %s is %s: %s.", p.ID, p.Cause, p.State, orDash(summed(p))) })
		},
	}
	c.Flags().StringVar(&in.Hash, "hash", "", "beginning of the hash that you looked at: nothing is done where the plan is another by now")
	if verb == "approve" {
		c.Flags().BoolVar(&in.Rest, "rest", false, "do what still holds, where something of it does not")
	}
	return c
}

func undoCommand(s *session) *cobra.Command {
	var in client.Undo
	var since string
	c := &cobra.Command{
		Use:   "undo (--job JOB | --cycle CYCLE | --person KEY [--since TIME])",
		Short: "Plan to undo a change, a cycle, or what was done to a person",
		Long: `Undo makes a plan that gives accounts back what they held before: values, place, groups, enabled or not.
Nothing is done before you approve it. What somebody changed since is left, and what cannot be undone
(a deleted account, a password) is said. What was undone is not planned again until the rules want
something else, or you say: drawbridge drift revert`,
		Example: `  drawbridge undo --job 4711
  drawbridge undo --person E1001 --since 2026-11-23T08:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since != "" {
				at, err := time.Parse(time.RFC3339, since)
				if err != nil {
					return usageError{cmd, fmt.Errorf("%q is no time such as 2026-11-23T08:00:00Z", since)}
				}
				in.Since = at
			}
			var p client.Plan
			if err := s.api.Post(cmd.Context(), "/v1/undo", in, &p); err != nil {
				return err
			}
			return s.showPlan(cmd, p)
		},
	}
	c.Flags().Int64Var(&in.Job, "job", 0, "number of the change")
	c.Flags().Int64Var(&in.Cycle, "cycle", 0, "number of the cycle")
	c.Flags().StringVar(&in.Person, "person", "", "key of the person")
	c.Flags().StringVar(&since, "since", "", "with --person: only what was done since (RFC 3339)")
	c.MarkFlagsOneRequired("job", "cycle", "person")
	c.MarkFlagsMutuallyExclusive("job", "cycle", "person")
	return c
}

// showPlan prints a plan that was just made, with its first changes.
func (s *session) showPlan(cmd *cobra.Command, p client.Plan) error {
	var changes []client.PlanChange
	if err := s.api.Items(cmd.Context(), fmt.Sprintf("/v1/plans/%d/changes", p.ID), values("limit", "50"), &changes); err != nil {
		return err
	}
	return s.show(p, func() { s.plan(p, changes) })
}

func systemMode(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "mode SYSTEM (apply | preview | document)",
		Short: "Say whether a system is written to at once, or what is approved of a plan",
		Long: `In mode preview what is to be done to a system waits in a plan until somebody approves it.
document leaves it to the target's preview in the system's document.`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"apply", "preview", "document"}, cobra.ShellCompDirectiveNoFileComp
			}
			return s.complete("/v1/systems", "name")(cmd, args, text)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var out client.Mode
			if err := s.api.Post(cmd.Context(), "/v1/systems/"+segment(args[0])+"/mode", client.Mode{Mode: args[1]}, &out); err != nil {
				return err
			}
			return s.show(out, func() { s.printf("%s is in mode %s.", args[0], out.Mode) })
		},
	}
}
