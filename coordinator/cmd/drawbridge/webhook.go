package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

const kindsHelp = "only of these: agent, system, cycle, held, problem, approval, password"

func webhookCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "webhook", Short: "Programs that are told of what needs a person"}
	c.AddCommand(webhookList(s), webhookShow(s), webhookCreate(s), webhookChange(s), webhookLog(s), webhookAgain(s),
		webhookAct(s, "rotate", "Give a webhook another secret; it is shown once"),
		webhookAct(s, "test", "Post a test event"),
		webhookAct(s, "remove", "Remove a webhook and what was posted to it"))
	return c
}

func webhookList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List webhooks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Webhook
			if err := s.api.Items(cmd.Context(), "/v1/webhooks", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("ID", "NAME", "STATE", "OF", "URL")
				for _, w := range list {
					t.row(w.ID, w.Name, paused(w), orAll(w.Kinds), w.URL)
				}
				t.print(s, "No webhooks. Make one with: drawbridge webhook create NAME --url URL")
			})
		},
	}
}

func paused(w client.Webhook) string {
	if w.Paused {
		return "paused"
	}
	return "active"
}

func orAll(kinds []string) string {
	if len(kinds) == 0 {
		return "everything"
	}
	return strings.Join(kinds, ",")
}

func (s *session) webhook(w client.Webhook) error {
	return s.show(w, func() {
		t := newTable("", "")
		t.row("webhook", w.ID)
		t.row("name", w.Name)
		t.row("posts to", w.URL)
		t.row("of", orAll(w.Kinds))
		t.row("state", paused(w))
		if w.Secret != "" {
			t.row("secret", w.Secret+"  (shown only now)")
		}
		t.bare(s)
	})
}

func webhookShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "show ID",
		Short:             "Show a webhook",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/webhooks", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var w client.Webhook
			if err := s.api.Get(cmd.Context(), "/v1/webhooks/"+segment(args[0]), nil, &w); err != nil {
				return err
			}
			return s.webhook(w)
		},
	}
}

func webhookCreate(s *session) *cobra.Command {
	var in client.NewWebhook
	c := &cobra.Command{
		Use:     "create NAME --url URL",
		Short:   "Have a program told of what needs a person; shows the secret, once",
		Example: "  drawbridge webhook create on-call --url https://hooks.example/drawbridge --kinds held,cycle",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			var w client.Webhook
			if err := s.api.Post(cmd.Context(), "/v1/webhooks", in, &w); err != nil {
				return err
			}
			return s.webhook(w)
		},
	}
	c.Flags().StringVar(&in.URL, "url", "", "where events are posted")
	c.Flags().StringSliceVar(&in.Kinds, "kinds", nil, kindsHelp)
	must(c.MarkFlagRequired("url"))
	return c
}

func webhookChange(s *session) *cobra.Command {
	var name, url string
	var kinds []string
	var pause, resume bool
	c := &cobra.Command{
		Use:               "change ID",
		Short:             "Change a webhook: what is not given stays",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/webhooks", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var w client.Webhook
			if err := s.api.Get(cmd.Context(), "/v1/webhooks/"+segment(args[0]), nil, &w); err != nil {
				return err
			}
			in := client.NewWebhook{Name: w.Name, URL: w.URL, Kinds: w.Kinds, Paused: (w.Paused || pause) && !resume}
			if name != "" {
				in.Name = name
			}
			if url != "" {
				in.URL = url
			}
			if cmd.Flags().Changed("kinds") {
				in.Kinds = kinds
			}
			if err := s.api.Post(cmd.Context(), "/v1/webhooks/"+segment(args[0]), in, &w); err != nil {
				return err
			}
			return s.webhook(w)
		},
	}
	c.Flags().StringVar(&name, "name", "", "what it is for")
	c.Flags().StringVar(&url, "url", "", "where events are posted")
	c.Flags().StringSliceVar(&kinds, "kinds", nil, kindsHelp)
	c.Flags().BoolVar(&pause, "pause", false, "post nothing for now")
	c.Flags().BoolVar(&resume, "resume", false, "post again")
	c.MarkFlagsMutuallyExclusive("pause", "resume")
	return c
}

func webhookAct(s *session, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " ID",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/webhooks", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/webhooks/" + segment(args[0]) + "/" + verb
			switch verb {
			case "rotate":
				var w client.Webhook
				if err := s.api.Post(cmd.Context(), path, nil, &w); err != nil {
					return err
				}
				return s.webhook(w)
			case "test":
				var d client.Delivery
				if err := s.api.Post(cmd.Context(), path, nil, &d); err != nil {
					return err
				}
				return s.show(d, func() { s.printf("Event %s is on its way: drawbridge webhook log %s", d.ID, args[0]) })
			}
			if err := s.api.Post(cmd.Context(), path, nil, nil); err != nil {
				return err
			}
			return s.show(map[string]string{"removed": args[0]}, func() { s.printf("Webhook %s is removed.", args[0]) })
		},
	}
}

func webhookLog(s *session) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:               "log ID",
		Short:             "List what was posted to a webhook, the latest first",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/webhooks", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []client.Delivery
			if err := s.api.Items(cmd.Context(), "/v1/webhooks/"+segment(args[0])+"/deliveries", values("limit", fmt.Sprint(limit)), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("EVENT", "KIND", "MADE", "STATE", "TRIES", "NEXT", "STATUS", "NOTE")
				for _, d := range list {
					t.row(d.ID, d.Kind, stamp(d.Made), d.State, fmt.Sprint(d.Tries), stamp(d.Next), fmt.Sprint(d.Status), d.Detail)
				}
				t.print(s, "Nothing was posted yet.")
			})
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 20, "how many")
	return c
}

func webhookAgain(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "again ID EVENT",
		Short:             "Post an event once more",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.complete("/v1/webhooks", "id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.api.Post(cmd.Context(), "/v1/webhooks/"+segment(args[0])+"/deliveries/"+segment(args[1])+"/again", nil, nil); err != nil {
				return err
			}
			return s.show(map[string]string{"again": args[1]}, func() { s.printf("Event %s is on its way once more.", args[1]) })
		},
	}
}

func mailCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "mail", Short: "Who is told by e-mail of what needs a person"}
	var kinds []string
	add := &cobra.Command{
		Use:   "add ADDRESS",
		Short: "Have somebody told by e-mail",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var m client.MailReceiver
			if err := s.api.Post(cmd.Context(), "/v1/mail-receivers", client.NewMailReceiver{Address: args[0], Kinds: kinds}, &m); err != nil {
				return err
			}
			return s.show(m, func() { s.printf("%s is told by e-mail of: %s", m.Address, orAll(m.Kinds)) })
		},
	}
	add.Flags().StringSliceVar(&kinds, "kinds", nil, kindsHelp)
	list := &cobra.Command{
		Use:   "list",
		Short: "List who is told by e-mail",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.MailReceiver
			if err := s.api.Items(cmd.Context(), "/v1/mail-receivers", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("ADDRESS", "OF", "SINCE")
				for _, m := range list {
					t.row(m.Address, orAll(m.Kinds), stamp(m.Made))
				}
				t.print(s, "Nobody. Add somebody with: drawbridge mail add ADDRESS")
			})
		},
	}
	c.AddCommand(add, list, s.mailAct("test", "Send a test mail", "A test mail to %s is on its way."), s.mailAct("remove", "Tell somebody no more by e-mail", "%s is told no more."))
	return c
}

func (s *session) mailAct(verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " ADDRESS",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/mail-receivers", "address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.api.Post(cmd.Context(), "/v1/mail-receivers/"+segment(args[0])+"/"+verb, nil, nil); err != nil {
				return err
			}
			return s.show(map[string]string{verb: args[0]}, func() { s.printf(done, args[0]) })
		},
	}
}
