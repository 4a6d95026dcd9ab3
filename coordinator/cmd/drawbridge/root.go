package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

	url, token, tokenFile, ca, output, reason string

	api *client.Client
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "drawbridge",
		Short: "Operate a Drawbridge coordinator",
		Long: `drawbridge operates a coordinator through its API.

It finds the coordinator by --url or DRAWBRIDGE_URL, else it is the one of the last drawbridge login.
It shows it the token of --token, DRAWBRIDGE_TOKEN or --token-file, else that of drawbridge login,
else that of the file which the coordinator keeps for its own host's admin.

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
	flags.StringVar(&s.tokenFile, "token-file", "", "file with the API token (DRAWBRIDGE_TOKEN_FILE; default "+defaultTokenFile()+")")
	flags.StringVar(&s.reason, "reason", "", "why, for the audit")
	flags.StringVarP(&s.output, "output", "o", "table", "table or json")
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{cmd, err} })
	root.AddCommand(
		statusCommand(s), runCommand(s), systemCommand(s), cycleCommand(s), heldCommand(s), personCommand(s),
		jobCommand(s), logCommand(s), problemCommand(s), tokenCommand(s), agentCommand(s), releaseCommand(s), ringCommand(s),
		recipientCommand(s), passwordCommand(s),
		loginCommand(s), logoutCommand(s), accessCommand(s), auditCommand(s),
		importCommand(s), testCommand(s), planCommand(s), applyCommand(s), undoCommand(s), replayCommand(s), driftCommand(s),
		homeCommand(s), healthCommand(s), statsCommand(s), watchCommand(s), connectorCommand(s), siteCommand(s),
		webhookCommand(s), mailCommand(s), retentionCommand(s), apiCommand(s),
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

// connect finds the coordinator: by flags, then the environment, then what a coordinator on this host leaves.
func (s *session) connect(cmd *cobra.Command) error {
	if s.output != "table" && s.output != "json" {
		return usageError{cmd, fmt.Errorf("--output %s: want table or json", s.output)}
	}
	in, err := readSignIn()
	if err != nil {
		return err
	}
	s.api = &client.Client{URL: cmp.Or(s.url, os.Getenv("DRAWBRIDGE_URL"), in.URL, "http://127.0.0.1:8080"), Token: cmp.Or(s.token, os.Getenv("DRAWBRIDGE_TOKEN")), Reason: s.reason}
	given := cmp.Or(s.tokenFile, os.Getenv("DRAWBRIDGE_TOKEN_FILE"))
	if s.api.Token == "" && given == "" {
		s.api.Token = in.token(s.api.URL)
	}
	if s.api.Token == "" && needsCoordinator(cmd) {
		path := cmp.Or(given, defaultTokenFile())
		text, err := os.ReadFile(path)
		if err != nil {
			return &adviceError{fmt.Errorf("no API token: %w", err),
				"sign in with drawbridge login, give --token (or DRAWBRIDGE_TOKEN), or run it on the coordinator's host as a user who may read that file"}
		}
		s.api.Token = strings.TrimSpace(string(text))
	}
	return s.trust(cmp.Or(s.ca, os.Getenv("DRAWBRIDGE_CA")))
}

// trust has the API's certificate checked against the authority in a file.
func (s *session) trust(path string) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return &adviceError{fmt.Errorf("authority: %s holds no certificate", path), "give a file in PEM form"}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	s.api.HTTP = &http.Client{Transport: transport}
	return nil
}

// needsCoordinator tells whether the command asks the API anything.
func needsCoordinator(cmd *cobra.Command) bool {
	for c := cmd; c != nil; c = c.Parent() {
		top := c.HasParent() && !c.Parent().HasParent()
		if c.Name() == "keygen" || c.Name() == "login" || c.Name() == "logout" || top && (c.Name() == "completion" || c.Name() == "help" || c.Name() == "import" || c.Name() == "test") {
			return false
		}
	}
	return !cmd.HasSubCommands()
}

// defaultTokenFile is where a coordinator leaves the token for its own host's admin.
func defaultTokenFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`), "Drawbridge", "coordinator", "admin-token")
	}
	return "/var/lib/drawbridge/coordinator/admin-token"
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
