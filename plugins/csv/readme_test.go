package csv_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/csv"
)

// An operator finds each setting in the README, as the connector describes it.
func TestREADME_showsTheSettings(t *testing.T) {
	t.Parallel()
	connkit.README(t, "README.md", csv.New().SettingsSchema())
}
