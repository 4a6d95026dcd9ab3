package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func personRecords(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "records KEY",
		Short:             "List the records and accounts of a person",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []client.Belonging
			if err := s.api.Items(cmd.Context(), "/v1/people/"+segment(args[0])+"/records", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() { s.belongings(list, "They have nothing.") })
		},
	}
}

func (s *session) belongings(list []client.Belonging, none string) {
	t := newTable("KIND", "NAME", "KEY", "WHERE")
	for _, b := range list {
		where := b.Place
		if b.Gone {
			where = strings.TrimSpace(where + " (gone)")
		}
		t.row(orDash(b.Kind), b.System+"/"+b.ID, orDash(b.Key), orDash(where))
	}
	t.print(s, none)
}

func personMerge(s *session) *cobra.Command {
	var preview bool
	c := &cobra.Command{
		Use:   "merge KEY INTO",
		Short: "Make two people one",
		Long: `Merge gives the records, accounts and keys of the first person to the second, who stays: their names, their
log, what was done to their accounts and what waits go along. Where both have an account in a target, that of
the second counts, and the other is nobody's from then on and left as it is. What follows at the targets is
planned as ever. --preview says what would change, and changes nothing.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.regroup(cmd, "/v1/people/"+segment(args[0])+"/merge", client.MergeAsk{Into: args[1], Preview: preview})
		},
	}
	c.Flags().BoolVar(&preview, "preview", false, "only say what would change")
	return c
}

func personSplit(s *session) *cobra.Command {
	var preview bool
	c := &cobra.Command{
		Use:   "split KEY SYSTEM/ID...",
		Short: "Make a new person of records of somebody",
		Long: `Split gives the records that are named, and their keys, to a new person, with the accounts that are named.
drawbridge person records KEY lists them. --preview says what would change, and changes nothing.`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := client.SplitAsk{Preview: preview}
			for _, name := range args[1:] {
				system, id, found := strings.Cut(name, "/")
				if !found {
					return fmt.Errorf("%s names no record: write SYSTEM/ID, as drawbridge person records %s does", name, args[0])
				}
				in.Records = append(in.Records, client.Belonging{System: system, ID: id})
			}
			return s.regroup(cmd, "/v1/people/"+segment(args[0])+"/split", in)
		},
	}
	c.Flags().BoolVar(&preview, "preview", false, "only say what would change")
	return c
}

func personUnmerge(s *session) *cobra.Command {
	var preview bool
	c := &cobra.Command{
		Use:   "unmerge NUMBER",
		Short: "Take a merge or a split back",
		Long: `Unmerge gives back what changed hands, where it is still as the merge or split left it. What was done at the
targets meanwhile is another matter: drawbridge undo. --preview says what would change, and changes nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.regroup(cmd, "/v1/merges/"+segment(args[0])+"/undo", client.UnmergeAsk{Preview: preview})
		},
	}
	c.Flags().BoolVar(&preview, "preview", false, "only say what would change")
	return c
}

// regroup asks for a merge, a split or an undo, and shows what it changes.
func (s *session) regroup(cmd *cobra.Command, path string, in any) error {
	var out client.Regrouped
	if err := s.api.Post(cmd.Context(), path, in, &out); err != nil {
		return err
	}
	return s.show(out, func() {
		s.printf("Keys that change hands: %s", strings.Join(out.Keys, ", "))
		s.belongings(out.Moved, "Nothing else changes hands.")
		if len(out.LetGo) > 0 {
			s.printf("\nLet go, and left as they are:")
			s.belongings(out.LetGo, "")
		}
		for _, p := range out.People {
			s.printf("\n%s %s", p.Key, p.Display)
			t := newTable("", "")
			for _, c := range p.Changes {
				t.row("  "+c.Path, orDash(strings.Join(c.Before, "; "))+" → "+orDash(strings.Join(c.After, "; ")))
			}
			for _, step := range p.Steps {
				t.row("  "+step.System, step.Class+": "+step.Text)
			}
			t.bare(s)
		}
		if out.Previews {
			s.printf("\nNothing was changed. Without --preview it is.")
			return
		}
		if out.Kind != "undo" {
			s.printf("\nTo take it back: drawbridge person unmerge %d", out.ID)
		}
	})
}

func personMerges(s *session) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "merges",
		Short: "List who was merged and split, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Merge
			if err := s.api.Items(cmd.Context(), "/v1/merges", values("limit", fmt.Sprint(limit)), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("NUMBER", "TIME", "KIND", "WHO STAYS", "OTHER", "BY", "UNDONE")
				for _, m := range list {
					undone := "–"
					if !m.Undone.IsZero() {
						undone = stamp(m.Undone) + " by " + m.UndoneBy
					}
					t.row(fmt.Sprint(m.ID), stamp(m.At), m.Kind, m.Person, m.Other, m.Who, undone)
				}
				t.print(s, "Nobody was merged or split.")
			})
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 50, "how many")
	return c
}
