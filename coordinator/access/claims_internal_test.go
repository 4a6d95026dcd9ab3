package access

import (
	"slices"
	"strings"
	"testing"
)

// What providers send in place of a list of groups is understood, or told.
func TestClaims_shapes(t *testing.T) {
	t.Parallel()
	said := claims{
		"one": "admins", "list": []any{"a", 7, "b"}, "https://x.example/groups": []any{"c"},
		"realm_access": map[string]any{"roles": []any{"ops"}, "deeper": map[string]any{"still": "x"}}, "flag": true,
	}
	for name, want := range map[string][]string{"one": {"admins"}, "list": {"a", "b"}, "https://x.example/groups": {"c"}, "realm_access.roles": {"ops"},
		"realm_access.deeper.still": {"x"}, "realm_access.none": nil, "flag": nil, "none": nil, "one.two": nil} {
		if got := said.values(name); !slices.Equal(got, want) {
			t.Errorf("values(%q) = %q; want %q", name, got, want)
		}
	}
	p := &provider{Provider: Provider{Roles: map[Role][]string{Operator: {"a"}, Viewer: {"z"}}, Claim: "list"}}
	if got := p.rolesOf(said); !slices.Equal(got, []Role{Operator}) {
		t.Errorf("roles = %v; want operator", got)
	}
	entra := &provider{Provider: Provider{Roles: map[Role][]string{Viewer: {"x"}}}}
	tooMany := claims{"_claim_names": map[string]any{"groups": "src1"}, "_claim_sources": map[string]any{}}
	if got := entra.noRole(tooMany); len(entra.rolesOf(tooMany)) > 0 || !strings.Contains(got, "too many") {
		t.Errorf("groups that Entra left out: %q; want it said", got)
	}
}
