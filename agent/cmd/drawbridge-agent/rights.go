package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/rights"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func (c *command) rights() *cobra.Command {
	var account, format string
	cmd := &cobra.Command{
		Use: "rights [SYSTEM]", Args: cobra.MaximumNArgs(1),
		Short: "Print the least rights in Active Directory that the configured mappings need",
		Long: `rights prints the least rights that the mappings need within the guardrail, as
commands for a domain's admin to read and run: dsacls (Windows' own) or PowerShell with
the module ActiveDirectory. Whether the account has them, and no more, is said by
drawbridge-agent doctor.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "dsacls" && format != "powershell" {
				return usageError{fmt.Errorf("--format %q is neither dsacls nor powershell", format)}
			}
			conf, err := c.load()
			if err != nil {
				return err
			}
			systems, err := knownSystems(cmd, conf)
			if err != nil {
				return err
			}
			policy := guard.Load(conf.Guardrail.File, conf.Guardrail.Key)
			if policy.Err != nil {
				return policy.Err
			}
			found := false
			for _, s := range systems {
				if s.GetConnector() != "activedirectory" || len(args) == 1 && args[0] != s.GetName() {
					continue
				}
				found = true
				if err := c.printRights(s, policy, account, format); err != nil {
					return err
				}
			}
			if !found {
				return errors.New("no such system of Active Directory is configured for this site")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&account, "account", "", `service account as Windows takes it, such as CORP\svc-drawbridge; by default the one of the system's settings`)
	cmd.Flags().StringVar(&format, "format", "dsacls", "dsacls or powershell")
	return cmd
}

func (c *command) printRights(s *linkv1.System, policy *guard.Policy, account, format string) error {
	if account == "" {
		account = rights.Account(s)
	}
	if account == "" {
		return fmt.Errorf("the settings of %s name the account by its DN: give it as Windows takes it with --account, such as CORP\\svc-drawbridge", s.GetName())
	}
	if strings.ContainsAny(account, "\"%!^&|<>;\r\n") {
		return fmt.Errorf("%q is no name of an account", account)
	}
	needed := rights.Needed(s, policy)
	if len(needed) == 0 {
		fmt.Fprintf(c.stdout, "# %s: its mapping writes nothing, or the coordinator has not said yet what: to read is every account's right\n", s.GetName())
		return nil
	}
	for _, a := range needed {
		if a.GetContainer() == "" {
			fmt.Fprintf(c.stderr, "%s: where its %s objects are is worked out from attributes; name the places in guardrail.yaml (bases, destinations, groups) to have their rights printed\n", s.GetName(), a.GetClass())
		}
	}
	needed = slices.DeleteFunc(needed, func(a *connectorv1.Access) bool { return a.GetContainer() == "" })
	grants := rights.Grants(needed)
	if format == "powershell" {
		fmt.Fprintf(c.stdout, "# %s\n%s", s.GetName(), rights.PowerShell(grants, account))
		return nil
	}
	fmt.Fprintf(c.stdout, "rem %s\r\n%s", s.GetName(), rights.DSACLS(grants, account))
	return nil
}

// knownSystems asks the running agent, or reads what it remembered.
func knownSystems(cmd *cobra.Command, conf *config.Config) ([]*linkv1.System, error) {
	systems, _, err := orAlone(cmd.Context(), conf,
		func(running *control.Client) (*linkv1.Systems, error) { return running.Systems(cmd.Context()) },
		(*spool.Spool).Systems)
	return systems.GetSystems(), err
}
