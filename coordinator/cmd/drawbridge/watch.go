package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func watchCommand(s *session) *cobra.Command {
	var topics []string
	c := &cobra.Command{
		Use:   "watch",
		Short: "Print topics of which something has changed, as it happens",
		Long: `Watch prints a line for each event: an instant and the topics to look at again. With -o json, an
object per line. It goes on until it is interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.api.Watch(cmd.Context(), topics, func(c client.Changed) error {
				if s.output == "json" {
					return json.NewEncoder(s.out).Encode(c)
				}
				if len(c.Topics) > 0 {
					s.printf("%s  %s", stamp(time.Now()), strings.Join(c.Topics, " "))
				}
				return nil
			})
		},
	}
	c.Flags().StringSliceVar(&topics, "topics", nil, "only these: agents, cycles, held, jobs, log, passwords, people, problems, systems")
	return c
}

// follow shows how far a cycle is until it is over, and then what came of it.
func (s *session) follow(ctx context.Context, id string) error {
	var bar *progressbar.ProgressBar
	phase := ""
	for {
		var y client.CycleDetail
		if err := s.api.Get(ctx, "/v1/cycles/"+segment(id), nil, &y); err != nil {
			return err
		}
		p := y.Progress
		if p.Phase == "over" || y.State == "failed" || y.State == "held" || y.State == "rejected" {
			if bar != nil {
				_ = bar.Finish() // it only shows
			}
			return s.show(y, func() { s.cycle(y) })
		}
		done, total := p.Seen, p.Expected
		if p.Phase == "planning" || p.Phase == "writing" {
			done, total = p.Ended, p.Planned
		}
		if bar == nil || p.Phase != phase {
			if phase = p.Phase; bar != nil {
				_ = bar.Finish()
			}
			bar = s.bar(max(total, 1), fmt.Sprintf("cycle %s of %s: %s", id, y.System, phase))
		}
		bar.ChangeMax64(max(total, done, 1))
		_ = bar.Set64(done)
		timer := time.NewTimer(500 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}
