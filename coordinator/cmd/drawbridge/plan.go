package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func planCommand(s *session) *cobra.Command {
	var paths []string
	var person string
	c := &cobra.Command{
		Use:   "plan -f DIR",
		Short: "Show what documents would change; see and decide plans",
		Long: `Plan compares the documents of files, or of all .yaml and .yml files of folders, with those in force:
it shows how they differ, and for how many people they lead to something else, by class of change and by
attribute, with examples. Nothing is stored. It exits with 6 where a document has faults or an example
does not hold.

Below it are the plans that wait for somebody: of systems in mode preview, of runs with --preview, and of undo.`,
		Example: `  drawbridge plan -f systems/
  drawbridge plan -f corp-ad.yaml --person E1001
  drawbridge plan list
  drawbridge plan approve 4711`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := readFiles(paths)
			if err != nil {
				return err
			}
			if person != "" {
				return s.try(cmd, files, person)
			}
			f, err := s.api.Plan(cmd.Context(), files)
			if err != nil {
				return err
			}
			if err := s.show(f, func() { s.forecast(f) }); err != nil {
				return err
			}
			return unheld(f.Examples)
		},
	}
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "file with documents, or folder of such")
	c.Flags().StringVar(&person, "person", "", "key of one person: show every rule with its outcome for them")
	must(c.MarkFlagRequired("file"))
	must(c.MarkFlagFilename("file", "yaml", "yml"))
	c.AddCommand(planList(s), planShow(s), planDecide(s, "approve", "Do just what a plan says"), planDecide(s, "reject", "Do nothing of what a plan says"))
	return c
}

func applyCommand(s *session) *cobra.Command {
	var paths []string
	var note string
	var yes, despite bool
	c := &cobra.Command{
		Use:   "apply -f DIR",
		Short: "Show what documents would change, ask, and store them all or none",
		Long: `Apply does what plan does, asks, and stores all documents in one step. It stores nothing where the
configuration was changed meanwhile, or an example does not hold.`,
		Example: `  drawbridge apply -f systems/
  drawbridge apply -f systems/ --yes --note "ticket 4711"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := readFiles(paths)
			if err != nil {
				return err
			}
			f, err := s.api.Plan(cmd.Context(), files)
			if err != nil {
				return err
			}
			if s.output != "json" {
				s.forecast(f)
			}
			if err := unheld(f.Examples); err != nil && !despite {
				return err
			}
			if !yes && !s.agreed() {
				return &adviceError{errors.New("nothing was stored"), "answer yes, or give --yes"}
			}
			done, err := s.api.ApplyAll(cmd.Context(), client.NewConfiguration{Configuration: client.Configuration{Files: files}, Base: f.Base, Note: note})
			if err != nil {
				return err
			}
			return s.showApplied(done)
		},
	}
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "file with documents, or folder of such")
	c.Flags().StringVar(&note, "note", "", "why, for those who look at the versions")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&despite, "despite-examples", false, "store the documents though examples do not hold")
	must(c.MarkFlagRequired("file"))
	must(c.MarkFlagFilename("file", "yaml", "yml"))
	return c
}

// agreed asks whether to go on.
func (s *session) agreed() bool {
	fmt.Fprint(s.errOut, "\nStore these documents? (yes/no) ")
	line, _ := bufio.NewReader(s.in).ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(line), "yes")
}

func readFiles(paths []string) ([]client.File, error) {
	names, err := documentFiles(paths)
	if err != nil {
		return nil, err
	}
	files := make([]client.File, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[i] = client.File{Name: name, Text: string(text)}
	}
	return files, nil
}

// unheld makes an error of examples that do not hold.
func unheld(run client.ExamplesRun) error {
	if len(run.Failures) == 0 {
		return nil
	}
	return &client.Problem{Status: http.StatusUnprocessableEntity, Title: "examples do not hold",
		Detail: fmt.Sprintf("of %d examples, %d things do not hold", run.Run, len(run.Failures)), NextStep: "correct the rules, or the examples", Errors: run.Failures}
}

// forecast prints what documents would change.
func (s *session) forecast(f client.Forecast) {
	p := s.paint()
	for _, d := range f.Documents {
		if d.Action == "unchanged" {
			s.printf("system %s unchanged (revision %d)", d.Name, d.Revision)
			continue
		}
		s.printf("%s", p.bold(fmt.Sprintf("system %s would be %s (revision %d)", d.Name, d.Action, d.Revision)))
		s.difference(d.Diff)
		for _, note := range d.Notes {
			s.fault(note)
		}
	}
	s.printf("")
	for _, line := range f.Summary {
		s.printf("%s", p.bold(line))
	}
	s.examplesOf("would be made", f.Directory.Made)
	s.examplesOf("no source any more", f.Directory.Lost)
	s.examplesOf("not taken", f.Directory.Rejected)
	s.attributes("people", f.Directory.Attributes)
	for _, t := range f.Targets {
		s.targetForecast(t)
	}
}

// difference prints a unified diff in colours.
func (s *session) difference(diff string) {
	p := s.paint()
	for i, line := range strings.Split(strings.TrimSuffix(diff, "\n"), "\n") {
		switch {
		case line == "" || i < 3: // the heading says what is known
		case line[0] == '+':
			s.printf("  %s", p.good(line))
		case line[0] == '-':
			s.printf("  %s", p.bad(line))
		case line[0] == '@':
			s.printf("  %s", p.dim(line))
		default:
			s.printf("  %s", line)
		}
	}
}

func (s *session) targetForecast(t client.TargetForecast) {
	p := s.paint()
	for _, note := range t.Notes {
		s.printf("\n%s: %s", p.bold(t.System), p.warn(note))
	}
	if len(t.Classes) > 0 {
		s.printf("\n%s", p.bold(t.System))
		table := newTable("CHANGE", "PEOPLE", "NO MORE", "THRESHOLD", "SUCH AS")
		for _, c := range t.Classes {
			limit := c.Limit
			if c.Held {
				limit += ", held"
			}
			who := make([]string, len(c.Examples))
			for i, a := range c.Examples {
				who[i] = a.Person
			}
			table.row(c.Class, fmt.Sprint(c.People), fmt.Sprint(c.Fewer), orDash(limit), orDash(strings.Join(who, ", ")))
		}
		table.print(s, "")
	}
	s.attributes("", t.Attributes)
	s.examplesOf(t.System+": problems", t.Problems)
}

func (s *session) attributes(of string, list []client.AttributeForecast) {
	if len(list) == 0 {
		return
	}
	s.printf("")
	if of != "" {
		s.printf("%s", s.paint().bold(of))
	}
	table := newTable("ATTRIBUTE", "LOSE", "GET", "CHANGE", "SUCH AS", "BEFORE", "AFTER")
	for _, a := range list {
		lose, get, change, name := fmt.Sprint(a.Lose), fmt.Sprint(a.Gain), fmt.Sprint(a.Change), a.Attribute
		for _, e := range a.Examples {
			table.row(name, lose, get, change, strings.TrimSpace(e.Person+" "+e.Display), held(e.Before), held(e.After))
			name, lose, get, change = "", "", "", ""
		}
	}
	table.print(s, "")
}

func (s *session) examplesOf(what string, list client.AffectedPeople) {
	if list.People == 0 {
		return
	}
	s.printf("\n%s", s.paint().bold(fmt.Sprintf("%s: %d", what, list.People)))
	table := newTable("SUCH AS", "WHY")
	for _, e := range list.Examples {
		table.row(strings.TrimSpace(e.Person+" "+e.Display), e.Why)
	}
	table.print(s, "")
}

// try shows what documents make of one person.
func (s *session) try(cmd *cobra.Command, files []client.File, person string) error {
	var t client.Trial
	if err := s.api.Post(cmd.Context(), "/v1/configuration/trial", client.AskTrial{Files: files, Person: person}, &t); err != nil {
		return err
	}
	return s.show(t, func() { s.trial(t) })
}

func (s *session) trial(t client.Trial) {
	p := s.paint()
	s.printf("%s  %s  %s", p.bold(t.Display), t.Person, stateWord(p, t.Life))
	for _, r := range t.Records {
		s.printf("\n%s", p.bold(strings.TrimSpace("record of "+r.System+" "+r.Place)))
		s.tried(r.Values)
	}
	for _, a := range t.Accounts {
		s.printf("\n%s  %s", p.bold(a.System), orDash(a.Address))
		for _, note := range a.Notes {
			s.printf("  %s", p.warn(note))
		}
		if a.Scope != nil {
			s.printf("  scope %s: %s", held(a.Scope.Values), a.Scope.Rule.Text)
		}
		s.tried(a.Values)
		for _, step := range a.Steps {
			s.printf("  would: %s", step.Text)
		}
		for _, key := range a.Waits {
			s.printf("  %s waits for the account of %s", p.warn("…"), key)
		}
		if a.Problem != nil {
			s.trouble("  ", *a.Problem)
		}
	}
}

func (s *session) tried(values []client.TriedValue) {
	table := newTable("ATTRIBUTE", "NOW", "GIVES", "RULE")
	for _, v := range values {
		gives := held(v.Values)
		switch v.State {
		case "fault":
			gives = v.Fault
		case "empty":
			gives = "empty"
		case "absent":
			gives = "says nothing"
		}
		text := ""
		if v.Rule != nil {
			text = rule(*v.Rule)
		}
		if v.Changes {
			gives += " *"
		}
		table.row(v.Attribute, held(v.Now), gives, text)
	}
	table.print(s, "")
}
