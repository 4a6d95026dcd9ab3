package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent"
	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/update"
)

// supervise has the version that is to run run, as a process of its own.
func (c *command) supervise(ctx context.Context, conf *config.Config, to io.Writer, log *slog.Logger) error {
	keys, err := update.Keys(conf.Update.Keys)
	if err != nil {
		return err
	}
	installed, err := os.Executable()
	if err != nil {
		return err
	}
	path, err := filepath.Abs(c.path)
	if err != nil {
		return err
	}
	s := &update.Supervisor{
		Folder: update.FolderOf(conf.Data), Installed: installed, Version: version(), Keys: keys,
		Args: []string{"run", "--config", path}, Output: to, Agent: control.NewClient(conf.Data),
		Reach:  func(ctx context.Context) error { return agent.Reach(ctx, conf) },
		Aside:  func(layout int) error { return agent.Aside(conf.Data, layout) },
		Gate:   conf.Update.Span(conf.Update.Gate, update.DefaultGate),
		Settle: conf.Update.Span(conf.Update.Settle, update.DefaultSettle),
		Watch:  conf.Update.Span(conf.Update.Watch, update.DefaultWatch),
		Log:    log.With("part", "supervisor"),
	}
	return s.Run(ctx)
}

// runSupervised is the process of one version. It ends with its standard input,
// which the supervisor holds.
func (c *command) runSupervised(ctx context.Context, label string) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	keys, err := update.Keys(conf.Update.Keys)
	if err != nil {
		return err
	}
	if label != update.Installed {
		if err := follow(conf, label, keys); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		_, _ = io.Copy(io.Discard, c.stdin) // it ends with the process, if not before
		stop(errors.New("the service asked the agent to end"))
	}()
	return c.runAgent(ctx, conf, keys, logger(conf.Log, c.stderr))
}

func (c *command) update() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update",
		Short: "What this agent is updated to, and when: look, hold, release, go back",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.updateStatus(),
		c.updateVerb("hold", "Have nothing updated here until `update release`", "nothing is updated until `drawbridge-agent update release`",
			func(f update.Folder, who string) error { return f.Freeze(who) }),
		c.updateVerb("release", "End a hold, and let a release that was taken back be tried again", "updates go on; what was taken back may be tried again",
			func(f update.Folder, _ string) error { return f.Release() }),
		c.updateVerb("rollback", "Go back to the version before, and do not start this one again until `update release`", "the agent goes back to the version before",
			func(f update.Folder, who string) error {
				state, err := f.State()
				if err == nil && state.Previous == nil {
					err = errors.New("there is no version to go back to")
				}
				if err != nil {
					return err
				}
				return f.SetOrder(update.Order{Back: true, By: who})
			}))
	return cmd
}

func (c *command) updateVerb(use, short, done string, do func(update.Folder, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, folder, err := c.versions()
			if err != nil {
				return err
			}
			if err := do(folder, person()); err != nil {
				return privileged(err)
			}
			fmt.Fprintln(c.stdout, done)
			err = control.NewClient(conf.Data).Look(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) { // it looks when it starts
				return nil
			}
			return err
		},
	}
}

// versions opens the folder of versions of this host.
func (c *command) versions() (*config.Config, update.Folder, error) {
	conf, err := c.load()
	if err != nil {
		return nil, "", err
	}
	folder := update.FolderOf(conf.Data)
	if _, err := os.Stat(string(folder)); err != nil {
		return nil, "", privileged(fmt.Errorf("this agent does not update itself, or was not started since it may: put update.keys into %s and restart it: %w", c.path, err))
	}
	return conf, folder, nil
}

func (c *command) updateStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Args: cobra.NoArgs,
		Short: "Show which version runs, how its update stands, and what was taken back",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, folder, err := c.versions()
			if err != nil {
				return err
			}
			state, err := folder.State()
			if err != nil {
				return err
			}
			failures, err := folder.Failures()
			if err != nil {
				return err
			}
			hold, err := folder.Held()
			if err != nil {
				return err
			}
			running, err := control.NewClient(conf.Data).Status(cmd.Context())
			if err != nil && !errors.Is(err, control.ErrNotRunning) {
				return err
			}
			if asJSON {
				return writeJSON(c.stdout, map[string]any{"state": state, "failures": failures, "hold": hold, "running": running.Version, "update": running.Update})
			}
			w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
			if running.Version == "" {
				fmt.Fprintf(w, "running\tno\n")
			} else {
				fmt.Fprintf(w, "running\t%s\n", running.Version)
			}
			fmt.Fprintf(w, "installed\t%s\n", state.Installed)
			if running.Update != nil {
				fmt.Fprintf(w, "update\t%s\n", updateLine(*running.Update))
			}
			if hold != nil {
				fmt.Fprintf(w, "held\tby %s since %s\n", hold.By, local(hold.At))
			}
			if conf.Update.Hold {
				fmt.Fprintf(w, "held\tby %s\n", c.path)
			}
			for _, f := range failures {
				fmt.Fprintf(w, "taken back\t%s, %s: %s\n", f.Version, local(f.At), f.Cause)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// updateLine says in one line how an update stands.
func updateLine(u control.Update) string {
	line := u.State
	if u.Version != "" {
		line += ", " + u.Version
	}
	if u.Cause != "" {
		line += ": " + u.Cause
	}
	if u.Previous != "" {
		line += " (before it: " + u.Previous + ")"
	}
	return line
}

// person is who runs the command, for what is noted.
func person() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "an admin"
}
