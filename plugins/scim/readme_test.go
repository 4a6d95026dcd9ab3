package scim_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim"
)

// An operator finds each setting and each dialect in the README.
func TestREADME(t *testing.T) {
	t.Parallel()
	schema := scim.New().SettingsSchema()
	connkit.README(t, "README.md", schema)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	enum := regexp.MustCompile(`\[\s*"rfc"[^\]]*`).FindString(schema)
	names := regexp.MustCompile(`"([a-z0-9-]+)"`).FindAllStringSubmatch(enum, -1)
	for _, name := range names {
		if !strings.Contains(string(readme), "\n| `"+name[1]+"` | ") {
			t.Errorf("the table of dialects has no row %s", name[1])
		}
	}
	if len(names) < 6 {
		t.Errorf("the schema names the dialects %q; want six", names)
	}
}
