package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// A session is one command line: where it reads and writes, and its global flags.
type session struct {
	in          io.Reader
	out, errOut io.Writer

	url, token, loginFile, ca, output string

	api *client.Client
	// documents are the files sent, by name: faults are shown in them.
	documents map[string][]byte
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "drawbridge",
		Short: "Operate a Drawbridge coordinator",
		Long: `drawbridge operates a coordinator through its API.

It finds the coordinator by --url and --token, else by DRAWBRIDGE_URL and DRAWBRIDGE_TOKEN,
else by the login file that the coordinator keeps on its own host.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 coordinator not reached, 4 not permitted,
5 not found, 6 document or request has faults, 7 not possible in the present state.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return s.connect(cmd) },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.url, "url", "", "address of the coordinator's API (DRAWBRIDGE_URL)")
	flags.StringVar(&s.token, "token", "", "API token (DRAWBRIDGE_TOKEN)")
	flags.StringVar(&s.ca, "ca", "", "file with the authority of the API's certificate, PEM (DRAWBRIDGE_CA)")
	flags.StringVar(&s.loginFile, "login", "", "login file (DRAWBRIDGE_LOGIN; default "+defaultLogin()+")")
	flags.StringVarP(&s.output, "output", "o", "table", "table or json")
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{cmd, err} })
	root.AddCommand(
		statusCommand(s), runCommand(s), systemCommand(s), cycleCommand(s), heldCommand(s), personCommand(s),
		jobCommand(s), logCommand(s), problemCommand(s), tokenCommand(s), agentCommand(s),
	)
	wrongUsage(root)
	return root
}

// wrongUsage makes wrong arguments and unknown commands usage errors, in every command below c.
func wrongUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{cmd, err}
			}
			return nil
		}
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = func(cmd *cobra.Command, args []string) error { return nil }
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usageError{cmd, errors.New(text)}
		}
		c.SuggestionsMinimumDistance = 2
	}
	for _, sub := range c.Commands() {
		wrongUsage(sub)
	}
}

// connect finds the coordinator: flags, then environment, then login file.
func (s *session) connect(cmd *cobra.Command) error {
	if s.output != "table" && s.output != "json" {
		return usageError{cmd, fmt.Errorf("--output %s: want table or json", s.output)}
	}
	login := client.Login{URL: cmp.Or(s.url, os.Getenv("DRAWBRIDGE_URL")), Token: cmp.Or(s.token, os.Getenv("DRAWBRIDGE_TOKEN"))}
	if login.URL == "" || login.Token == "" {
		path := cmp.Or(s.loginFile, os.Getenv("DRAWBRIDGE_LOGIN"), defaultLogin())
		local, err := client.ReadLogin(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if needsCoordinator(cmd) {
				return &adviceError{fmt.Errorf("no coordinator is named, and there is no login file %s", path),
					"give --url and --token (or DRAWBRIDGE_URL and DRAWBRIDGE_TOKEN), or run it on the coordinator's host"}
			}
		case err != nil:
			return &adviceError{err, "run it as the coordinator's user, or give --url and --token"}
		}
		login = client.Login{URL: cmp.Or(login.URL, local.URL), Token: cmp.Or(login.Token, local.Token), CA: local.CA}
	}
	if path := cmp.Or(s.ca, os.Getenv("DRAWBRIDGE_CA")); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("authority: %w", err)
		}
		login.CA = string(text)
	}
	var err error
	s.api, err = login.Client()
	return err
}

// needsCoordinator tells whether the command asks the API anything.
func needsCoordinator(cmd *cobra.Command) bool {
	for c := cmd; c != nil; c = c.Parent() {
		if c.Name() == "completion" || c.Name() == "help" {
			return false
		}
	}
	return !cmd.HasSubCommands()
}

// defaultLogin is where the coordinator keeps its login file.
func defaultLogin() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`), "Drawbridge", "coordinator", "login.json")
	}
	return "/var/lib/drawbridge/coordinator/login.json"
}

// show prints v as JSON when asked for, else what table prints.
func (s *session) show(v any, table func()) error {
	if s.output == "json" {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	table()
	return nil
}

// printf writes a line for people.
func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// must stops on an error that only a mistake in this program can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
