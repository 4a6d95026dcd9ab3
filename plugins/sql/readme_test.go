package sql_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connector "github.com/drawbridge-id/drawbridge/plugins/sql"
)

// An operator finds each setting in the README, with its default.
func TestREADME_namesEverySetting(t *testing.T) {
	t.Parallel()
	connkit.README(t, "README.md", connector.New().SettingsSchema())
}
