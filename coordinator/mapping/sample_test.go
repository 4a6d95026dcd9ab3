package mapping_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// document parses a file of testdata.
func document(t testing.TB, name string) *mapping.System {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mapping.Parse(name, text)
	if err != nil {
		t.Fatalf("Parse(%s):\n%v", name, err)
	}
	return s
}

func TestParse_sample(t *testing.T) {
	t.Parallel()
	t.Log(document(t, "hr.yaml").Attributes())
	ad := document(t, "corp-ad.yaml")
	t.Log(ad.Attributes(), string(ad.Settings))
}
