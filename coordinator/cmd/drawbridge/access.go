package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func accessCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "access", Short: "Who is signed in, who may be, and who I am"}
	c.AddCommand(accessMe(s), accessSessions(s), accessRevoke(s), accessLink(s))
	return c
}

func accessMe(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "me",
		Short: "As whom this command line acts, and with which roles",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var me client.Me
			if err := s.api.Get(cmd.Context(), "/v1/me", nil, &me); err != nil {
				return err
			}
			return s.show(me, func() {
				s.printf("%s (%s) of %s, by %s", me.Name, strings.Join(me.Roles, ", "), me.Tenant, me.Means)
				if !me.Expires.IsZero() {
					s.printf("Until %s.", stamp(me.Expires))
				}
			})
		},
	}
}

func accessSessions(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "sessions",
		Short: "Who is signed in at a browser",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Session
			if err := s.api.Items(cmd.Context(), "/v1/sessions", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("ID", "NAME", "ROLES", "SINCE", "LAST SEEN", "FROM", "SUBJECT")
				for _, k := range list {
					t.row(k.ID, k.Name, strings.Join(k.Roles, ","), stamp(k.Made), stamp(k.Seen), k.Address, k.Subject)
				}
				t.print(s, "Nobody is signed in.")
			})
		},
	}
}

func accessRevoke(s *session) *cobra.Command {
	var subject string
	c := &cobra.Command{
		Use:   "revoke (SESSION | --subject SUBJECT)",
		Short: "Sign somebody out: of one session, or everywhere",
		Example: `  drawbridge access revoke 9b2b0628b098ef89
  drawbridge access revoke --subject corp#ada        every session and command line of theirs`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (subject != "") {
				return usageError{cmd, fmt.Errorf("give a session or --subject")}
			}
			if subject == "" {
				if err := s.api.Post(cmd.Context(), "/v1/sessions/"+segment(args[0])+"/revoke", nil, nil); err != nil {
					return err
				}
				return s.show(map[string]string{"revoked": args[0]}, func() { s.printf("Session %s has ended.", args[0]) })
			}
			var out client.Revoked
			if err := s.api.Post(cmd.Context(), "/v1/sessions/revoke", client.WhoToRevoke{Subject: subject}, &out); err != nil {
				return err
			}
			return s.show(out, func() { s.printf("%d sessions and %d command lines have ended.", out.Sessions, out.Tokens) })
		},
	}
	c.Flags().StringVar(&subject, "subject", "", "who, for good, as sessions shows it")
	return c
}

func accessLink(s *session) *cobra.Command {
	var roles []string
	var valid time.Duration
	c := &cobra.Command{
		Use:     "link NAME",
		Short:   "Make a link that signs somebody in, once",
		Example: `  drawbridge access link "Ada, service desk" --role helpdesk`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var out client.SignInLink
			if err := s.api.Post(cmd.Context(), "/v1/sign-in-links", client.NewSignInLink{Name: args[0], Roles: roles, Valid: valid.String()}, &out); err != nil {
				return err
			}
			return s.show(out, func() { s.printf("%s", out.URL) })
		},
	}
	c.Flags().StringSliceVar(&roles, "role", []string{"administrator"}, "what they are trusted with: "+strings.Join(roleNames, ", "))
	c.Flags().DurationVar(&valid, "valid", time.Hour, "how long it is good, at most 24h")
	must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

var roleNames = []string{"viewer", "auditor", "helpdesk", "operator", "administrator"}

func auditCommand(s *session) *cobra.Command {
	var who, action, object, outcome, since, until string
	var limit int
	query := func(more ...string) url.Values {
		for _, at := range []*string{&since, &until} {
			if ago, err := time.ParseDuration(*at); err == nil {
				*at = time.Now().Add(-ago).UTC().Format(time.RFC3339)
			}
		}
		return values(append([]string{"who", who, "action", action, "object", object, "outcome", outcome, "since", since, "until", until}, more...)...)
	}
	c := &cobra.Command{Use: "audit", Short: "Who did what, from where and why"}
	list := &cobra.Command{
		Use:     "list",
		Short:   "The latest lines of the audit",
		Example: `  drawbridge audit list --since 24h --outcome refused`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := query("limit", fmt.Sprint(limit))
			var list []client.Audited
			if err := s.api.Items(cmd.Context(), "/v1/audit", q, &list); err != nil {
				return err
			}
			slices.Reverse(list) // the latest is last, where one looks
			return s.show(list, func() {
				t := newTable("TIME", "WHO", "FROM", "ACTION", "ON", "OUTCOME", "WHY")
				for _, a := range list {
					t.row(stamp(a.At), a.Who, a.Address, a.Action, orDash(a.Object), a.Outcome, orDash(a.Reason))
				}
				t.print(s, "Nobody has done anything.")
			})
		},
	}
	var format string
	export := &cobra.Command{
		Use:     "export",
		Short:   "Write the audit as CSV or as JSON lines",
		Example: `  drawbridge audit export --since 2026-01-01T00:00:00Z > audit.csv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.api.Copy(cmd.Context(), "/v1/audit/export", query("format", format), s.out)
		},
	}
	export.Flags().StringVar(&format, "format", "csv", "csv or ndjson")
	flags := c.PersistentFlags()
	flags.StringVar(&who, "who", "", "only of whose name or subject holds this")
	flags.StringVar(&action, "action", "", "only this action, such as approve-held or sign-in")
	flags.StringVar(&object, "object", "", "only on objects whose name holds this")
	flags.StringVar(&outcome, "outcome", "", "only done, or refused")
	flags.StringVar(&since, "since", "", "only since: an instant, or how long ago, such as 24h")
	flags.StringVar(&until, "until", "", "only before: an instant, or how long ago")
	list.Flags().IntVarP(&limit, "limit", "n", 50, "how many at most, up to 1,000")
	c.AddCommand(list, export)
	return c
}
