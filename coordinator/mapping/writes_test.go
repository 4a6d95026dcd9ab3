package mapping_test

import (
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// What a document writes is told with the places that its texts name, each
// from its first whole part on.
func TestSystem_Writes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/corp-ad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	system, err := mapping.Parse("corp-ad.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{}
	for _, w := range system.Writes() {
		places[w.GetContainer()] += w.GetClass() + " " + strings.Join(w.GetVerbs(), " ") + ": " + strings.Join(w.GetAttributes(), " ") + "; "
	}
	for container, says := range map[string]string{
		"OU=Staff,DC=corp,DC=example": "; organizationalUnit create: ;", "OU=Leavers,DC=corp,DC=example": "sAMAccountName", "": "group membership",
	} {
		if !strings.Contains(places[container], says) {
			t.Errorf("Writes() = %q; want %q for container %q", places, says, container)
		}
	}
	if len(places) != 3 {
		t.Errorf("Writes() names %d places: %q; want 3", len(places), places)
	}
}
