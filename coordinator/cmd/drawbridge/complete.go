package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// segment makes text fit for one segment of a path.
func segment(text string) string { return url.PathEscape(text) }

// complete offers for the first argument the field of what the list at path holds.
func (s *session) complete(path, field string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.offer(cmd, path, field, typed)
	}
}

// offer gives the values of field in the list at path that begin as typed. A
// coordinator that does not answer offers nothing.
func (s *session) offer(cmd *cobra.Command, path, field, typed string) ([]string, cobra.ShellCompDirective) {
	var list []map[string]any
	if s.connect(cmd) != nil || s.api.Items(cmd.Context(), path, nil, &list) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	for _, item := range list {
		if text, ok := item[field].(string); ok && strings.HasPrefix(text, typed) {
			found = append(found, text)
		} else if n, ok := item[field].(float64); ok && strings.HasPrefix(fmt.Sprint(int64(n)), typed) {
			found = append(found, fmt.Sprint(int64(n)))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag offers values of field in the list at path for a flag.
func (s *session) completeFlag(c *cobra.Command, flag, path, field string) {
	must(c.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return s.offer(cmd, path, field, typed)
	}))
}
