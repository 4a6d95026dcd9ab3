package main

import (
	"bufio"
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

	"github.com/drawbridge-id/drawbridge/agent"
	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/custody"
	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/identity/tpm"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	protoidentity "github.com/drawbridge-id/drawbridge/proto/identity"
)

// template is agent.yaml as enroll writes it where there is none.
const template = `# Configuration of the Drawbridge agent; check it with: drawbridge-agent validate
coordinator: %s

# Executables that the agent may start, each pinned by its SHA-256%s:
# connectors:
#   - path: %s
#     sha256: %s
#     serves: [activedirectory, csv, ldap, scim, sql]

# Where the network lets nothing out but by a proxy; else HTTPS_PROXY is looked at:
# proxy: {url: "http://proxy.example.com:3128", user: 'CORP\svc-drawbridge'}

# The only folders whose files the settings of a system may name:
# folders: [%s]
`

// firstConfig fills the template with what is on this host: the connectors
// beside this program, and how paths look here.
func firstConfig(coordinator string) string {
	folders, connectors, sum := "/srv/hr", "/usr/lib/drawbridge/drawbridge-connectors", "(64 hexadecimal digits; sha256sum prints them)"
	if runtime.GOOS == "windows" {
		folders, connectors, sum = `C:\HR`, `C:\Program Files\Drawbridge\drawbridge-connectors.exe`, "(64 hexadecimal digits; Get-FileHash prints them)"
	}
	note := ""
	if exe, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(exe), "drawbridge-connectors"+filepath.Ext(exe))
		if found, err := host.Sum(beside); err == nil {
			connectors, sum, note = beside, found, " (compare it with the one published for the release)"
		}
	}
	return fmt.Sprintf(template, coordinator, note, connectors, sum, folders)
}

func (c *command) enroll() *cobra.Command {
	var text, coordinator, device string
	var again bool
	cmd := &cobra.Command{
		Use: "enroll --token TOKEN [--coordinator HOST:PORT]", Args: cobra.NoArgs,
		Short: "Join this host to a coordinator with a join token",
		Long: `enroll makes a key on this host and has the coordinator sign a certificate for
it. The token, from ` + "`drawbridge token create`" + `, is good for one host and a short time.
With --token - it is read from standard input, so that it is in no shell history.
Where there is no agent.yaml, one is written; then --coordinator is needed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := c.configFor(coordinator)
			if err != nil {
				return err
			}
			if text == "-" {
				if text, err = bufio.NewReader(c.stdin).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("read token: %w", err)
				}
			}
			if strings.TrimSpace(text) == "" {
				return usageError{errors.New("a join token is needed: --token TOKEN, or --token - to give it on standard input; make one with `drawbridge token create`")}
			}
			token, err := protoidentity.ParseToken(text)
			if err != nil {
				return err
			}
			if err := custody.Private(conf.Data); err != nil {
				return privileged(fmt.Errorf("data folder: %w", err))
			}
			host, err := os.Hostname()
			if err != nil {
				return err
			}
			v, err := vault.Open(conf.Data)
			if err != nil {
				return err
			}
			id, err := identity.Enroll(cmd.Context(), identity.Enrollment{
				Token: token, Address: conf.Coordinator, Data: conf.Data, Host: host, Version: version(), Again: again,
				Dial: agent.NewDialer(conf, v).Dial, TPM: device,
			})
			if errors.Is(err, identity.ErrEnrolled) {
				return fmt.Errorf("%w, or add --again", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "joined %s as agent %s at site %s; certificate until %s\n",
				conf.Coordinator, id.Agent().ID, id.Agent().Site, local(id.Certificate().NotAfter))
			return nil
		},
	}
	cmd.Flags().StringVar(&text, "token", "", "join token, or - to read it from standard input")
	cmd.Flags().StringVar(&coordinator, "coordinator", "", "host:port of the coordinator, if agent.yaml is not there yet")
	cmd.Flags().StringVar(&device, "tpm", "", "keep the key in the TPM, at a `device` of this host ("+tpm.Device+" if none is named; Linux)")
	cmd.Flags().Lookup("tpm").NoOptDefVal = tpm.Device
	cmd.Flags().BoolVar(&again, "again", false, "join anew although this host has joined")
	return cmd
}

// configFor loads agent.yaml, or writes it where there is none.
func (c *command) configFor(coordinator string) (*config.Config, error) {
	conf, err := c.load()
	switch {
	case err == nil && coordinator != "" && coordinator != conf.Coordinator:
		return nil, fmt.Errorf("%s names another coordinator, %s: change it there, or leave --coordinator out", c.path, conf.Coordinator)
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return conf, err
	case coordinator == "":
		return nil, usageError{fmt.Errorf("there is no %s yet, so --coordinator HOST:PORT is needed", c.path)}
	}
	text := firstConfig(coordinator)
	if _, err := config.Parse(c.path, []byte(text)); err != nil {
		return nil, usageError{fmt.Errorf("--coordinator: %q is not a name and port, such as drawbridge.example.com:8443", coordinator)}
	}
	if err := custody.Shared(filepath.Dir(c.path)); err != nil {
		return nil, privileged(fmt.Errorf("configuration folder: %w", err))
	}
	if err := os.WriteFile(c.path, []byte(text), 0o644); err != nil {
		return nil, privileged(fmt.Errorf("write configuration: %w", err))
	}
	fmt.Fprintf(c.stdout, "wrote %s\n", c.path)
	return c.load()
}

func writeJSON(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
