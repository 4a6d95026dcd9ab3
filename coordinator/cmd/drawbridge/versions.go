package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func systemHistory(s *session) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:               "history SYSTEM",
		Short:             "List the versions of a system's document",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []client.SystemVersion
			if err := s.api.Items(cmd.Context(), "/v1/systems/"+segment(args[0])+"/versions", values("limit", fmt.Sprint(limit)), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("REVISION", "APPLIED", "BY", "LINES", "NOTE")
				for _, v := range list {
					revision := fmt.Sprint(v.Revision)
					if v.Current {
						revision += " *"
					}
					t.row(revision, stamp(v.Applied), orDash(v.By), fmt.Sprintf("+%d −%d", v.Added, v.Removed), orDash(v.Note))
				}
				t.print(s, "")
			})
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 50, "how many")
	return c
}

func systemDiff(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "diff SYSTEM [FROM [TO]]",
		Short: "Compare versions of a system's document: the last with the one before, or those given",
		Example: `  drawbridge system diff corp-ad          # what the last change was
  drawbridge system diff corp-ad 3        # what changed since revision 3
  drawbridge system diff corp-ad 3 5`,
		Args:              cobra.RangeArgs(1, 3),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{}
			for i, name := range []string{"from", "to"} {
				if len(args) <= i+1 {
					break
				}
				if _, err := strconv.ParseInt(args[i+1], 10, 64); err != nil {
					return usageError{cmd, fmt.Errorf("revision %s: want a number", args[i+1])}
				}
				query.Set(name, args[i+1])
			}
			var d client.VersionDiff
			if err := s.api.Get(cmd.Context(), "/v1/systems/"+segment(args[0])+"/diff", query, &d); err != nil {
				return err
			}
			return s.show(d, func() {
				if d.Diff == "" {
					s.printf("Revisions %d and %d of %s are the same.", d.From, d.To, d.System)
					return
				}
				s.printf("%s, revision %d against %d", d.System, d.To, d.From)
				s.difference(d.Diff)
			})
		},
	}
}

func systemRollback(s *session) *cobra.Command {
	var note string
	var yes bool
	c := &cobra.Command{
		Use:   "rollback SYSTEM REVISION",
		Short: "Put an earlier version of a system's document in force again, as a new revision",
		Long: `Rollback shows what the earlier version would change for people, asks, and puts it in force. Accounts
follow as with any other change of a document: what was done meanwhile is not undone but planned anew.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			revision, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usageError{cmd, fmt.Errorf("revision %s: want a number", args[1])}
			}
			path := "/v1/systems/" + segment(args[0])
			var v client.SystemVersion
			if err := s.api.Get(cmd.Context(), path+"/versions/"+fmt.Sprint(revision), nil, &v); err != nil {
				return err
			}
			f, err := s.api.Plan(cmd.Context(), []client.File{{Name: fmt.Sprintf("%s@%d", args[0], revision), Text: v.Document}})
			if err != nil {
				return err
			}
			if s.output != "json" {
				s.forecast(f)
			}
			if !yes && !s.agreed() {
				_, err := io.WriteString(s.errOut, "Nothing was changed.\n")
				return err
			}
			var done client.Applied
			if err := s.api.Post(cmd.Context(), path+"/rollback", client.Rollback{Revision: revision, Note: note}, &done); err != nil {
				return err
			}
			return s.showApplied(done)
		},
	}
	c.Flags().StringVar(&note, "note", "", "why, for those who look at the versions")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
