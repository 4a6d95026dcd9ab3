package api_test

import (
	"slices"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
)

// A route that names no role would be refused to everybody, and one whose role is misspelled to most.
func TestRoutes_eachNamesItsRole(t *testing.T) {
	t.Parallel()
	for id, least := range populated(t).API().LeastRoles() {
		if !slices.Contains(access.Roles(), least) {
			t.Errorf("operation %s takes the role %q; want one of %v", id, least, access.Roles())
		}
	}
}
