package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/drawbridge-id/drawbridge/agent"
	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/custody"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

const secretBytes = 64 << 10

func (c *command) secret() *cobra.Command {
	cmd := &cobra.Command{Use: "secret", Short: "Keep the credentials of systems, sealed on this host"}
	cmd.AddCommand(&cobra.Command{
		Use: "set SYSTEM NAME", Args: cobra.ExactArgs(2),
		Short: "Give a credential of a system, at a prompt or on standard input",
		Long: `set seals a credential on this host. It is asked for at a prompt, or read from
standard input, and never taken from the command line. SYSTEM proxy and NAME
password stand for the proxy that agent.yaml names, if it has a user. A
credential holds for the servers,
CA and account that the system has now: if the coordinator changes one of them,
the credential is not used until it is given again here.`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.setSecret(cmd.Context(), args[0], args[1]) },
	})
	return cmd
}

func (c *command) setSecret(ctx context.Context, system, name string) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	if system == "proxy" && conf.Proxy.User != "" {
		return c.setProxySecret(conf, name)
	}
	takes, running, err := orAlone(ctx, conf,
		func(running *control.Client) (control.Secrets, error) { return running.Secrets(ctx, system) },
		func(journal *spool.Spool) (control.Secrets, error) { return secretsWithout(ctx, conf, journal, system) })
	if err != nil {
		return err
	}
	if !slices.Contains(takes.Names, name) {
		return fmt.Errorf("system %q takes no secret %q; it takes: %s", system, name, strings.Join(takes.Names, ", "))
	}
	text, err := c.readSecret(fmt.Sprintf("%s of %s: ", name, system))
	if err != nil {
		return err
	}
	v, err := vault.Open(conf.Data)
	if err != nil {
		return privileged(err)
	}
	if err := v.Set(system, name, takes.Anchors, sealed.New(text)); err != nil {
		return privileged(err)
	}
	fmt.Fprintf(c.stdout, "secret %s of system %s is sealed on this host\n", name, system)
	if running == nil {
		return nil
	}
	return running.Retry(ctx, system)
}

// setProxySecret keeps the password of the proxy that agent.yaml names; no
// agent must have run before, because one may be needed to join.
func (c *command) setProxySecret(conf *config.Config, name string) error {
	if name != "password" {
		return fmt.Errorf("the proxy takes no secret %q; it takes: password", name)
	}
	if err := custody.Private(conf.Data); err != nil {
		return privileged(fmt.Errorf("data folder: %w", err))
	}
	text, err := c.readSecret(fmt.Sprintf("password of %s at the proxy: ", conf.Proxy.User))
	if err != nil {
		return err
	}
	v, err := vault.Open(conf.Data)
	if err == nil {
		err = v.Set(agent.ProxySecret, name, agent.ProxyAnchors(conf), sealed.New(text))
	}
	if err != nil {
		return privileged(err)
	}
	fmt.Fprintln(c.stdout, "password of the proxy is sealed on this host")
	return nil
}

// secretsWithout asks the spool and the connector while no agent runs.
func secretsWithout(ctx context.Context, conf *config.Config, journal *spool.Spool, system string) (control.Secrets, error) {
	systems, err := journal.Systems()
	if err != nil {
		return control.Secrets{}, err
	}
	h, err := agent.NewHost(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return control.Secrets{}, err
	}
	var of *linkv1.System
	for _, candidate := range systems.GetSystems() {
		if candidate.GetName() == system {
			of = candidate
		}
	}
	return agent.SecretsOf(ctx, h, of, system)
}

// readSecret prompts without showing what is typed, or reads standard input,
// of which one line end is left off.
func (c *command) readSecret(prompt string) (string, error) {
	if f, ok := c.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(c.stderr, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.stderr)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		return checkSecret(string(text))
	}
	text, err := io.ReadAll(io.LimitReader(c.stdin, secretBytes+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return checkSecret(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
}

func checkSecret(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("the secret is empty: nothing was changed")
	case len(text) > secretBytes:
		return "", fmt.Errorf("the secret is longer than %d bytes: nothing was changed", secretBytes)
	}
	return text, nil
}
