package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func retentionCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "retention",
		Short: "For how long what happened is kept, and what was removed",
		Long: `Retention shows for how long jobs, their answers, the log, cycles, plans, deliveries
and the audit are kept; the coordinator's setting keep says it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Retention
			if err := s.api.Items(cmd.Context(), "/v1/retention", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("WHAT", "KEPT", "OLDEST", "REMOVED SO FAR", "LAST LOOKED")
				for _, r := range list {
					t.row(r.Name, keptFor(r.Kept), stamp(r.Oldest), strconv.FormatInt(r.Removed, 10), stamp(r.Looked))
				}
				t.print(s, "")
			})
		},
	}
}

// keptFor gives seconds as days, or as hours where they are no days.
func keptFor(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d == 0:
		return "for ever"
	case d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
	return d.String()
}
