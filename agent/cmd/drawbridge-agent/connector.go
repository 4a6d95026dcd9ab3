package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/connkit/skeleton"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// connector is for authors of connectors; none of its verbs needs an agent.
func (c *command) connector() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connector",
		Short: "For authors of connectors: begin one, test one",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.connectorNew(), c.connectorTest(), c.connectorSettings())
	return cmd
}

func (c *command) connectorNew() *cobra.Command {
	o := skeleton.Options{Version: "v" + version()}
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a connector in Go that builds and passes the kit, into the folder NAME",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name = args[0]
			if strings.HasSuffix(version(), "-dev") {
				o.Version = "" // no release has this name
			}
			names, err := skeleton.Write(o.Name, o)
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(c.stdout, "%s holds %s.\n\nNext:\n  cd %s\n  go mod tidy\n  go build -o %s .\n  drawbridge-agent connector test ./%s --config test.yaml\n",
				o.Name, strings.Join(names, ", "), o.Name, o.Name, o.Name)
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Source, "source", "", "folder of Drawbridge's source to build with, instead of the published module")
	return cmd
}

func (c *command) connectorTest() *cobra.Command {
	var path string
	var asJSON bool
	var rules []string
	cmd := &cobra.Command{
		Use:   "test EXECUTABLE",
		Short: "Try a connector, in whatever language, against every rule of the contract",
		Long: `The kit starts the executable as an agent does, and tries every rule on the
system that test.yaml names, which must be one for tests: objects are made,
changed and deleted there. Of each rule that is broken the report says what was
found, why it matters and how to cure it. Exit status 6: a rule is broken.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := connkit.Load(path)
			if err != nil {
				return usageError{err}
			}
			if config.Executable, err = filepath.Abs(args[0]); err != nil {
				return err
			}
			config.Rules = rules
			report, err := connkit.Run(cmd.Context(), config)
			if err != nil {
				return err
			}
			write := report.WriteText
			if asJSON {
				write = report.WriteJSON
			}
			if err := write(c.stdout); err != nil {
				return err
			}
			if !report.Passes {
				return errUnwell
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "test.yaml", "what to try it on")
	cmd.Flags().StringArrayVar(&rules, "rule", nil, "try this rule alone, by its name; may be given again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report for machines")
	return cmd
}

func (c *command) connectorSettings() *cobra.Command {
	return &cobra.Command{
		Use:   "settings EXECUTABLE NAME",
		Short: "Print the settings of a connector as a table in Markdown, for its README",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			d, err := connkit.Describe(cmd.Context(), path, args[1])
			if err != nil {
				return err
			}
			table, err := sdk.SettingsTable(d.GetSettingsSchema())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.stdout, table)
			return err
		},
	}
}
