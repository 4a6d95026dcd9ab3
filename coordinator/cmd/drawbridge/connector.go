package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func connectorCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "connector", Short: "Connectors that the agents of each site have"}
	var site string
	list := &cobra.Command{
		Use:   "list",
		Short: "List connectors by site",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Connector
			if err := s.api.Items(cmd.Context(), "/v1/connectors", values("site", site), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("SITE", "CONNECTOR", "AGENTS", "RELEASES", "CAN")
				for _, k := range list {
					t.row(k.Site, k.Name, fmt.Sprint(k.Agents), strings.Join(k.Versions, ", "), strings.Join(k.Capabilities, ", "))
				}
				t.print(s, "No agent has told of a connector yet.")
			})
		},
	}
	list.Flags().StringVar(&site, "site", "", "only of this site")
	s.completeFlag(list, "site", "/v1/sites", "name")
	c.AddCommand(list)
	return c
}

func siteCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "site", Short: "Sites with agents or systems"}
	c.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List sites",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Site
			if err := s.api.Items(cmd.Context(), "/v1/sites", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("SITE", "AGENTS", "CONNECTED", "SYSTEMS")
				for _, y := range list {
					t.row(y.Name, fmt.Sprint(y.Agents), fmt.Sprint(y.Connected), fmt.Sprint(y.Systems))
				}
				t.print(s, "No sites yet.")
			})
		},
	})
	return c
}

func systemSchema(s *session) *cobra.Command {
	var class string
	c := &cobra.Command{
		Use:               "schema SYSTEM",
		Short:             "Show classes and attributes of a system",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var schema client.Schema
			if err := s.api.Get(cmd.Context(), "/v1/systems/"+segment(args[0])+"/schema", nil, &schema); err != nil {
				return err
			}
			return s.show(schema, func() {
				t := newTable("CLASS", "ATTRIBUTE", "TYPE", "")
				for _, k := range schema.Classes {
					if class != "" && k.Name != class {
						continue
					}
					for _, a := range k.Attributes {
						var notes []string
						for note, is := range map[string]bool{"several": a.Multi, "read only": a.ReadOnly, "mapped": a.Mapped} {
							if is {
								notes = append(notes, note)
							}
						}
						t.row(k.Name, a.Name, a.Type, sorted(notes))
					}
				}
				t.print(s, "The schema is not known yet.")
			})
		},
	}
	c.Flags().StringVar(&class, "class", "", "only of this class")
	return c
}

func systemTest(s *session) *cobra.Command {
	var last bool
	c := &cobra.Command{
		Use:               "test SYSTEM",
		Short:             "Test the connection to a system, step by step",
		Long:              "Test has an agent of the system's site test the connection, and shows each step. It exits with 1 where one fails.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/systems/" + segment(args[0]) + "/test"
			var run client.TestRun
			var err error
			if last {
				err = s.api.Get(cmd.Context(), path, nil, &run)
			} else {
				err = s.api.Post(cmd.Context(), path, nil, &run)
			}
			for err == nil && !last && (run.State == "queued" || run.State == "sent") {
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(300 * time.Millisecond):
				}
				err = s.api.Get(cmd.Context(), path, nil, &run)
			}
			if err != nil {
				return err
			}
			if err := s.show(run, func() { s.testRun(run) }); err != nil || run.State == "done" {
				return err
			}
			return &adviceError{fmt.Errorf("the test is %s", run.State), "mend what the last step says, and test again"}
		},
	}
	c.Flags().BoolVar(&last, "last", false, "show the latest test, make none")
	return c
}

func (s *session) testRun(run client.TestRun) {
	p := s.paint()
	for _, step := range run.Steps {
		mark := p.good("✓")
		if step.Outcome != "DONE" {
			mark = p.bad("✗")
		}
		s.printf("%s %s  %s", mark, step.Name, p.dim(strings.TrimSpace(fmt.Sprintf("%s %.0f ms", step.Detail, step.Took*1000))))
		if step.Fault != nil {
			s.trouble("  ", *step.Fault)
		}
	}
	if run.Fault != nil {
		s.trouble("", *run.Fault)
	}
	if len(run.Steps) == 0 && run.Fault == nil {
		_, _ = io.WriteString(s.out, "The connector told no steps: it is "+run.State+".\n")
	}
}

// sorted gives words in order, with commas.
func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}
