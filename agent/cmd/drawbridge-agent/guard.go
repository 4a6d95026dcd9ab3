package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/agent/guard"
)

func (c *command) guard() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "The guardrail: what may be done in the systems of this site, whatever the cloud asks for",
	}
	cmd.AddCommand(c.guardShow(), c.guardCheck(), c.guardDraft(), c.guardKey(), c.guardSign())
	return cmd
}

func (c *command) guardShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Args: cobra.NoArgs,
		Short: "Show the guardrail in force, what was denied, and what waits for an approval",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := c.load()
			if err != nil {
				return err
			}
			s, err := control.NewClient(conf.Data).Status(cmd.Context())
			if err != nil {
				return err
			}
			return c.printGuard(s.Guardrail)
		},
	}
}

func (c *command) printGuard(g control.Guardrail) error {
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "guardrail\t%s\n", guardLine(g))
	if g.Cause != "" {
		fmt.Fprintf(w, "\t%s\n", g.Cause)
	}
	for _, line := range g.Summary {
		fmt.Fprintf(w, "\t%s\n", line)
	}
	fmt.Fprintf(w, "denied\t%d since the agent started\n", g.Denied)
	for _, system := range slices.Sorted(maps.Keys(g.Spent)) {
		for _, verb := range slices.Sorted(maps.Keys(g.Spent[system])) {
			if n := g.Spent[system][verb]; n[1] > 0 {
				fmt.Fprintf(w, "done\t%s %s: %d in the last hour, %d in the last day\n", system, verb, n[0], n[1])
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	c.printWaiting(g.Waiting)
	if g.Cause != "" {
		return errUnwell
	}
	return nil
}

// guardLine says in one line which guardrail is in force.
func guardLine(g control.Guardrail) string {
	if g.Mode == guard.BuiltIn && g.Digest == "" {
		return "built-in rules; there is no " + g.File
	}
	line := g.Mode + ", " + g.File
	if g.Digest != "" {
		line += ", SHA-256 " + g.Digest[:12]
	}
	if g.Signed {
		line += ", signed"
	}
	return line
}

func (c *command) printWaiting(list []control.Waiting) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(c.stdout, "\n%d jobs wait for `drawbridge-agent approve`:\n", len(list))
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "JOB\tSYSTEM\tSINCE\tWHY\n")
	for _, j := range list {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", j.Job, j.System, local(j.Since), j.Cause)
	}
	_ = w.Flush()
}

func (c *command) guardCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Args: cobra.MaximumNArgs(1),
		Short: "Check a guardrail as the agent would, and print every fault with its line",
		RunE: func(_ *cobra.Command, args []string) error {
			path, key, err := c.guardFile(args)
			if err != nil {
				return err
			}
			p, err := guard.Read(path, key)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s serves: mode %s, SHA-256 %s\n", path, p.Mode, p.Digest)
			for _, line := range p.Summary() {
				fmt.Fprintf(c.stdout, "  %s\n", line)
			}
			return nil
		},
	}
}

// guardFile is the file named, or the one of agent.yaml with the key it pins.
// A file that is named is checked for what it says, not for who signed it, if
// this host has no agent.yaml.
func (c *command) guardFile(args []string) (path, key string, err error) {
	conf, err := c.load()
	if len(args) == 1 {
		if err != nil {
			return args[0], "", nil
		}
		return args[0], conf.Guardrail.Key, nil
	}
	if err != nil {
		return "", "", err
	}
	return conf.Guardrail.File, conf.Guardrail.Key, nil
}

func (c *command) guardDraft() *cobra.Command {
	return &cobra.Command{
		Use: "draft", Args: cobra.NoArgs,
		Short: "Print a guardrail that allows what jobs have asked for so far",
		Long: `draft prints a guardrail that allows what jobs have asked for on this host so far,
in mode observe. Read every line, cut it to what should be, put it beside agent.yaml as
guardrail.yaml, and write mode: enforce when nothing is reported any more.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := c.load()
			if err != nil {
				return err
			}
			text, err := control.NewClient(conf.Data).Draft(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				text, err = draftWithout(conf.Data)
			}
			fmt.Fprint(c.stdout, text)
			return err
		},
	}
}

// draftWithout reads what was seen while no agent runs.
func draftWithout(data string) (string, error) {
	g, err := guard.Open(guard.Options{Data: data, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", privileged(err)
	}
	return g.Draft(), g.Close()
}

func (c *command) guardKey() *cobra.Command {
	return &cobra.Command{
		Use: "key FILE", Args: cobra.ExactArgs(1),
		Short: "Make a key to sign guardrails with, and print what agent.yaml pins of it",
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := writeKey(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s holds the key: keep it away from this host. agent.yaml gets\n\nguardrail:\n  key: %s\n",
				args[0], public)
			return nil
		},
	}
}

func (c *command) guardSign() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use: "sign FILE", Args: cobra.ExactArgs(1),
		Short: "Sign a guardrail; the signature is put beside it",
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if _, err := guard.Parse(args[0], text); err != nil {
				return err
			}
			if err := durable.ReplaceFile(guard.SignatureFile(args[0]), []byte(guard.Sign(text, key))); err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "signed: put %s and %s on the agent's host\n", args[0], guard.SignatureFile(args[0]))
			return nil
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "file that `guard key` made")
	_ = cmd.MarkFlagRequired("key") // the flag is there
	return cmd
}

// writeKey makes a key, puts it into a new file, and returns what is pinned of it.
func writeKey(path string) (public string, err error) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never over another key
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(pub), errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no key: `drawbridge-agent guard key FILE` makes one", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if private, ok := key.(ed25519.PrivateKey); ok {
		return private, nil
	}
	return nil, errors.Join(fmt.Errorf("%s is no Ed25519 key", path), err)
}

func (c *command) approve() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "approve [JOB...]",
		Short: "Let jobs pass that the guardrail has wait, once; without arguments, list them",
		RunE: func(cmd *cobra.Command, args []string) error {
			approval := control.Approval{All: all, By: whoAmI(c)}
			for _, text := range args {
				id, err := strconv.ParseUint(text, 10, 64)
				if err != nil {
					return usageError{fmt.Errorf("%q is no number of a job", text)}
				}
				approval.Jobs = append(approval.Jobs, id)
			}
			return c.approveJobs(cmd.Context(), approval)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all that wait")
	return cmd
}

func (c *command) approveJobs(ctx context.Context, approval control.Approval) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	client := control.NewClient(conf.Data)
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	waiting := s.Guardrail.Waiting
	if !approval.All && len(approval.Jobs) == 0 {
		if len(waiting) == 0 {
			fmt.Fprintln(c.stdout, "no job waits for an approval")
		}
		c.printWaiting(waiting)
		return nil
	}
	missing, err := client.Approve(ctx, approval)
	if err != nil {
		return err
	}
	for _, j := range waiting {
		if approval.All || slices.Contains(approval.Jobs, j.Job) {
			fmt.Fprintf(c.stdout, "job %d of system %s may pass, once\n", j.Job, j.System)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no such job waits: %v; see `drawbridge-agent approve`", missing)
	}
	return nil
}

// whoAmI names the person at the keyboard, for the log.
func whoAmI(c *command) string {
	if name := c.lookup("SUDO_USER", ""); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
