package sdk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// The sample does what it says.
func TestExample(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(file, []byte("root:x:0:0:root:/root:/bin/sh\nbad:x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := connkit.Open(t, NewPasswd(), map[string]string{"file": file}, nil)
	got := connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: []string{"login"}})
	if len(got.Objects) != 1 || got.Objects[0].GetId() != "0" || len(got.Rejects) != 1 {
		t.Errorf("read = %v, rejects %v; want root and one reject", got.Objects, got.Rejects)
	}
	probe, err := client.Probe(t.Context(), &connectorv1.ProbeRequest{})
	if err != nil || len(probe.GetSteps()) != 2 {
		t.Errorf("Probe() = %v, %v; want two steps", probe, err)
	}
}
