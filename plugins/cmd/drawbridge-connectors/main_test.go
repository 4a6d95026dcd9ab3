package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

func TestConnectors_areWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	for _, c := range connectors() {
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
}

// A person who starts it is told what it holds, and not that it is a plugin.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args   []string
		status int
		want   string // on standard output, or error
	}{
		{[]string{"drawbridge-connectors"}, 0, "serves: [activedirectory, csv, ldap, scim, sql]"},
		{[]string{"drawbridge-connectors", "csv"}, 0, `"done_marker": {`},
		{[]string{"drawbridge-connectors", "cvs"}, 2, `holds no connector "cvs"; it holds ["activedirectory" "csv" "ldap" "scim" "sql"]`},
	} {
		var stdout, stderr bytes.Buffer
		got := sdk.Usage(&stdout, &stderr, test.args, connectors())
		if got != test.status || !strings.Contains(stdout.String()+stderr.String(), test.want) || (stderr.Len() > 0) != (got != 0) {
			t.Errorf("%q = status %d, %q, %q; want %d and %q", test.args, got, stdout.String(), stderr.String(), test.status, test.want)
		}
	}
}
