package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func systemCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "system", Short: "Systems: what is connected, and by which rules"}
	c.AddCommand(systemApply(s), systemList(s), systemShow(s), systemHistory(s), systemDiff(s), systemRollback(s), systemMode(s), systemSchema(s), systemTest(s))
	return c
}

func systemApply(s *session) *cobra.Command {
	var files []string
	var dry bool
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Check and store system documents (YAML, several per file)",
		Long: `Apply checks every document of every file first. Where anything is wrong, all faults are shown
with their lines, and nothing is stored.`,
		Example: `  drawbridge system apply -f hr.yaml -f corp-ad.yaml
  drawbridge system apply --dry-run -f corp-ad.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.apply(cmd, files, dry) },
	}
	c.Flags().StringArrayVarP(&files, "file", "f", nil, "file with documents; - for standard input")
	c.Flags().BoolVar(&dry, "dry-run", false, "only check")
	must(c.MarkFlagRequired("file"))
	must(c.MarkFlagFilename("file", "yaml", "yml"))
	return c
}

// apply sends the files one after the other, all of them dry before the first is stored.
func (s *session) apply(cmd *cobra.Command, files []string, dry bool) error {
	texts := make([][]byte, len(files))
	for i, name := range files {
		var err error
		if name == "-" {
			texts[i], err = io.ReadAll(s.in)
		} else {
			texts[i], err = os.ReadFile(name)
		}
		if err != nil {
			return err
		}
		if len(files) == 1 && !dry {
			break
		}
		checked, err := s.api.Apply(cmd.Context(), name, texts[i], true)
		if err != nil {
			return err
		}
		if dry {
			if err := s.showApplied(checked); err != nil {
				return err
			}
		}
	}
	if dry {
		return nil
	}
	for i, name := range files {
		done, err := s.api.Apply(cmd.Context(), name, texts[i], false)
		if err != nil {
			return err
		}
		if err := s.showApplied(done); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) showApplied(a client.Applied) error {
	return s.show(a, func() {
		for _, system := range a.Systems {
			verb := system.Action
			if a.DryRun && verb != "unchanged" {
				verb = "would be " + verb
			}
			s.printf("system %s %s (revision %d)", system.Name, verb, system.Revision)
			for _, note := range system.Notes {
				s.fault(note)
			}
		}
	})
}

func systemList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List systems with their health",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.System
			if err := s.api.Items(cmd.Context(), "/v1/systems", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				systemTable(list).print(s, "No systems yet. Apply a document with: drawbridge system apply -f FILE")
			})
		},
	}
}

func systemTable(list []client.System) *table {
	t := newTable("SYSTEM", "SITE", "CONNECTOR", "ROLE", "STATE", "LAST GOOD", "ACCOUNTS", "LAST CYCLE", "NOTE")
	for _, y := range list {
		last, note := "–", ""
		if y.Last != nil {
			last = stamp(y.Last.Began)
			if y.Last.State != "applied" {
				note = "cycle " + y.Last.State
			}
		}
		if y.Fault != nil {
			note = y.Fault.Cause
		}
		t.row(y.Name, y.Site, y.Connector, y.Role, y.State, stamp(y.Good), fmt.Sprint(y.Accounts), last, note)
	}
	return t
}

func systemShow(s *session) *cobra.Command {
	var document bool
	var revision int64
	c := &cobra.Command{
		Use:               "show SYSTEM",
		Short:             "Show a system: health, schema, last read, document",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/systems", "name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if revision > 0 {
				var v client.SystemVersion
				if err := s.api.Get(cmd.Context(), fmt.Sprintf("/v1/systems/%s/versions/%d", segment(args[0]), revision), nil, &v); err != nil {
					return err
				}
				return s.show(v, func() { _, _ = io.WriteString(s.out, v.Document) })
			}
			var y client.SystemDetail
			if err := s.api.Get(cmd.Context(), "/v1/systems/"+segment(args[0]), nil, &y); err != nil {
				return err
			}
			if document {
				_, err := io.WriteString(s.out, y.Document)
				return err
			}
			return s.show(y, func() { s.systemDetail(y) })
		},
	}
	c.Flags().BoolVar(&document, "document", false, "print the document as it was applied")
	c.Flags().Int64Var(&revision, "revision", 0, "print the document as this revision has it")
	return c
}

func (s *session) systemDetail(y client.SystemDetail) {
	p := s.paint()
	s.printf("%s  %s", p.bold(y.Name), stateWord(p, y.State))
	t := newTable("", "")
	t.row("connector", y.Connector+" at site "+y.Site)
	t.row("role", y.Role)
	t.row("document", fmt.Sprintf("revision %d, applied %s", y.Revision, stamp(y.Applied)))
	t.row("accounts", fmt.Sprint(y.Accounts))
	schema := "not read yet"
	if !y.SchemaAt.IsZero() {
		schema = strings.Join(y.Classes, ", ") + ", read " + stamp(y.SchemaAt)
	}
	t.row("schema", schema)
	if y.Last != nil {
		t.row("last cycle", fmt.Sprintf("%d %s, began %s: %s", y.Last.ID, y.Last.State, stamp(y.Last.Began), counts(*y.Last)))
	}
	t.row("next read", stamp(y.NextRead))
	t.row("checked", fmt.Sprintf("from end to end %s, worked %s", stamp(y.Checked), stamp(y.Good)))
	if y.Waiting > 0 {
		t.row("waiting", fmt.Sprintf("%d jobs at the agent, %d at a time", y.Waiting, y.Parallel))
	}
	t.bare(s)
	if y.Fault != nil {
		s.trouble("", *y.Fault)
		if !y.NextTry.IsZero() {
			s.printf("  tried again %s", stamp(y.NextTry))
		}
		s.exact("  ", y.CheckJob)
		s.printf("  try it now, step by step: drawbridge system test %s", y.Name)
	}
	if len(y.Rejects) > 0 {
		s.printf("\n%s", p.bold("Set aside by the last read"))
		t := newTable("PLACE", "OBJECT", "REASON")
		for _, r := range y.Rejects {
			t.row(r.Place, orDash(r.Object), r.Reason)
		}
		t.print(s, "")
	}
}

func stateWord(p paint, state string) string {
	switch state {
	case "ready", "connected", "applied", "done", "present", "home", "active":
		return p.good(state)
	case "failing", "failed", "revoked", "gone":
		return p.bad(state)
	case "held", "missing", "wanted", "waiting", "away":
		return p.warn(state)
	}
	return state
}

// exact says how to see the exact request and answer of a job; nothing where there is none.
func (s *session) exact(indent string, job int64) {
	if job != 0 {
		s.printf("%sthe exact request and answer: drawbridge job show %d", indent, job)
	}
}

// trouble shows what stops something, and what to do.
func (s *session) trouble(indent string, f client.Trouble) {
	p := s.paint()
	s.printf("%s%s %s", indent, p.bad("!"), f.Cause)
	if f.Attribute != "" || f.Object != "" {
		at := strings.TrimSpace(f.Attribute + " " + f.Object)
		if f.Length > 0 {
			at += fmt.Sprintf(", a value of %d characters", f.Length)
		}
		s.printf("%s  at %s", indent, at)
	}
	if f.NextStep != "" {
		s.printf("%s  next: %s", indent, f.NextStep)
	}
	if f.Raw != "" {
		s.printf("%s  %s", indent, p.dim(f.Raw))
	}
}
