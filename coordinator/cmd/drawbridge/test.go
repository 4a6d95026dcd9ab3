package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/examples"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

func testCommand(s *session) *cobra.Command {
	var paths []string
	c := &cobra.Command{
		Use:   "test -f DIR",
		Short: "Run the examples of system documents, with no coordinator at hand",
		Long: `Test checks the documents of files, or of all .yaml and .yml files of folders, and runs their
examples: what each says must come of a person is compared with what the rules make of them.
It exits with 6 where a document has faults or an example does not hold.`,
		Example: `  drawbridge test -f systems/
  drawbridge test -f hr.yaml -f corp-ad.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return s.test(paths) },
	}
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "file with documents, or folder of such")
	must(c.MarkFlagRequired("file"))
	must(c.MarkFlagFilename("file", "yaml", "yml"))
	return c
}

func (s *session) test(paths []string) error {
	files, err := documentFiles(paths)
	if err != nil {
		return err
	}
	var systems []*mapping.System
	var wrong []client.Fault
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		list, err := mapping.ParseFile(file, text)
		var faults mapping.Faults
		if err != nil && !errors.As(err, &faults) {
			return err
		}
		for _, f := range faults {
			wrong = append(wrong, client.Fault{Document: f.File, Line: f.Line, Column: f.Column, Text: line(text, f.Line), Message: f.Message, NextStep: f.Hint})
		}
		systems = append(systems, list...)
	}
	if len(wrong) > 0 {
		return &client.Problem{Status: http.StatusUnprocessableEntity, Title: "the documents have faults",
			Detail: fmt.Sprintf("the documents have %d faults", len(wrong)), NextStep: "mend them; no example was run", Errors: wrong}
	}
	run, failures := examples.Run(systems, time.Now())
	for _, f := range failures {
		message := f.Message
		if f.Example != "" {
			message = f.Example + ": " + message
		}
		wrong = append(wrong, client.Fault{Document: f.File, Line: f.Line, Message: message})
	}
	if len(wrong) > 0 {
		return &client.Problem{Status: http.StatusUnprocessableEntity, Title: "examples do not hold",
			Detail: fmt.Sprintf("of %d examples, %d things do not hold", run, len(wrong)), NextStep: "correct the rules, or the examples", Errors: wrong}
	}
	s.printf("%d documents, %d examples: all hold.", len(systems), run)
	return nil
}

// line gives a line of the text, counted from 1; "" where there is none.
func line(text []byte, n int) string {
	lines := strings.Split(string(text), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSuffix(lines[n-1], "\r")
}

// documentFiles gives the files themselves, and of folders those that hold documents.
func documentFiles(paths []string) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if ext := filepath.Ext(name); err == nil && !entry.IsDir() && (ext == ".yaml" || ext == ".yml") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, errors.New("there is no .yaml or .yml file in what was given")
	}
	return files, nil
}
