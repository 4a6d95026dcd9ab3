package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/update"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1 // what was asked for could not be done; the message says why
	exitUsage       = 2 // the command line is wrong
	exitConfig      = 3 // agent.yaml is wrong
	exitNotEnrolled = 4 // the host has not joined
	exitNotRunning  = 5 // no agent runs on this host
	exitSwitch      = update.ExitSwitch
	exitUnwell      = 6 // status or doctor found something that someone must mend
)

// A usageError is a command line that cannot be understood.
type usageError struct{ error }

// errUnwell says that something was found; what it is has been printed.
var errUnwell = errors.New("something must be mended")

// Status is the exit status for what [Run] returned.
func Status(err error) int {
	var usage usageError
	var faults config.Faults
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &faults):
		return exitConfig
	case errors.Is(err, identity.ErrNotEnrolled):
		return exitNotEnrolled
	case errors.Is(err, control.ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, update.ErrSwitch):
		return exitSwitch
	case errors.Is(err, errUnwell):
		return exitUnwell
	}
	return exitFailed
}

// A command is what all verbs share.
type command struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	path           string // of agent.yaml
	env            []string
}

// Run carries out one command line, without the name of the program, and
// prints the error that it returns. It is the whole program but for signals and
// the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) error {
	c := &command{stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	root := &cobra.Command{
		Use:   "drawbridge-agent",
		Short: "Carry out identity provisioning on this network for a Drawbridge coordinator",
		Long: `drawbridge-agent runs on a host behind the firewall. It connects outward to the
coordinator, takes jobs, and carries them out by connectors. Nothing connects in.

First:  drawbridge-agent enroll --coordinator HOST:PORT --token TOKEN
Then:   drawbridge-agent install && drawbridge-agent start
Look:   drawbridge-agent status, drawbridge-agent doctor

Exit status: 0 done, 1 failed, 2 wrong command line, 3 wrong agent.yaml,
4 not enrolled, 5 agent not running, 6 something must be mended.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.PersistentFlags().StringVar(&c.path, "config", c.lookup("DRAWBRIDGE_AGENT_CONFIG", config.DefaultPath()), "configuration file")
	root.AddCommand(c.enroll(), c.run(), c.status(), c.doctor(), c.validate(), c.secret(), c.guard(), c.approve(), c.rights(),
		c.install(), c.uninstall(), c.start(), c.stop(), c.update(), c.release(), c.connector())
	checkArgs(root)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errUnwell) && !errors.Is(err, update.ErrSwitch) {
		fmt.Fprintln(stderr, "drawbridge-agent:", strings.TrimSpace(err.Error()))
	}
	return err
}

// checkArgs makes a wrong number of arguments a usage error.
func checkArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w; usage: %s", err, cmd.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		checkArgs(sub)
	}
}

// lookup reads the environment that the command was given.
func (c *command) lookup(name, otherwise string) string {
	i := slices.IndexFunc(c.env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	if i < 0 {
		return otherwise
	}
	return strings.TrimPrefix(c.env[i], name+"=")
}

func (c *command) load() (*config.Config, error) { return config.Load(c.path) }

// logger writes as agent.yaml says.
func logger(l config.Log, to io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: l.SlogLevel()}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, opt))
	}
	return slog.New(slog.NewTextHandler(to, opt))
}

// built is set by the build of a release: SemVer, perhaps with a "v" before it.
var built string

// version is that of the release, or of the module this was built from, SemVer without the "v".
func version() string {
	if v := strings.TrimPrefix(built, "v"); release.ValidVersion(v) {
		return v
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "0.0.0-dev"
}
