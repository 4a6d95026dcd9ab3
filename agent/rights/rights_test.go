package rights_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/rights"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func corp() *linkv1.System {
	return &linkv1.System{Name: "corp-ad", Connector: "activedirectory", Settings: `{"bind": "svc@corp.example"}`, Writes: []*connectorv1.Access{
		{Class: "user", Container: "OU=Staff,DC=corp,DC=example", Verbs: []string{"create", "delete", "disable", "modify", "move"}, Attributes: []string{"sAMAccountName", "title"}},
		{Class: "group", Verbs: []string{"membership"}},
	}}
}

func policy(t *testing.T, text string) *guard.Policy {
	t.Helper()
	p, err := guard.Parse("guardrail.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const narrow = `mode: enforce
systems:
  corp-ad:
    verbs: [create, modify, disable, membership]
    attributes: {create: [sAMAccountName], modify: []}
    groups: ["CN=All,OU=Roles,DC=corp,DC=example", "below OU=Apps,DC=corp,DC=example", S-1-5-21-1-2-3-1104]
`

// Only what mapping and guardrail both want needs a right, each right once.
func TestDSACLS(t *testing.T) {
	t.Parallel()
	got := rights.DSACLS(rights.Grants(rights.Needed(corp(), policy(t, narrow))), rights.Account(corp()))
	want := strings.ReplaceAll(`dsacls "OU=Staff,DC=corp,DC=example" /I:T /G "svc@corp.example:CC;user"
dsacls "OU=Staff,DC=corp,DC=example" /I:S /G "svc@corp.example:WP;sAMAccountName;user"
dsacls "OU=Staff,DC=corp,DC=example" /I:S /G "svc@corp.example:WP;userAccountControl;user"
dsacls "OU=Staff,DC=corp,DC=example" /I:S /G "svc@corp.example:CA;Reset Password;user"
dsacls "OU=Staff,DC=corp,DC=example" /I:S /G "svc@corp.example:WP;pwdLastSet;user"
dsacls "CN=All,OU=Roles,DC=corp,DC=example" /G "svc@corp.example:WP;member"
dsacls "OU=Apps,DC=corp,DC=example" /I:S /G "svc@corp.example:WP;member;group"
`, "\n", "\r\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("DSACLS() differs (-want +got):\n%s", diff)
	}
}

// Without a guardrail the mapping alone says what is needed.
func TestNeeded_withoutAGuardrail(t *testing.T) {
	t.Parallel()
	grants := rights.Grants(rights.Needed(corp(), &guard.Policy{Mode: guard.BuiltIn}))
	for _, want := range []rights.Grant{
		{"OU=Staff,DC=corp,DC=example", "DC", "user", "", "delete, and move away"},
		{"OU=Staff,DC=corp,DC=example", "WP", "name", "user", "rename and move"},
		{"OU=Staff,DC=corp,DC=example", "WP", "title", "user", "mapping"},
		{"", "WP", "member", "group", "join and leave"},
	} {
		if !slices.Contains(grants, want) {
			t.Errorf("Grants() = %v; want %v among them", grants, want)
		}
	}
}

// What comes from the cloud is text to the shells that an admin runs, and
// nothing else.
func TestPowerShell_quotes(t *testing.T) {
	t.Parallel()
	evil := []*connectorv1.Access{{Class: "user", Container: "OU=a'; Remove-Item C:\\ #,DC=b", Verbs: []string{"modify"}, Attributes: []string{"ti’tle\nx"}}}
	script := rights.PowerShell(rights.Grants(evil), `CORP\svc`)
	if !strings.Contains(script, `'OU=a''; Remove-Item C:\ #,DC=b'`) || !strings.Contains(script, "'ti’’tle x'") {
		t.Errorf("PowerShell() =\n%s\nwant quotes doubled and line ends gone", script)
	}
	for _, line := range strings.Split(rights.DSACLS(rights.Grants([]*connectorv1.Access{
		{Class: "user", Container: `OU=a" & del "b`, Verbs: []string{"modify"}, Attributes: []string{`t" & del`}}}), `CORP\svc`), "\r\n") {
		if strings.ContainsAny(line, "&|<>%") || strings.Count(line, `"`) > 4 {
			t.Errorf("DSACLS() = %s; want nothing that the shell takes for more than text", line)
		}
	}
}
