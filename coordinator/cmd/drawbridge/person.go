package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func personCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "person", Short: "People, their accounts, and why each value is what it is"}
	var attributes []string
	export := s.exportCommand("Export people with attributes", "/v1/people/export", func() url.Values { return values("attributes", strings.Join(attributes, ",")) })
	export.Flags().StringSliceVar(&attributes, "attributes", nil, "only these attributes, such as department,title")
	c.AddCommand(personList(s), personShow(s), personTimeline(s), personPreview(s), personRun(s), personRecords(s), personMerge(s), personSplit(s), personMerges(s), personUnmerge(s), export)
	return c
}

func personList(s *session) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "list [TEXT]",
		Short: "List people; with text, those of whom each word of it begins a word of key, name, mail or user name",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []client.PersonLine
			query := values("q", strings.Join(args, " "), "limit", fmt.Sprint(limit))
			if err := s.api.Items(cmd.Context(), "/v1/people", query, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("KEY", "NAME", "LIFE", "CHANGED", "ACCOUNTS")
				for _, p := range list {
					life := p.Life
					if p.Kind != "" {
						life = p.Kind + ", " + life
					}
					t.row(p.Key, p.Display, life, stamp(p.Changed), orDash(strings.Join(p.Accounts, ", ")))
				}
				t.print(s, "No such people.")
			})
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 50, "how many")
	return c
}

func personTimeline(s *session) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:               "timeline KEY",
		Short:             "Show what happened to a person, the latest first",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []client.Step
			if err := s.api.Items(cmd.Context(), "/v1/people/"+segment(args[0])+"/timeline", values("limit", fmt.Sprint(limit)), &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("TIME", "SYSTEM", "KIND", "JOB", "AFTER HR", "AGENT", "WHAT")
				for _, e := range list {
					job, after := "–", "–"
					if e.Job != 0 {
						job = fmt.Sprint(e.Job)
					}
					if e.SinceHR > 0 {
						after = fmt.Sprintf("%.1f s", e.SinceHR)
					}
					t.row(stamp(e.At), orDash(e.System), e.Kind, job, after, orDash(e.Agent), e.Text)
				}
				t.print(s, "Nothing has happened yet.")
			})
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 50, "how many")
	return c
}

func personShow(s *session) *cobra.Command {
	var cycle int64
	c := &cobra.Command{
		Use:   "show KEY [--cycle CYCLE]",
		Short: "Explain a person: record → rule → value → when written",
		Long: `Show explains every value of a person's accounts as it is. With --cycle it explains what that cycle made of
them: every rule of then with what it read and gave, what was to be done, and what stopped or delayed it.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cycle != 0 {
				var t client.Trial
				if err := s.api.Get(cmd.Context(), fmt.Sprintf("/v1/cycles/%d/people/%s", cycle, segment(args[0])), nil, &t); err != nil {
					return err
				}
				return s.show(t, func() { s.trial(t) })
			}
			var p client.Person
			if err := s.api.Get(cmd.Context(), "/v1/people/"+segment(args[0]), nil, &p); err != nil {
				return err
			}
			return s.show(p, func() { s.person(p) })
		},
	}
	c.Flags().Int64Var(&cycle, "cycle", 0, "explain what a past cycle made of them")
	return c
}

func (s *session) person(p client.Person) {
	ink := s.paint()
	s.printf("%s  %s  %s", ink.bold(p.Display), p.Key, stateWord(ink, p.Life))
	s.printf("%s", ink.dim("known since "+stamp(p.Made)+", last change "+stamp(p.Changed)))
	if p.Due != "" {
		s.printf("about to be looked at: %s", p.Due)
	}
	for _, a := range p.Alarms {
		s.printf("%s  %s", stamp(a.At), a.Why)
	}
	s.printf("")
	t := newTable("ATTRIBUTE", "VALUE", "FROM")
	for _, a := range p.Attributes {
		t.row(a.Path, held(a.Values), origin(a.Origin))
		for _, o := range a.Others {
			t.row("", held(o.Values), "not taken: "+origin(o.Origin))
		}
	}
	t.print(s, "Nothing is known of this person.")
	for _, a := range p.Accounts {
		s.account(a)
	}
}

// account prints one account with every value, each as
//
//	displayName = Ada Lovelace
//	    record   hr, workers.csv line 17: first_name "Ada" → name.givenName
//	    rule     corp-ad:31  name.givenName + " " + name.familyName
//	    written  2026-11-23 10:02:14 by job 17, agent dc-host, server dc1.corp.example
func (s *session) account(a client.Account) {
	ink := s.paint()
	head := stateWord(ink, a.State)
	switch a.Enabled {
	case "yes":
		head += ", enabled"
	case "no":
		head += ", " + ink.warn("disabled")
	}
	s.printf("\n%s  %s", ink.bold(a.System), head)
	if a.Address != "" {
		s.printf("  %s", a.Address)
	}
	if a.ID != "" {
		s.printf("  %s", ink.dim(strings.TrimSpace(a.Class+" "+a.ID)+", last change "+stamp(a.Changed)))
	}
	if a.Problem != nil {
		s.trouble("  ", a.Problem.Fault)
		s.exact("    ", a.Problem.Job)
		s.printf("    try again now: drawbridge problem retry --person %s --system %s", a.Problem.Person, a.System)
		if !a.Problem.Retry.IsZero() {
			s.printf("    tried %d times, again %s", a.Problem.Tries, stamp(a.Problem.Retry))
		}
	}
	for _, d := range a.Drift {
		if strings.HasPrefix(d.Attribute, "group ") {
			s.printf("  %s group %s %s since %s", ink.warn("≠"), cmp.Or(d.Group, d.Attribute[len("group "):]), d.Kind, stamp(d.At)) // more stands with the group
			continue
		}
		s.printf("  %s %s %s since %s: is %s, %s is not written", ink.warn("≠"), d.Attribute, d.Kind, stamp(d.At), held(d.Found), held(d.Refused))
	}
	for _, key := range a.Waits {
		s.printf("  %s waits for the account of %s", ink.warn("…"), key)
	}
	for _, j := range a.Open {
		s.printf("  %s job %d %s: %s", ink.warn("…"), j.ID, j.State, j.Text)
	}
	for _, v := range a.Values {
		s.value(v)
	}
	s.memberships(a)
}

// memberships prints every group of an account, and of a group who in it is nobody's.
func (s *session) memberships(a client.Account) {
	if len(a.Groups) > 0 {
		s.printf("")
		t := newTable("GROUP", "IS", "WANTED", "STATE", "WHY", "RULE", "OF")
		for _, m := range a.Groups {
			by := "–"
			if m.Rule != nil {
				by = rule(*m.Rule)
			}
			t.row(m.Group, map[bool]string{true: "in", false: "not in"}[m.In], map[bool]string{true: "in", false: "–"}[m.Wanted], m.State, m.Why, by, orDash(m.From))
		}
		t.print(s, "")
	}
	if len(a.Strangers) > 0 {
		s.printf("")
		t := newTable("IN IT, AND NOBODY'S", "CLASS", "WHAT BECOMES OF IT")
		for _, x := range a.Strangers {
			t.row(cmp.Or(x.Address, x.ID), x.Class, map[bool]string{true: "is taken out: only members by rule remain", false: "is left alone"}[x.Leaves])
		}
		t.print(s, "")
	}
}

func (s *session) value(v client.Value) {
	ink := s.paint()
	s.printf("\n  %s = %s", ink.bold(v.Attribute), held(v.Values))
	if v.Want != nil {
		s.printf("      wanted   %s", ink.warn(held(v.Want)))
	}
	if len(v.Others) > 0 {
		s.printf("      others'  %s", held(v.Others))
	}
	label := "record"
	for _, line := range records(v.Inputs) {
		s.printf("      %-8s %s", label, line)
		label = ""
	}
	if v.Rule != nil {
		s.printf("      rule     %s", rule(*v.Rule))
	}
	switch {
	case v.Written != nil:
		line := fmt.Sprintf("%s by job %d", stamp(v.Written.At), v.Written.Job)
		if v.Written.Agent != "" {
			line += ", agent " + v.Written.Agent
		}
		if v.Written.Server != "" {
			line += ", server " + v.Written.Server
		}
		s.printf("      written  %s", line)
	case v.Pending == "" && len(v.Values) > 0:
		s.printf("      written  %s", ink.dim("not by Drawbridge: it was so when first read"))
	}
	if v.Pending != "" {
		s.printf("      not yet  %s", ink.warn(v.Pending))
	}
}

// records tells, a line each, what of which record went into a value.
func records(inputs []client.Input) []string {
	var lines []string
	place := ""
	for _, in := range inputs {
		if in.Origin == nil {
			lines = append(lines, fmt.Sprintf("%s %s", in.Name, quoted(in.Value)))
			continue
		}
		at := where(*in.Origin) + ": "
		if at == place { // the same record again
			at = strings.Repeat(" ", runewidth.StringWidth(at))
		} else {
			place = at
		}
		line := fmt.Sprintf("%s%s → %s", at, terms(in.Origin.Inputs), in.Name)
		if len(in.Origin.Inputs) != 1 || in.Origin.Inputs[0].Value != in.Value {
			line += " " + quoted(in.Value)
		}
		lines = append(lines, line)
	}
	return lines
}

// where names a record: the system, and its place there or its id.
func where(o client.Origin) string {
	if o.Place != "" {
		return o.System + ", " + o.Place
	}
	return o.System + " " + o.Record
}

func origin(o *client.Origin) string {
	if o == nil {
		return "–"
	}
	line := where(*o) + ": " + terms(o.Inputs)
	if o.Rule != nil && !bare(o) {
		line += "  by " + rule(*o.Rule)
	}
	return line
}

// bare tells whether the rule only takes over one column: then it says nothing new.
func bare(o *client.Origin) bool { return len(o.Inputs) == 1 && o.Rule.Text == o.Inputs[0].Name }

func terms(list []client.Term) string {
	parts := make([]string, len(list))
	for i, term := range list {
		parts[i] = term.Name + " " + quoted(term.Value)
	}
	return strings.Join(parts, ", ")
}

func rule(r client.Rule) string {
	if r.Line == 0 {
		return r.Text
	}
	return fmt.Sprintf("%s:%d  %s", r.Document, r.Line, r.Text)
}

func quoted(text string) string { return `"` + text + `"` }

// held gives values for one line; "–" for none.
func held(list []string) string { return orDash(strings.Join(list, "; ")) }
