package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/agent/update"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// follow has a version's own connectors take the place of those that agent.yaml
// says are the release's. The admin's pins stay for all others.
func follow(conf *config.Config, version string, keys []ed25519.PublicKey) error {
	v, err := update.FolderOf(conf.Data).Verify(version, keys)
	if err != nil || v.Connectors == "" {
		return err
	}
	for i, c := range conf.Connectors {
		if c.Release {
			conf.Connectors[i].Path, conf.Connectors[i].SHA256 = v.Connectors, v.ConnectorsSHA256
		}
	}
	return nil
}

// release is for whoever makes releases, on a host without a network; no verb needs an agent.
func (c *command) release() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "For who makes releases: a key, and the signed manifest that agents trust",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.releaseKey(), c.releaseSign(), c.releaseShow())
	return cmd
}

func (c *command) releaseKey() *cobra.Command {
	return &cobra.Command{
		Use: "key FILE", Args: cobra.ExactArgs(1),
		Short: "Make a key to sign releases with, and print what agent.yaml pins of it",
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := writeKey(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s holds the key: keep it where no network is. agent.yaml of every host gets\n\nupdate:\n  keys: [%s]\n", args[0], public)
			return nil
		},
	}
}

func (c *command) releaseSign() *cobra.Command {
	var keyFile, out, name string
	cmd := &cobra.Command{
		Use: "sign EXECUTABLE…", Args: cobra.MinimumNArgs(1),
		Short: "Sign a release: the agents and connectors of this version, for every platform",
		Long: `Sign writes the manifest of a release, which names every executable by its SHA-256
and says which layouts of data it knows, and signs it. Run the release's own
drawbridge-agent for it: the layouts are those of the program that signs. What an
executable is, and for which platform, is read from it.`,
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			m := release.Manifest{Version: name, Released: time.Now().UTC().Truncate(time.Second), Spool: update.Spool(), Data: update.Data}
			for _, arg := range args {
				file, err := describe(arg)
				if err != nil {
					return err
				}
				m.Files = append(m.Files, file)
			}
			text, err := release.Sign(m, key)
			if err != nil {
				return usageError{err}
			}
			if out == "" {
				out = "drawbridge-" + name + ".release"
			}
			if err := errors.Join(durable.ReplaceFile(out, text), os.Chmod(out, 0o644)); err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s is signed; give it out with `drawbridge release add %s` and the executables\n", out, out)
			return nil
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "file that `release key` made")
	cmd.Flags().StringVar(&out, "out", "", "file to write (default drawbridge-VERSION.release)")
	cmd.Flags().StringVar(&name, "version", version(), "version of the release, which its agents must say they are")
	_ = cmd.MarkFlagRequired("key") // the flag is there
	return cmd
}

func (c *command) releaseShow() *cobra.Command {
	return &cobra.Command{
		Use: "show FILE", Args: cobra.ExactArgs(1),
		Short: "Show what a release consists of, and whether agent.yaml of this host trusts it",
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			m, err := release.Read(text)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "version %s, signed %s; journal of layout %d to %d, data of layout %d\n", m.Version, local(m.Released), m.Spool.Reads, m.Spool.Writes, m.Data)
			for _, f := range m.Files {
				fmt.Fprintf(c.stdout, "  %s for %s, %d bytes, SHA-256 %s\n", f.Part, f.Platform, f.Size, f.SHA256)
			}
			conf, err := c.load()
			if err != nil {
				return nil // it need not be a host with an agent
			}
			keys, err := update.Keys(conf.Update.Keys)
			if err == nil {
				_, err = release.Open(text, keys)
			}
			if err != nil {
				fmt.Fprintf(c.stdout, "NOT trusted on this host: %v\n", err)
				return errUnwell
			}
			fmt.Fprintln(c.stdout, "trusted on this host")
			return nil
		},
	}
}

// describe reads what an executable is.
func describe(name string) (file release.File, err error) {
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return file, fmt.Errorf("%s: %w", name, err)
	}
	switch path.Base(info.Path) {
	case "drawbridge-agent":
		file.Part = release.Agent
	case "drawbridge-connectors":
		file.Part = release.Connectors
	default:
		return file, fmt.Errorf("%s is %s, neither drawbridge-agent nor drawbridge-connectors", name, info.Path)
	}
	system, arch := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			system = s.Value
		case "GOARCH":
			arch = s.Value
		}
	}
	file.Platform = system + "/" + arch
	f, err := os.Open(name)
	if err != nil {
		return file, err
	}
	defer f.Close()
	h := sha256.New()
	if file.Size, err = io.Copy(h, f); err != nil {
		return file, err
	}
	file.SHA256 = hex.EncodeToString(h.Sum(nil))
	return file, nil
}
