package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func tokenCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Tokens for agents to join with, and for people and programs to use the API"}
	c.AddCommand(tokenCreate(s), tokenList(s), tokenRevoke(s))
	return c
}

func tokenCreate(s *session) *cobra.Command {
	var site, name, source string
	var roles []string
	var scim bool
	var valid time.Duration
	c := &cobra.Command{
		Use:   "create (--site SITE | --api NAME)",
		Short: "Make a token; it is shown once",
		Example: `  drawbridge token create --site hq                 one agent may join at site hq within the hour
  drawbridge token create --api "night job" --role operator --valid 2160h   a token for the API, good for 90 days
  drawbridge token create --api wiki --scim         a token that reads the directory by SCIM, and nothing else
  drawbridge token create --api "hr suite" --source hr   a token that pushes the records of system hr by SCIM`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name != "" {
				var t client.APIToken
				asked := client.NewAPIToken{Name: name, Roles: roles, SCIM: scim || source != "", Source: source}
				if cmd.Flags().Changed("valid") {
					asked.Valid = valid.String()
				}
				if err := s.api.Post(cmd.Context(), "/v1/api-tokens", asked, &t); err != nil {
					return err
				}
				return s.show(t, func() { s.printf("%s", t.Token) })
			}
			var t client.JoinToken
			if err := s.api.Post(cmd.Context(), "/v1/join-tokens", client.NewJoinToken{Site: site, Valid: valid.String()}, &t); err != nil {
				return err
			}
			return s.show(t, func() { s.printf("%s", t.Token) })
		},
	}
	c.Flags().StringVar(&site, "site", "", "site that the agent will serve")
	c.Flags().StringVar(&name, "api", "", "make an API token with this name instead")
	c.Flags().DurationVar(&valid, "valid", time.Hour, "how long an agent may join with it; with --api: how long it is good, without an end where not given")
	c.Flags().StringSliceVar(&roles, "role", nil, "with --api: what its holder is trusted with, administrator where not given: "+strings.Join(roleNames, ", "))
	must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp)))
	c.Flags().BoolVar(&scim, "scim", false, "with --api: it is good for reading the directory by SCIM alone")
	c.Flags().StringVar(&source, "source", "", "with --api: it is good for pushing the records of this system by SCIM alone")
	c.MarkFlagsMutuallyExclusive("site", "scim")
	c.MarkFlagsMutuallyExclusive("site", "role")
	c.MarkFlagsMutuallyExclusive("scim", "role")
	c.MarkFlagsMutuallyExclusive("source", "role")
	c.MarkFlagsMutuallyExclusive("site", "source")
	c.MarkFlagsOneRequired("site", "api")
	c.MarkFlagsMutuallyExclusive("site", "api")
	return c
}

func tokenList(s *session) *cobra.Command {
	var api bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List join tokens, or API tokens with --api",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if api {
				var list []client.APIToken
				if err := s.api.Items(cmd.Context(), "/v1/api-tokens", nil, &list); err != nil {
					return err
				}
				return s.show(list, func() {
					t := newTable("ID", "MADE", "LAST USED", "EXPIRES", "FOR", "NAME")
					for _, k := range list {
						use := strings.Join(k.Roles, ",")
						switch {
						case k.Source != "":
							use = "scim, pushes " + k.Source
						case k.SCIM:
							use = "scim, reads"
						}
						t.row(k.ID, stamp(k.Made), stamp(k.Used), stamp(k.Expires), use, k.Name)
					}
					t.print(s, "No API tokens.")
				})
			}
			var list []client.JoinToken
			if err := s.api.Items(cmd.Context(), "/v1/join-tokens", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("ID", "SITE", "STATE", "EXPIRES", "USED BY")
				for _, k := range list {
					t.row(k.ID, k.Site, k.State, stamp(k.Expires), orDash(k.UsedBy))
				}
				t.print(s, "No join tokens. Make one with: drawbridge token create --site SITE")
			})
		},
	}
	c.Flags().BoolVar(&api, "api", false, "list API tokens")
	return c
}

func tokenRevoke(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End an API token",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.api.Post(cmd.Context(), "/v1/api-tokens/"+segment(args[0])+"/revoke", nil, nil); err != nil {
				return err
			}
			return s.show(map[string]string{"revoked": args[0]}, func() { s.printf("Token %s is no longer good.", args[0]) })
		},
	}
}
