package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// apiCommand asks any route, for what a script needs that no other command prints.
func apiCommand(s *session) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Ask any route of the API, and print the answer as it comes",
		Example: `  drawbridge api GET '/v1/jobs?state=failed'
  drawbridge api POST /v1/problems/retry -d '{"person": "E1001"}'
  drawbridge api POST /v1/held/approve -d @decision.json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := []byte(data)
			if file, ok := strings.CutPrefix(data, "@"); ok {
				var err error
				if text, err = os.ReadFile(file); err != nil {
					return err
				}
			}
			if len(text) > 0 && !json.Valid(text) {
				return usageError{cmd, fmt.Errorf("--data is no JSON")}
			}
			body, err := s.api.Call(cmd.Context(), strings.ToUpper(args[0]), args[1], text)
			if err != nil {
				return err
			}
			defer body.Close()
			answer, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			var pretty bytes.Buffer
			if json.Indent(&pretty, answer, "", "  ") == nil {
				answer = append(bytes.TrimSpace(pretty.Bytes()), '\n')
			}
			_, err = s.out.Write(answer)
			return err
		},
	}
	c.Flags().StringVarP(&data, "data", "d", "", "JSON to send, or @FILE")
	return c
}
