package main

import (
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// exportCommand makes a command that writes a list to a file or standard output. query gives what is wanted.
func (s *session) exportCommand(short, path string, query func() url.Values) *cobra.Command {
	var format, file string
	c := &cobra.Command{
		Use:   "export",
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := query()
			if s.output == "json" {
				format = "jsonl"
			}
			q.Set("format", format)
			body, err := s.api.Open(cmd.Context(), path, q)
			if err != nil {
				return err
			}
			defer body.Close()
			return s.save(body, file)
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	c.Flags().StringVar(&file, "to", "", "file to write; standard output if left out")
	must(c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"csv", "jsonl"}, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// save copies what is exported, and shows how much has come where somebody looks.
func (s *session) save(from io.Reader, file string) error {
	if file == "" {
		_, err := io.Copy(s.out, from)
		return err
	}
	to, err := os.CreateTemp(".", ".export-*")
	if err != nil {
		return err
	}
	bar := s.bar(-1, "exported")
	n, err := io.Copy(io.MultiWriter(to, bar), from)
	_ = bar.Finish() // it only shows
	if closing := to.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(to.Name(), file)
	}
	if err != nil {
		_ = os.Remove(to.Name()) // what was cut is of no use
		return err
	}
	fmt.Fprintf(s.errOut, "%d bytes written to %s\n", n, file)
	return nil
}

// bar makes a bar of progress on standard error; where that is no terminal it shows nothing.
func (s *session) bar(total int64, what string) *progressbar.ProgressBar {
	f, ok := s.errOut.(*os.File)
	visible := ok && term.IsTerminal(int(f.Fd()))
	options := []progressbar.Option{progressbar.OptionSetWriter(s.errOut), progressbar.OptionSetDescription(what), progressbar.OptionSetVisibility(visible),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth()}
	if total < 0 {
		options = append(options, progressbar.OptionShowBytes(true))
	}
	return progressbar.NewOptions64(total, options...)
}
