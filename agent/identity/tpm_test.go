package identity_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	agentidentity "github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/identity/tpm"
	"github.com/drawbridge-id/drawbridge/agent/identity/tpm/swtpm"
)

// A host with a TPM joins, connects, renews and asks an admin with keys that are
// in it, each a new one, and whoever copies its files to another host can do
// nothing by them.
func TestEnroll_keyInTheTPM(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	data, device := t.TempDir(), swtpm.Start(t)
	join := c.enrollment(data)
	join.TPM = device
	if _, err := agentidentity.Enroll(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	first := read(t, current(data))
	inTPM := func(text string) {
		t.Helper()
		if strings.Contains(text, "BEGIN PRIVATE KEY") || !strings.Contains(text, "BEGIN "+tpm.PEMType) || !strings.Contains(text, "Device: "+device) {
			t.Errorf("the file holds %q; want a key of the TPM at %s", text, device)
		}
	}
	inTPM(first)
	id := load(t, data)
	if err := id.Renew(t.Context(), c.address); err != nil {
		t.Fatal(err)
	}
	inTPM(read(t, current(data)))
	if key := func(text string) string { return text[:strings.Index(text, "-----END")] }; key(read(t, current(data))) == key(first) {
		t.Error("the renewed certificate is for the same key; want another")
	}
	if err := load(t, data).Renew(t.Context(), c.address); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := id.Doubt("it is a copy, perhaps"); err != nil {
		t.Fatal(err)
	}
	if key, why := load(t, data).Asking(); key == "" || why == "" {
		t.Errorf("Asking() = %q, %q; want the key that an admin compares", key, why)
	}

	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(read(t, current(copied)), device, swtpm.Start(t))
	if err := os.WriteFile(current(copied), []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := load(t, copied).Renew(t.Context(), c.address); err == nil {
		t.Error("a copy of the files on another host was let in")
	}
	if err := load(t, data).Renew(t.Context(), c.address); err != nil {
		t.Errorf("the host itself: %v", err)
	}
}

// Without the TPM that was asked for nothing is joined, and no key lies in a file instead.
func TestEnroll_withoutItsTPM(t *testing.T) {
	t.Parallel()
	c := newCoordinator(t)
	join := c.enrollment(t.TempDir())
	join.TPM = t.TempDir() + "/none"
	if _, err := agentidentity.Enroll(t.Context(), join); !errors.Is(err, tpm.ErrNoTPM) {
		t.Errorf("Enroll() = %v; want ErrNoTPM", err)
	}
	if _, err := os.Stat(current(join.Data)); err == nil {
		t.Error("an identity was stored")
	}
}
