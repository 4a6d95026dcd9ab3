package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func logCommand(s *session) *cobra.Command {
	var system, kind, person string
	var limit int
	var follow bool
	c := &cobra.Command{
		Use:   "log",
		Short: "The provisioning log: everything that happened, and why",
		Example: `  drawbridge log -n 50
  drawbridge log -f --system corp-ad
  drawbridge log --person E1001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := values("system", system, "kind", kind, "person", person, "limit", fmt.Sprint(limit))
			var list []client.Entry
			if err := s.api.Items(cmd.Context(), "/v1/log", query, &list); err != nil {
				return err
			}
			slices.Reverse(list) // the latest is last, where one looks
			if !follow {
				return s.show(list, func() {
					t := newTable("TIME", "SYSTEM", "PERSON", "KIND", "WHAT")
					for _, e := range list {
						t.row(stamp(e.At), orDash(e.System), orDash(e.Person), e.Kind, e.Text)
					}
					t.print(s, "Nothing has happened yet.")
				})
			}
			var last int64
			for _, e := range list {
				if err := s.entry(e); err != nil {
					return err
				}
				last = e.Seq
			}
			return s.api.Follow(cmd.Context(), values("system", system, "kind", kind, "person", person), last, s.entry)
		},
	}
	c.Flags().StringVar(&system, "system", "", "only of this system")
	c.Flags().StringVar(&kind, "kind", "", "only of this kind, such as written or failed")
	c.Flags().StringVar(&person, "person", "", "only of the person with this key")
	c.Flags().IntVarP(&limit, "limit", "n", 20, "how many of the latest")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens from now")
	s.completeFlag(c, "system", "/v1/systems", "name")
	c.AddCommand(s.logExport())
	return c
}

func (s *session) logExport() *cobra.Command {
	var system, kind, person, text, since, until string
	c := s.exportCommand("Export the log, the latest entry first", "/v1/log/export", func() url.Values {
		return values("system", system, "kind", kind, "person", person, "q", text, "since", since, "until", until)
	})
	c.Flags().StringVar(&system, "system", "", "only of this system")
	c.Flags().StringVar(&kind, "kind", "", "only of this kind")
	c.Flags().StringVar(&person, "person", "", "only of the person with this key")
	c.Flags().StringVar(&text, "text", "", "only whose text holds this")
	c.Flags().StringVar(&since, "since", "", "not before this instant, such as 2026-11-28T00:00:00Z")
	c.Flags().StringVar(&until, "until", "", "before this instant")
	return c
}

// entry prints one line of a log that is followed; with -o json an object per line.
func (s *session) entry(e client.Entry) error {
	if s.output == "json" {
		return json.NewEncoder(s.out).Encode(e)
	}
	p := s.paint()
	kind := fmt.Sprintf("%-14s", e.Kind)
	switch e.Kind {
	case "written", "matched":
		kind = p.good(kind)
	case "failed":
		kind = p.bad(kind)
	case "held":
		kind = p.warn(kind)
	}
	_, err := fmt.Fprintf(s.out, "%s  %-12s  %-10s  %s  %s\n", p.dim(stamp(e.At)), orDash(e.System), orDash(e.Person), kind, e.Text)
	return err
}
