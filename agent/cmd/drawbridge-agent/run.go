package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent"
	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/service"
	"github.com/drawbridge-id/drawbridge/agent/update"
	"github.com/drawbridge-id/drawbridge/proto/heap"
)

const logFileBytes = 10 << 20

func (c *command) run() *cobra.Command {
	var supervised string
	cmd := &cobra.Command{
		Use: "run", Args: cobra.NoArgs,
		Short: "Run the agent, in a terminal or as a service",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if supervised != "" {
				return c.runSupervised(cmd.Context(), supervised)
			}
			return service.Run(cmd.Context(), func(ctx context.Context) error { return c.runService(ctx) })
		},
	}
	cmd.Flags().StringVar(&supervised, update.SupervisedFlag, "", "version that the service starts this process as")
	_ = cmd.Flags().MarkHidden(update.SupervisedFlag) // the flag is there
	return cmd
}

// runService runs the agent, by a supervisor where it may update itself, until ctx ends, which is no error.
func (c *command) runService(ctx context.Context) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	var to io.Writer = c.stderr
	if service.Managed() {
		file, err := service.OpenLogFile(filepath.Join(conf.Data, "log", "agent.log"), logFileBytes)
		if err != nil {
			return err
		}
		defer file.Close()
		to = file
	}
	log := logger(conf.Log, to)
	if len(conf.Update.Keys) > 0 {
		err = c.supervise(ctx, conf, to, log)
	} else {
		err = c.runAgent(ctx, conf, nil, log)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && service.Managed(): // nobody sees what is printed
		log.Error("Agent ends", "err", err)
	}
	return err
}

// runAgent runs until ctx ends, which is no error. It updates itself by what one of the keys has signed.
func (c *command) runAgent(ctx context.Context, conf *config.Config, keys []ed25519.PublicKey, log *slog.Logger) (err error) {
	heap.FitBuffers()
	if c.lookup("GOGC", "") == "" {
		heap.LeaveSmall(10<<20, 50)
		go heap.GiveIdle(heap.IdleLook)
	}
	for err = agent.ErrRestart; errors.Is(err, agent.ErrRestart); {
		var a *agent.Agent
		if a, err = agent.New(conf, version(), log); err == nil {
			if len(keys) > 0 {
				a.Follow(keys)
			}
			err = a.Run(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *command) validate() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Args: cobra.NoArgs,
		Short: "Check agent.yaml and print every fault with its line",
		RunE: func(*cobra.Command, []string) error {
			if _, err := c.load(); err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s is well-formed\n", c.path)
			return nil
		},
	}
}

func (c *command) status() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Args: cobra.NoArgs,
		Short: "Show what the running agent does",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := c.load()
			if err != nil {
				return err
			}
			s, err := control.NewClient(conf.Data).Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.stdout, s)
			}
			return c.printStatus(s)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printStatus prints for people; it returns errUnwell if someone must act.
func (c *command) printStatus(s control.Status) error {
	well := s.Connected
	state := "connected"
	if !s.Connected {
		state = "NOT connected"
	}
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "agent\t%s at site %s, version %s, process %d\n", s.Agent, s.Site, s.Version, s.PID)
	fmt.Fprintf(w, "running\tsince %s\n", local(s.Started))
	fmt.Fprintf(w, "coordinator\t%s, %s since %s\n", s.Coordinator, state, local(s.Since))
	if s.DiskFull != "" {
		fmt.Fprintf(w, "disk\t%s\n\tno new job is taken; make room, and the agent goes on by itself\n", s.DiskFull)
	}
	if s.ClockOff {
		fmt.Fprintf(w, "clock\tthe clock of this host is wrong; jobs go by the coordinator's: set it right\n")
	}
	if s.LinkError != "" {
		fmt.Fprintf(w, "\t%s\n", s.LinkError)
	}
	fmt.Fprintf(w, "certificate\tends %s\n", local(s.CertEnds))
	if s.Update != nil {
		fmt.Fprintf(w, "update\t%s\n", updateLine(*s.Update))
	}
	fmt.Fprintf(w, "guardrail\t%s; %d denied, %d waiting\n", guardLine(s.Guardrail), s.Guardrail.Denied, len(s.Guardrail.Waiting))
	if s.Guardrail.Cause != "" {
		well = false
		fmt.Fprintf(w, "\teverything is denied: %s\n", s.Guardrail.Cause)
	}
	if s.Asking != "" {
		fmt.Fprintf(w, "approval\tan admin must approve key %s: drawbridge agent approve %s\n\t%s\n", s.AskingKey, s.Agent, s.Asking)
	}
	fmt.Fprintf(w, "unconfirmed\t%d results, %d bytes of records\n", s.Results, s.Records)
	if len(s.Systems) > 0 {
		fmt.Fprintf(w, "\nSYSTEM\tCONNECTOR\tSTATE\tWAITING\tAT A TIME\n")
	}
	for _, sys := range s.Systems {
		state := "ready"
		switch {
		case sys.Cause != "":
			state, well = "NOT ready", false
		case !sys.Ready:
			state = "not started"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", sys.Name, sys.Connector, state, sys.Waiting, sys.Concurrency)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, sys := range s.Systems {
		if sys.Cause != "" {
			fmt.Fprintf(c.stdout, "\n%s: %s\n  %s\n  tried again %s\n", sys.Name, sys.Cause, sys.NextStep, local(sys.NextTry))
		}
	}
	for _, sys := range s.Systems {
		for _, warning := range sys.Rights {
			fmt.Fprintf(c.stdout, "\n%s: %s\n  see `drawbridge-agent rights %s`\n", sys.Name, warning, sys.Name)
		}
	}
	c.printWaiting(s.Guardrail.Waiting)
	if !well {
		return errUnwell
	}
	return nil
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func (c *command) install() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "install", Args: cobra.NoArgs,
		Short: "Make the agent a service of this host",
		RunE: func(*cobra.Command, []string) error {
			conf, err := c.load()
			if err != nil {
				return err
			}
			path, err := filepath.Abs(c.path)
			if err != nil {
				return err
			}
			in := service.Installation{Config: path, Data: conf.Data, User: user}
			if id, err := identity.Load(conf.Data); err == nil { // else it has not joined yet
				in.TPM = id.Device()
			}
			if err := service.Install(in); err != nil {
				return privileged(err)
			}
			fmt.Fprintf(c.stdout, "service %s installed; start it with `drawbridge-agent start`\n", service.Name)
			return nil
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "account that the service runs as; it must own the data folder (default root or LocalSystem)")
	return cmd
}

func (c *command) uninstall() *cobra.Command {
	return c.serviceVerb("uninstall", "Stop the service and remove it; configuration and data stay", "removed", service.Uninstall)
}

func (c *command) start() *cobra.Command {
	return c.serviceVerb("start", "Start the installed service", "started", service.Start)
}

func (c *command) stop() *cobra.Command {
	return c.serviceVerb("stop", "Stop the service", "stopped", service.Stop)
}

func (c *command) serviceVerb(use, short, done string, do func() error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := do(); err != nil {
				return privileged(err)
			}
			fmt.Fprintf(c.stdout, "service %s %s\n", service.Name, done)
			return nil
		},
	}
}

func privileged(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; run this as root or in an elevated prompt", err)
	}
	return err
}
