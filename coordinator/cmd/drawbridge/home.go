package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func homeCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "home",
		Short: "Is everything all right, and what waits for somebody?",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var h client.Home
			if err := s.api.Get(cmd.Context(), "/v1/home", nil, &h); err != nil {
				return err
			}
			return s.show(h, func() { s.home(h) })
		},
	}
}

func (s *session) home(h client.Home) {
	p := s.paint()
	switch h.Verdict {
	case "good":
		s.printf("%s", p.good("Everything is all right."))
	case "attention":
		s.printf("%s", p.warn("Something waits for somebody."))
	default:
		s.printf("%s", p.bad("Something does not work."))
	}
	for _, point := range h.Points {
		mark := p.warn("!")
		if point.Level == "bad" {
			mark = p.bad("!")
		}
		s.printf("%s %s\n  next: %s", mark, point.Text, point.NextStep)
	}
	s.printf("")
	t := newTable("", "")
	t.row("people", fmt.Sprintf("%d, %d to be looked at now", h.People, h.Due))
	t.row("systems", fmt.Sprintf("%d: %d ready, %d failing, %d waiting", h.Systems.All, h.Systems.Ready, h.Systems.Failing, h.Systems.Waiting))
	t.row("agents", fmt.Sprintf("%d: %d connected, %d away", h.Agents.All, h.Agents.Connected, h.Agents.Away))
	var today []string
	for _, c := range h.Today {
		today = append(today, fmt.Sprintf("%d %s %s in %s", c.N, c.Class, c.Outcome, c.System))
	}
	t.row("today", orDash(strings.Join(today, ", ")))
	if h.Delay != nil {
		t.row("delay", fmt.Sprintf("%.1f s for half, %.1f s for 95 of 100 changes of the last hour", h.Delay.Median, h.Delay.P95))
	}
	t.bare(s)
}

func healthCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Does it work, from end to end? Exits with 1 where it does not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var h client.Health
			if err := s.api.Get(cmd.Context(), "/v1/health", nil, &h); err != nil {
				return err
			}
			err := s.show(h, func() {
				p := s.paint()
				t := newTable("SYSTEM", "SITE", "STATE", "CHECKED", "LAST GOOD", "TOOK", "NOTE")
				for _, v := range h.Systems {
					note := ""
					if v.Fault != nil {
						note = v.Fault.Cause
					}
					if v.Fault != nil && v.Job != 0 {
						note += fmt.Sprintf(" (drawbridge job show %d)", v.Job)
					}
					t.row(v.System, v.Site, v.State, stamp(v.At), stamp(v.Good), fmt.Sprintf("%.1f s", v.Took), note)
				}
				t.print(s, "No systems yet.")
				for _, a := range h.Agents {
					s.printf("%s agent %s of site %s is %s", p.warn("!"), a.Host, a.Site, standing(a))
				}
			})
			if err == nil && h.Status == "failing" {
				err = &adviceError{errors.New("the last check of a system did not work"), "drawbridge system test SYSTEM says at which step"}
			}
			return err
		},
	}
}

func statsCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "stats", Short: "Changes and delay over time"}
	c.AddCommand(
		s.series("changes", "How many changes there were", "/v1/series/changes", func(get func(any) error) (any, *table, error) {
			var v client.Changes
			err := get(&v)
			t := newTable("FROM", "CHANGES", "OF WHICH")
			for _, span := range v.Spans {
				total, parts := int64(0), []string{}
				for _, n := range span.Counts {
					total += n.N
					parts = append(parts, fmt.Sprintf("%d %s", n.N, n.Name))
				}
				if total > 0 {
					t.row(stamp(span.At), fmt.Sprint(total), strings.Join(parts, ", "))
				}
			}
			return v, t, err
		}),
		s.series("delay", "How long changes took, from a source's record to the directory", "/v1/series/delay", func(get func(any) error) (any, *table, error) {
			var v client.Delays
			err := get(&v)
			t := newTable("FROM", "CHANGES", "HALF WITHIN", "95 OF 100 WITHIN")
			for _, span := range v.Spans {
				t.row(stamp(span.At), fmt.Sprint(span.N), fmt.Sprintf("%.1f s", span.Median), fmt.Sprintf("%.1f s", span.P95))
			}
			return v, t, err
		}))
	return c
}

func (s *session) series(name, short, path string, read func(get func(any) error) (any, *table, error)) *cobra.Command {
	var span, system string
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, t, err := read(func(out any) error {
				return s.api.Get(cmd.Context(), path, values("span", span, "system", system), out)
			})
			if err != nil {
				return err
			}
			return s.show(v, func() { t.print(s, "Nothing was changed.") })
		},
	}
	c.Flags().StringVar(&span, "span", "day", "how far back: hour, day, week, month or year")
	c.Flags().StringVar(&system, "system", "", "only of this system")
	must(c.RegisterFlagCompletionFunc("span", cobra.FixedCompletions([]string{"hour", "day", "week", "month", "year"}, cobra.ShellCompDirectiveNoFileComp)))
	s.completeFlag(c, "system", "/v1/systems", "name")
	return c
}
