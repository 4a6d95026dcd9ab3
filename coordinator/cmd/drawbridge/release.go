package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

func releaseCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "release", Short: "Releases of the agent's side, which agents update themselves to"}
	c.AddCommand(releaseAdd(s), releaseList(s), releaseRemove(s))
	return c
}

func releaseAdd(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "add FILE [EXECUTABLE…]",
		Short: "Put a signed release in, and the executables that it names",
		Long: `Add takes the file that "drawbridge-agent release sign" wrote, and the executables
that it names, in any order and under any name. Agents are given them once a ring
is moved: "drawbridge ring set". What a host runs is decided by the keys in its own
agent.yaml; nothing that is put in here changes that.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			m, err := release.Read(file)
			if err != nil {
				return usageError{cmd, fmt.Errorf("%s: %w", args[0], err)}
			}
			var r client.Release
			if err := s.api.Post(cmd.Context(), "/v1/releases", client.NewRelease{File: string(file)}, &r); err != nil {
				return err
			}
			for _, path := range args[1:] {
				if err := s.sendExecutable(cmd, m, path); err != nil {
					return err
				}
			}
			if err := s.api.Post(cmd.Context(), "/v1/releases", client.NewRelease{File: string(file)}, &r); err != nil { // how it stands now
				return err
			}
			return s.show(r, func() {
				s.release(r)
				if r.Complete {
					s.printf("\nGive it to the agents of a ring with: drawbridge ring set RING %s", r.Version)
				}
			})
		},
	}
}

// sendExecutable sends an executable that the release names, part by part.
func (s *session) sendExecutable(cmd *cobra.Command, m release.Manifest, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	name, named := hex.EncodeToString(sum[:]), false
	for _, f := range m.Files {
		named = named || f.SHA256 == name
	}
	if !named {
		return usageError{cmd, fmt.Errorf("%s is none of the executables that the release names", path)}
	}
	for part := 0; len(data) > 0; part++ {
		n := min(len(data), release.PartBytes)
		if err := s.api.Put(cmd.Context(), fmt.Sprintf("/v1/releases/%s/executables/%s/%d", segment(m.Version), name, part), data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (s *session) release(r client.Release) {
	t := newTable("PART", "PLATFORM", "BYTES", "HERE", "SHA-256")
	for _, f := range r.Files {
		t.row(f.Part, f.Platform, fmt.Sprint(f.Size), fmt.Sprint(f.Here), f.SHA256)
	}
	s.printf("Release %s, signed %s", r.Version, stamp(r.Released))
	t.print(s, "")
}

func releaseList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List releases",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Release
			if err := s.api.Items(cmd.Context(), "/v1/releases", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("VERSION", "SIGNED", "ADDED", "BY", "PLATFORMS", "STATE")
				for _, r := range list {
					state := "complete"
					if !r.Complete {
						state = "executables are missing"
					}
					var platforms []string
					for _, f := range r.Files {
						if f.Part == release.Agent {
							platforms = append(platforms, f.Platform)
						}
					}
					t.row(r.Version, stamp(r.Released), stamp(r.Added), r.Who, strings.Join(platforms, ", "), state)
				}
				t.print(s, "No releases. Put one in with: drawbridge release add FILE EXECUTABLE…")
			})
		},
	}
}

func releaseRemove(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "remove VERSION",
		Short: "Remove a release that no ring is to have",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r client.Release
			if err := s.api.Post(cmd.Context(), "/v1/releases/"+segment(args[0])+"/remove", nil, &r); err != nil {
				return err
			}
			return s.show(r, func() { s.printf("Release %s is removed.", r.Version) })
		},
	}
}

func ringCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "ring", Short: "Groups of agents that are updated together"}
	c.AddCommand(ringList(s), ringSet(s))
	return c
}

func ringList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List rings, and how far each has come",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.RingState
			if err := s.api.Items(cmd.Context(), "/v1/rings", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("RING", "RELEASE", "SINCE", "BY", "UPDATED", "TAKEN BACK BY")
				for _, r := range list {
					t.row(r.Name, orDash(r.Version), stamp(r.Changed), orDash(r.Who), fmt.Sprintf("%d of %d", r.Updated, r.Agents), orDash(strings.Join(r.TookBack, ", ")))
				}
				t.print(s, "No rings. Put an agent into one with: drawbridge agent ring AGENT RING")
			})
		},
	}
}

func ringSet(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "set RING [VERSION]",
		Short: "Say which release the agents of a ring are to have; without a version, none",
		Long: `Set moves a ring to a release. Its agents bring it, check who signed it, and ask for
leave, which one agent of a site has at a time. A release that does not do its work
is taken back by the agent itself, and then given to no further agent of the ring
until it is moved again, to the same release perhaps. Begin with a ring of few.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var in client.RingVersion
			if len(args) == 2 {
				in.Version = args[1]
			}
			var r client.RingState
			if err := s.api.Post(cmd.Context(), "/v1/rings/"+segment(args[0]), in, &r); err != nil {
				return err
			}
			return s.show(r, func() {
				s.printf("Ring %s is to have %s; %d of its %d agents have it.", r.Name, orDash(r.Version), r.Updated, r.Agents)
			})
		},
	}
}
