package csv_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/csv"
)

// An operator finds each setting in the README, with its default.
func TestREADME_namesEverySetting(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct{ Default any }
		Required   []string
	}
	if err := json.Unmarshal([]byte(csv.New().SettingsSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	for name, property := range schema.Properties {
		standard := "|"
		if property.Default != nil {
			standard = fmt.Sprintf("| `%v` |", property.Default)
		}
		for _, required := range schema.Required {
			if required == name {
				standard = "| required |"
			}
		}
		if row := fmt.Sprintf("\n| `%s` %s", name, standard); !strings.Contains(string(readme), row) {
			t.Errorf("README.md has no row %q", row)
		}
	}
	if len(schema.Properties) == 0 {
		t.Error("the schema has no settings")
	}
}
