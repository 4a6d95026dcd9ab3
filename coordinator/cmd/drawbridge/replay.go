package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func replayCommand(s *session) *cobra.Command {
	var cycle int64
	var paths []string
	c := &cobra.Command{
		Use:   "replay --cycle CYCLE [-f DIR]",
		Short: "Show what documents would have made of a past cycle, as a difference",
		Long: `Replay plans whom a cycle touched once more, as they and their accounts were then, by the documents that
were in force and by those of the files, or those in force now, and shows what differs. Nothing is stored
and nothing is done. By another document of a source people are made anew of their records of then; whose a
record would be by it is not replayed, and the answer says of how many that is in question.`,
		Example: `  drawbridge replay --cycle 4711
  drawbridge replay --cycle 4711 -f systems/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var in client.Replay
			var err error
			if len(paths) > 0 {
				if in.Files, err = readFiles(paths); err != nil {
					return err
				}
			}
			var f client.Forecast
			if err := s.api.Post(cmd.Context(), fmt.Sprintf("/v1/cycles/%d/replay", cycle), in, &f); err != nil {
				return err
			}
			return s.show(f, func() { s.forecast(f) })
		},
	}
	c.Flags().Int64Var(&cycle, "cycle", 0, "number of the cycle")
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "file with documents, or folder of such")
	must(c.MarkFlagRequired("cycle"))
	must(c.MarkFlagFilename("file", "yaml", "yml"))
	return c
}
